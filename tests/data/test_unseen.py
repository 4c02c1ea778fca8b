"""Values that a fit did not see: counted and said, in Python and on the command line."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import backpass as bp
from backpass.cli import main
from backpass.data.unseen import Unseen, UnseenTally, UnseenWarning

SAID = "values that were not seen at the fit, in 90 rows: column 'k' in 31 ('z', 'w'). They are"


@pytest.fixture(scope="module")
def tables():
    """Rows to fit on, and others of which 31 have a level that is new."""
    known = pa.table({"x": np.arange(60.0) % 7, "k": ["a", "b", "c"] * 20, "y": ["u", "v"] * 30})
    levels = ["a", "b", None] * 19 + ["z"] * 30 + ["a", "b", "w"]
    other = pa.table({"x": np.arange(90.0) % 5, "k": levels, "y": ["u", "v"] * 45})
    return known, other


@pytest.fixture
def fitted(tables):
    known, _ = tables
    return bp.LogisticRegression().fit(known.select(["x", "k"]), known["y"].to_pylist())


def test_predictions_count_them_in_a_warning(tables, fitted):
    with pytest.warns(UnseenWarning, match="column 'k' in 31 \\('z', 'w'\\)") as caught:
        proba = fitted.predict_proba(tables[1])
    assert len(caught) == 1 and issubclass(UnseenWarning, bp.DataWarning)
    warning = caught[0].message
    assert (warning.unseen, warning.n_rows) == ({"k": Unseen(31, ("z", "w"))}, 90)
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)
    # As missing, and the rows that hold nothing new are said nothing about.
    gone = tables[1].set_column(1, "k", pa.nulls(90, pa.string()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(proba[57:87], fitted.predict_proba(gone)[57:87])
        fitted.predict(tables[0])


def test_pieces_add_up():
    tally = UnseenTally()
    for value in ("p", "q", "p", "r", "s"):
        tally.add(UnseenWarning({"k": Unseen(2, (value,))}, 10))
    assert tally.unseen == {"k": Unseen(10, ("p", "q", "r"))}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_commands_count_them_over_all_pieces(tables, fitted, tmp_path, capfd, monkeypatch, ending):
    monkeypatch.setattr("backpass.data.bytestream.PIECE", 64)
    monkeypatch.setattr("backpass.data.parquet._BATCH", 7)
    model, data = tmp_path / "m.safetensors", tmp_path / f"t.{ending}"
    bp.save(fitted, model)
    if ending == "csv":
        tables[1].to_pandas().to_csv(data, index=False)
    else:
        pq.write_table(tables[1], data)
    assert main(["predict", str(model), str(data), "--proba"]) == 0
    out, err = capfd.readouterr()
    assert out.count("\n") == 91
    assert err == f"backpass: warning: t.{ending}: {SAID} treated as missing.\n"
    assert main(["evaluate", str(model), str(data), "--target", "y", "--json"]) == 0
    _, err = capfd.readouterr()
    assert SAID in err and err.count("\n") == 1


def test_of_levels_held_out_alone_the_fit_tells(tmp_path, capfd):
    lines = [f"{i % 7},{'abc'[i % 3]},{'uv'[i % 2]}" for i in range(200)]
    (tmp_path / "fit.csv").write_text("x,k,y\n" + "\n".join(lines) + "\n")
    lines = [line.replace(",a,", ",new,") for line in lines]
    (tmp_path / "test.csv").write_text("x,k,y\n" + "\n".join(lines) + "\n")
    arguments = ["fit", tmp_path / "fit.csv", "--target", "y", "--test", tmp_path / "test.csv"]
    assert main(list(map(str, arguments))) == 0
    said = "test.csv: values that were not seen at the fit, in 200 rows: column 'k' in 67 ('new')."
    assert said in capfd.readouterr().err
