"""The learned schema: three libraries' tables to the same numbers, and what it refuses."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpass.data.document import DocumentError
from backpass.data.errors import DataError
from backpass.data.unseen import UnseenWarning
from backpass.encoding import Encoding, is_table

MIXED = {
    "age": [20.0, None, 33.5, 41.0],
    "sex": ["f", "m", None, "m"],
    "flag": [True, False, None, True],
    "one": [1, 1, 1, 1],
}


def tables(columns):
    return [pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns)]


def learn(columns, **options):
    return Encoding.learn(pa.table(columns), **({"missing": "indicator"} | options))


@pytest.mark.parametrize("table", tables(MIXED), ids=["pandas", "polars", "pyarrow"])
def test_the_three_libraries_give_the_same_numbers(table):
    encoding = Encoding.learn(table, missing="indicator")
    names = ["age", "age (missing)", "sex=f", "sex=m", "sex (missing)", "flag", "flag (missing)"]
    assert encoding.coef_names == names
    assert encoding.dropped == (("one", "always 1"),)
    mean, share = 31.5, 2.0 / 3.0
    expected = [
        [20.0, 0, 1, 0, 0, 1, 0],
        [mean, 1, 0, 1, 0, 0, 0],
        [33.5, 0, 0, 0, 1, share, 1],
        [41.0, 0, 0, 1, 0, 1, 0],
    ]
    np.testing.assert_allclose(encoding.transform(table), expected, rtol=1e-15)
    assert is_table(table)
    assert not is_table(np.zeros((2, 2)))


def test_codes_keep_categories_as_integers():
    encoding = learn(MIXED)
    with pytest.warns(UnseenWarning, match=r"in 4 rows: column 'sex' in 1 \('x'\)\."):
        codes = encoding.codes(pa.table({**MIXED, "sex": ["m", "x", None, "f"]}))
    assert codes.categories.dtype == np.int32
    assert codes.categories.tolist() == [[1], [2], [2], [0]]  # unseen counts as missing
    np.testing.assert_array_equal(codes.numbers[:, 1], [0, 1, 0, 0])


def test_columns_are_matched_by_name_in_any_order_with_others_beside():
    encoding = learn(MIXED)
    table = pa.table(MIXED)
    shuffled = table.select(["flag", "sex", "one", "age"]).append_column("new", pa.array([1] * 4))
    np.testing.assert_array_equal(encoding.transform(shuffled), encoding.transform(table))
    with pytest.raises(DataError, match="the column is not there: 'age'; the table has 'flag'"):
        encoding.transform(table.select(["flag", "sex"]))


def test_means_and_scales_are_those_of_the_encoded_columns():
    rng = np.random.default_rng(1)
    columns = {"x": rng.normal(3.0, 2.0, 50), "g": rng.choice(["a", "b", "c"], 50)}
    encoding = learn(columns)
    X = encoding.transform(pa.table(columns))
    np.testing.assert_allclose(encoding.means, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(encoding.scales, X.std(axis=0), rtol=1e-13)
    assert encoding.is_number.tolist() == [True, False, False, False]


def test_standardised_numbers_have_mean_0_and_deviation_1_and_flags_stay():
    columns = {"x": [1.0, 5.0, 9.0, None], "flag": [True, False, True, True]}
    X = learn(columns, standardize=True).transform(pa.table(columns))
    assert X[:3, 0].mean() == pytest.approx(0.0, abs=1e-15)
    assert X[:3, 0].std() == pytest.approx(1.0, rel=1e-15)
    assert X[3].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_scales_survive_columns_whose_squares_do_not(factor):
    [column] = learn({"x": np.array([1.0, 2.0, 4.0]) * factor}).columns
    assert column.mean == pytest.approx(7 / 3 * factor, rel=1e-14)
    assert column.scale == pytest.approx(np.std([1.0, 2.0, 4.0]) * factor, rel=1e-14)


def test_neighbouring_numbers_are_not_a_constant():
    encoding = learn({"x": [1.0, math.nextafter(1.0, 2.0)]}, standardize=True)
    assert encoding.columns[0].scale > 0.0
    assert np.isfinite(encoding.transform(pa.table({"x": [1.0, 2.0]}))).all()


def test_levels_are_sorted_numbers_by_value():
    assert learn({"g": ["10", "9", "2"]}).columns[0].levels == ("2", "9", "10")
    assert learn({"g": ["b", "10", "a"]}).columns[0].levels == ("10", "a", "b")


def test_a_categorical_keeps_its_own_order_and_drops_levels_without_rows():
    frame = pd.DataFrame({"g": pd.Categorical(["hi", "lo", "hi"], ["lo", "mid", "hi"])})
    assert Encoding.learn(frame, missing="raise").columns[0].levels == ("lo", "hi")
    enum = pl.DataFrame({"g": pl.Series(["hi", "lo"]).cast(pl.Enum(["lo", "hi"]))})
    assert Encoding.learn(enum, missing="raise").columns[0].levels == ("lo", "hi")
    # polars lists a Categorical's levels by appearance, which nobody chose
    plain = pl.DataFrame({"g": pl.Series(["hi", "lo"]).cast(pl.Categorical)})
    assert Encoding.learn(plain, missing="raise").columns[0].levels == ("hi", "lo")


def test_declared_numbers_become_categories_spelt_as_in_files():
    with_gap = pd.DataFrame({"ses": [1, 2, None, 3]})  # pandas makes these floats
    encoding = Encoding.learn(with_gap, missing="indicator", categorical=["ses"])
    assert encoding.coef_names == ["ses=1", "ses=2", "ses=3", "ses (missing)"]
    whole = pd.DataFrame({"ses": [3, 1]})
    assert encoding.transform(whole).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_a_baseline_has_no_coefficient():
    columns = {"g": ["a", "b", "c", "a"], "x": [1.0, 2.0, 3.0, 5.0]}
    assert learn(columns, reference={}).coef_names == ["g=b", "g=c", "x"]
    encoding = learn(columns, reference={"g": "b"})
    assert encoding.coef_names == ["g=a", "g=c", "x"]
    assert encoding.transform(pa.table(columns))[:, :2].tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]
    np.testing.assert_allclose(encoding.means, [0.5, 0.25, 2.75])
    with pytest.raises(DataError, match=r"'g': reference asks for the level 'z', .* 'a', 'b', 'c'"):
        learn(columns, reference={"g": "z"})
    with pytest.raises(DataError, match="'x': reference names it, but it is not a categorical"):
        learn(columns, reference={"x": "1"})


def test_unseen_values_are_zero_without_baseline_and_refused_with_one():
    columns = {"g": ["a", "b", "a"]}
    new = pa.table({"g": ["b", "z"]})
    with pytest.warns(UnseenWarning):
        assert learn(columns).transform(new).tolist() == [[0, 1], [0, 0]]
    encoding = learn(columns, reference={})
    with pytest.raises(DataError, match=r"'g' \(1, among them 'z', not seen at the fit\) of 2"):
        encoding.transform(new)
    assert encoding.usable_rows(new).tolist() == [True, False]


def test_raise_names_columns_and_counts():
    message = r"missing in 'age' \(1\), 'sex' \(1\), 'flag' \(1\) of 4 rows.*missing='indicator'"
    with pytest.raises(DataError, match=message):
        learn(MIXED, missing="raise")
    encoding = learn({"x": [1.0, 2.0]}, missing="raise")
    with pytest.raises(DataError, match=r"missing in 'x' \(2\) of 3 rows. The model was fitted"):
        encoding.transform(pa.table({"x": [None, 1.0, float("nan")]}))


def test_drop_learns_from_complete_rows_and_useless_columns_cost_none():
    columns = {"x": [1.0, None, 3.0, 8.0], "y": [2.0, 4.0, 5.0, None], "empty": [None] * 4}
    encoding = learn(columns, missing="drop")
    assert encoding.n_rows == 2
    assert encoding.dropped == (("empty", "no values"),)
    assert encoding.complete_rows(pa.table(columns)).tolist() == [True, False, True, False]
    assert [column.mean for column in encoding.columns] == [2.0, 3.5]
    apart = {"x": [1.0, 2.0, None, None], "y": [None, None, 2.0, 3.0]}
    with pytest.raises(DataError, match=r"no rows are left .* of 4. Column '\w' alone has 2"):
        learn(apart, missing="drop")


def test_missing_values_at_predict_only_take_the_mean():
    encoding = learn({"x": [1.0, 3.0], "g": ["a", "b"]})
    assert encoding.transform(pa.table({"x": [None], "g": ["a"]})).tolist() == [[2.0, 1.0, 0.0]]


def test_a_constant_with_gaps_keeps_its_gaps():
    encoding = learn({"x": [7.0, None, 7.0], "mark": ["y", None, "y"]})
    assert encoding.coef_names == ["x (missing)", "mark=y", "mark (missing)"]
    X = encoding.transform(pa.table({"x": [7.0, None], "mark": [None, "y"]}))
    assert X.tolist() == [[0, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1.0, math.inf]}, "record 2, column 'x': inf is not a finite number"),
        ({"x": [2**53 + 1, 1]}, "column 'x': holds the whole number 9007199254740993, beyond 2"),
        ({"x": [datetime.date(2020, 1, 1)] * 2}, "column 'x': holds dates .*drop=\\['x'\\]"),
        ({"x": [[1], [2]]}, "column 'x': holds list"),
        ({"x": [b"a", b"b"]}, "column 'x': holds binary"),
        ({"x": [1, 1], "g": ["a", "a"]}, "'x' is always 1, 'g' is always 'a'"),
        ({"x": [None, None]}, "'x' is no values"),
        ({"x": []}, "no rows are left"),
        ({"g=a": [1, 2], "g": ["a", "b"]}, "two columns would be called 'g=a'"),
        ({"": [1, 2]}, "column 1 of 1 has no name"),
    ],
)
def test_what_is_refused_at_the_fit(columns, message):
    with pytest.raises(DataError, match=message):
        learn(columns)


def test_decimals_and_small_integers_are_numbers():
    columns = {"d": [Decimal("1.50"), Decimal("2.25")], "i": pa.array([1, 2], pa.int8())}
    assert learn(columns).transform(pa.table(columns)).tolist() == [[1.5, 1.0], [2.25, 2.0]]


def test_identifiers_are_refused_unless_declared():
    names = [f"person {i}" for i in range(30)]
    # What a frame's owner can do: the estimators, which get it, have no drop= and no text=.
    message = r"'who': holds 30 different texts in 30 rows.*Leave .* out of the table, or .*text=\["
    with pytest.raises(DataError, match=message):
        learn({"who": names, "x": range(30)})
    assert len(learn({"who": names}, categorical=["who"]).coef_names) == 30
    assert (
        len(
            Encoding.learn(pd.DataFrame({"who": pd.Categorical(names)}), missing="raise").coef_names
        )
        == 30
    )
    assert len(learn({"who": names[:10]}).coef_names) == 10  # a small table may have few repeats
    assert len(learn({"who": names[:15] * 2}).coef_names) == 15


def test_a_column_of_another_kind_at_predict_is_named():
    encoding = learn({"x": [1.0, 2.0]})
    with pytest.raises(DataError, match="column 'x': holds text such as 'a', but held numbers"):
        encoding.transform(pa.table({"x": ["a", "b"]}))


def test_columns_of_several_kinds_are_named():
    frame = pd.DataFrame({"x": pd.Series([1, "a", 2.5], dtype=object)})
    with pytest.raises(
        DataError, match=r"column 'x': holds values of several .* \(float, int, str"
    ):
        Encoding.learn(frame, missing="raise")
    twice = pd.DataFrame(np.zeros((2, 2)), columns=["x", "x"])
    with pytest.raises(DataError, match="has more than one column called 'x'"):
        Encoding.learn(twice, missing="raise")
    with pytest.raises(TypeError, match="expected a pandas, polars or pyarrow table, got ndarray"):
        Encoding.learn(np.zeros((2, 2)), missing="raise")
    with pytest.raises(ValueError, match="missing='mean'; expected one of"):
        learn(MIXED, missing="mean")


CELLS = {
    "x": st.one_of(st.none(), st.floats(-1e6, 1e6)),
    "g": st.one_of(st.none(), st.text(max_size=3)),
    "flag": st.one_of(st.none(), st.booleans()),
}


@given(
    rows=st.lists(st.fixed_dictionaries(CELLS), min_size=2, max_size=9),
    later=st.lists(st.fixed_dictionaries(CELLS), max_size=5),
    reference=st.sampled_from([None, {}]),
    standardize=st.booleans(),
)
@pytest.mark.filterwarnings("ignore::backpass.data.unseen.UnseenWarning")  # drawn ones may be
def test_json_gives_back_an_equal_encoding(rows, later, reference, standardize):
    types = pa.schema({"x": pa.float64(), "g": pa.string(), "flag": pa.bool_()})
    table, new = (pa.Table.from_pylist(part, types) for part in (rows, later))
    options = {"missing": "indicator", "reference": reference, "standardize": standardize}
    try:
        encoding = Encoding.learn(table, **options)
    except DataError as error:
        assert "no column is left" in str(error)
        return
    again = Encoding.from_json(encoding.to_json())
    assert again == encoding
    X = encoding.transform(table)
    np.testing.assert_array_equal(again.transform(table), X)
    assert X.shape == (len(rows), len(encoding.coef_names))
    assert np.isfinite(X).all()
    usable = new.filter(encoding.usable_rows(new))
    assert np.isfinite(encoding.transform(usable)).all()


def spoil(change):
    document = learn({"x": [1.0, None, 2.0], "g": ["a", "b", "a"]}).to_document()
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("missing"), r"encoding lacks \['missing'\]"),
        (lambda d: d.update(more=1), r"unknown keys \['more'\]"),
        (lambda d: d.update(missing="mean"), "encoding.missing is 'mean'; expected one of"),
        (lambda d: d.update(n_rows=-1), "encoding.n_rows is -1; expected a whole number"),
        (lambda d: d.update(n_rows=True), "encoding.n_rows is True"),
        (lambda d: d.update(columns=[]), "needs one or more"),
        (lambda d: d["columns"].append(d["columns"][0]), "each name once"),
        (
            lambda d: d["columns"][0].update(mean="1"),
            r"columns\[0\].mean is '1'; expected a finite",
        ),
        (lambda d: d["columns"][0].update(scale=-1.0), r"columns\[0\].scale is -1"),
        (lambda d: d["columns"][0].update(kind="date"), r"columns\[0\].kind is 'date'"),
        (lambda d: d["columns"][1].update(levels=["a", "a"]), "no level twice"),
        (lambda d: d["columns"][1].update(counts=[1]), "one count each"),
        (lambda d: d["columns"][1].update(baseline="z"), "baseline is not one of its levels"),
        (lambda d: d["columns"].__setitem__(0, 3), r"columns\[0\] is 3; expected an object"),
        (lambda d: d.update(dropped=[["x"]]), "pairs of name and reason"),
    ],
)
def test_a_document_that_differs_is_refused(change, message):
    with pytest.raises(DocumentError, match=message):
        Encoding.from_document(spoil(change))
