"""Files without column names on the command line: libsvm text, and NumPy's arrays."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.csv
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import backpass as bp


def drawn(n_rows=400, width=12, seed=0):
    """Sparse rows, with something in the first column and in the last, and their labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, width)).round(3) * (rng.random((n_rows, width)) < 0.4)
    X[0, 0] = X[1, width - 1] = 1.0
    y = np.where(X @ rng.normal(size=width) + rng.normal(size=n_rows) > 0.0, 1, -1)
    return sparse.csr_matrix(X), y


def columns_of(path):
    return {name: column.to_numpy() for name, column in zip(*_table(path), strict=True)}


def _table(path):
    table = pyarrow.csv.read_csv(path)
    return table.column_names, table.columns


@pytest.mark.parametrize("first", [0, 1])
def test_libsvm_text_is_fitted_measured_and_predicted(run, tmp_path, first):
    X, y = drawn()
    text, model, out = tmp_path / "t.svm", tmp_path / "m.safetensors", tmp_path / "p.csv"
    dump_svmlight_file(X, y, str(text), zero_based=first == 0)
    options = ("--no-standardize", "--test-size", "0", "--out", model, "--json")
    status, said, err = run("fit", text, *options)
    assert (status, err) == (0, "")
    answer = json.loads(said)
    assert (answer["target"], answer["n_features"]) == ("label", 12)
    assert [c["name"] for c in answer["coefficients"]] == [f"x{j + first}" for j in range(12)]
    expected = bp.LogisticRegression().fit(X, y)
    assert np.array_equal(bp.load(model).coef_, expected.coef_)

    # A later file may begin with the second column, and have ones that the model does not know.
    later = X @ sparse.diags_array([0.0] + [1.0] * 11)
    later.eliminate_zeros()
    wider = sparse.hstack([later, np.ones((len(y), 2))], format="csr")
    dump_svmlight_file(wider, y, str(text), zero_based=first == 0)
    assert run("predict", model, text, "--proba", "--id", "label", "--out", out)[0] == 0
    written = columns_of(out)
    assert np.array_equal(written["label"], y)
    assert np.array_equal(written["prediction"], expected.predict(later))
    np.testing.assert_allclose(written["proba_1"], expected.predict_proba(later)[:, 1], rtol=1e-14)
    status, said, _ = run("evaluate", model, text, "--json")
    assert json.loads(said)["accuracy"] == pytest.approx(expected.score(later, y), abs=1e-15)


def test_rows_of_libsvm_text_are_held_out_and_chosen_by(run, tmp_path):
    X, y = drawn()
    dump_svmlight_file(X, y, str(tmp_path / "t.libsvm"))
    status, said, _ = run("fit", tmp_path / "t.libsvm", "--cv", "--json")
    answer = json.loads(said)
    assert status == 0 and len(answer["cv"]) == 10
    assert (answer["n_rows"], answer["test"]["n_rows"]) == (320, 80)
    bp.ingest(tmp_path / "t.libsvm", tmp_path / "t.store")
    kept = json.loads(run("fit", tmp_path / "t.store", "--cv", "--json")[1])
    assert kept["objective"] == answer["objective"]


def test_arrays_are_fitted_measured_and_predicted(run, tmp_path):
    X, y = drawn()
    X = X.toarray()
    np.savez(tmp_path / "t.npz", X=X, y=y)
    np.save(tmp_path / "X.npy", X)
    model, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    options = ("--no-standardize", "--test-size", "0", "--out", model, "--json")
    status, said, err = run("fit", tmp_path / "t.npz", *options)
    assert (status, err, json.loads(said)["target"]) == (0, "", "y")
    expected = bp.LogisticRegression().fit(X, y)
    assert np.array_equal(bp.load(model).coef_, expected.coef_)
    bp.save(expected, tmp_path / "array.safetensors")  # which knows no names at all
    for one in (model, tmp_path / "array.safetensors"):
        assert run("predict", one, tmp_path / "X.npy", "--out", out)[0] == 0
        assert np.array_equal(columns_of(out)["prediction"], expected.predict(X))
    status, said, _ = run("evaluate", model, tmp_path / "t.npz", "--json")
    assert json.loads(said)["accuracy"] == expected.score(X, y)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("fit", "X.npy"), "--target is missing: name the column of classes"),
        (("fit", "t.svm", "--hidden", "4"), "whose sparse rows --hidden does not take."),
        (("fit", "t.svm", "--target", "y"), "so there is no 'y'; its target is called 'label'."),
        (("fit", "t.svm", "--drop", "x1"), "so there is no 'x1'; its target is called 'label'."),
        (("predict", "named", "t.svm"), "t.svm: is libsvm text, but the model knows its columns"),
        (("evaluate", "named", "t.store", "--target", "label"), "t.store: holds libsvm text, but"),
        (
            ("evaluate", "other", "t.store"),
            "from index 1, the model has 5 from 1; name the text",
        ),
        (("predict", "other", "t.svm", "--id", "x2"), "so there is no 'x2'; its target is called"),
        (("trace", "other", "t.svm", "--html", "t.html"), "t.svm: is libsvm text, which has no"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    X, y = drawn(100)
    dump_svmlight_file(X, y, "t.svm", zero_based=False)
    dump_svmlight_file(X[:, :5], y, "five.svm", zero_based=False)
    np.save("X.npy", X.toarray())
    bp.ingest("t.svm", "t.store")
    assert run("fit", "five.svm", "--out", "other.safetensors", "--quiet")[0] == 0
    table = pyarrow.table({"a": np.arange(100.0), "b": X.toarray()[:, 0]})
    bp.save(bp.LogisticRegression(missing="indicator").fit(table, y), "named.safetensors")
    files = {name: f"{name}.safetensors" for name in ("named", "other")}
    status, out, err = run(*(files.get(word, word) for word in command))
    assert status in (1, 2) and out == ""
    assert err.startswith("backpass: error: ") and err.count("\n") == 1 and message in err
