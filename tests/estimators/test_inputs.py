"""What fit and predict say about missing values, labels that are none, and useless references."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import backpass as bp
from backpass.estimators.inputs import is_plain

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
y = (X[:, 0] > 0).astype(int)
LABELS = rng.integers(0, 2, 30)  # of two classes that no column tells apart
gappy = X.copy()
gappy[[2, 5], 1] = np.nan
FRAME = pd.DataFrame(X, columns=["age", "height", "dose"])
GAPPY = pd.DataFrame(gappy, columns=FRAME.columns)


def logistic(**parameters):
    return bp.LogisticRegression(**parameters)


def network(**parameters):
    return bp.MLPClassifier((2,), solver="lbfgs", max_iter=500, **parameters)


both = pytest.mark.parametrize("make", [logistic, network])


@both
@pytest.mark.parametrize(
    ("fitted", "asked", "column"),
    [
        (FRAME, GAPPY, "column 'height'"),
        (X, gappy, "column 1"),
        (X, gappy.astype(np.float32), "column 1"),
        (X, sparse.csr_matrix(gappy), "column 1"),
    ],
    ids=["frame", "array", "float32", "sparse"],
)
def test_missing_values_that_come_at_predict_are_named(make, fitted, asked, column):
    model = make().fit(fitted, y)
    with pytest.raises(ValueError) as raised:
        model.predict(asked)
    assert str(raised.value).startswith(f"X: values are missing (NaN) in {column} (2) of 30 rows. ")
    assert "learned nothing to put there" in str(raised.value)
    # "indicator" is offered by the one estimator that has it, and for what it can be asked of
    offered = "missing='indicator'" in str(raised.value)
    assert offered == (make is logistic and not sparse.issparse(asked))


@both
def test_infinite_values_are_named(make):
    asked = FRAME.copy()
    asked.loc[4, "dose"] = -np.inf
    with pytest.raises(ValueError, match="X, row 4, column 'dose': -inf is not a finite number"):
        make().fit(FRAME, y).predict(asked)


def test_a_network_fitted_to_an_array_with_missing_values_says_what_helps():
    with pytest.raises(ValueError, match=r"\(NaN\) in column 1 \(2\) of 30 rows.* fit on a table"):
        network().fit(gappy, y)
    assert network().fit(GAPPY, y).predict(GAPPY).shape == (30,)


def test_numbers_whose_sum_overflows_are_finite():
    model = logistic().fit(1e3 * X, y)
    huge = np.full((2, 3), 1.7e308)
    assert not is_plain(model, huge)
    assert np.isfinite(model.predict_proba(huge)).all()
    assert not is_plain(model, np.array([[np.inf, -np.inf, 0.0]]))  # and no warning


@pytest.mark.parametrize(("fitted", "asked"), [(FRAME, GAPPY), (X, gappy)])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_indicator_learns_means_from_complete_numbers_for_rows_to_come(fitted, asked, C):
    model = logistic(missing="indicator", C=C).fit(fitted, LABELS)
    without = logistic(C=C).fit(fitted, LABELS)
    np.testing.assert_array_equal(model.coef_, without.coef_)
    filled = gappy.copy()
    filled[[2, 5], 1] = X[:, 1].mean()
    np.testing.assert_allclose(
        model.predict_proba(asked),
        without.predict_proba(
            pd.DataFrame(filled, columns=FRAME.columns) if fitted is FRAME else filled
        ),
        rtol=1e-12,
    )


@pytest.mark.parametrize("given", [X, FRAME, sparse.csr_matrix(X)], ids=["array", "frame", "csr"])
def test_a_reference_where_there_are_no_categories_is_refused(given):
    model = logistic(C=np.inf, reference={"age": "old"})
    with pytest.raises(ValueError, match=r"column 'age': reference names it, but X is an array or"):
        model.fit(given, LABELS)
    logistic(C=np.inf, reference={"y": 1}).fit(given, LABELS)  # the class to compare with


def test_a_reference_is_checked():
    table = FRAME.assign(town=["Ely", "York", "Bath"] * 10)
    with pytest.raises(ValueError, match=r"column 'twon': .* not a categorical column .* 'town'"):
        logistic(C=np.inf, reference={"twon": "York"}).fit(table, LABELS)
    with pytest.raises(ValueError, match=r"column 'town': .* the level 'Hull', which does not"):
        logistic(C=np.inf, reference={"town": "Hull"}).fit(table, LABELS)
    names = logistic(C=np.inf, reference={"town": "York"}).fit(table, LABELS).coef_names_.tolist()
    assert "town=Ely" in names and "town=York" not in names


@pytest.mark.parametrize("reference", [{"town": "York"}, {"y": 1}])
def test_a_reference_has_no_meaning_under_a_penalty(reference):
    table = FRAME.assign(town=["Ely", "York", "Bath"] * 10)
    with pytest.raises(ValueError, match=r"but C is 0.5: under a penalty every level .* C=np.inf"):
        logistic(C=0.5, reference=reference).fit(table, LABELS)


@both
@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a", None, "b"], "None"),
        ([["a"], [None], ["b"]], "None"),
        ([0.0, np.nan, 1.0], "NaN"),
        (pd.Series(["a", None, "b"], dtype="category"), "NaN"),
        (pd.Series(["a", pd.NA, "b"], dtype=object), "NaN"),
        (pd.Series(["a", pd.NA, "b"], dtype="string"), "NaN"),
        (pd.Series([1, pd.NA, 0], dtype="Int64"), "NaN"),
    ],
    ids=["list", "column", "floats", "category", "objects", "string", "Int64"],
)
def test_a_row_without_a_label_is_named(make, labels, shown):
    said = rf"y, row 1: {shown} is no label; leave the rows without one out \(1 of 3\)\."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the shape of a column
        with pytest.raises(ValueError, match=said):
            make().fit(X[:3], labels)


@both
def test_labels_of_several_kinds_are_refused_where_they_have_no_order(make):
    with pytest.raises(ValueError, match=r"several kinds, such as 1 \(int\) and 'a' \(str\)"):
        make().fit(X[:3], np.array(["a", 1, "a"], dtype=object))


def test_a_network_says_that_it_takes_no_dataset(tmp_path):
    FRAME.assign(y=y).to_csv(tmp_path / "rows.csv", index=False)
    dataset = bp.open_dataset(tmp_path / "rows.csv", target="y")
    with pytest.raises(ValueError, match="a dataset in files, which LogisticRegression reads"):
        network().fit(dataset)


@both
@pytest.mark.parametrize("dtype", ["Int64", "boolean", "int64[pyarrow]"])
def test_labels_of_nullable_types_keep_their_kind(make, dtype):
    labels = pd.Series(LABELS, dtype=dtype)
    model = make().fit(FRAME, labels)
    kind = bool if dtype == "boolean" else np.int64
    assert model.classes_.dtype == kind and model.predict(FRAME).dtype == kind
    assert model.score(FRAME, labels) == model.score(FRAME, LABELS.astype(kind))
    with pytest.raises(ValueError, match=r"y, row 3: .* is no label"):
        make().fit(FRAME, labels.where(labels.index != 3))


@both
def test_a_column_that_is_there_twice_is_named(make):
    with pytest.raises(bp.DataError, match="more than one column called 'age'"):
        make().fit(pd.concat([FRAME, FRAME[["age"]]], axis=1), LABELS)


@both
def test_tables_that_come_at_predict_with_columns_more_or_fewer(make):
    table = FRAME.assign(town=np.where(LABELS, "Ulm", "Bonn"))
    model = make().fit(table, LABELS)
    expected = model.predict_proba(table)
    more = table[table.columns[::-1]].assign(other="?", when=pd.Timestamp("2020-01-01"))
    np.testing.assert_array_equal(model.predict_proba(more), expected)
    with pytest.raises(bp.DataError, match=r"the columns are not there: 'height', 'town'; the t"):
        model.predict(table.drop(columns=["town", "height"]))
    numbers = make().fit(FRAME, LABELS)  # held to scikit-learn's rule: these names in this order
    for other in (FRAME[FRAME.columns[::-1]], FRAME.assign(more=0.0), FRAME[["age", "dose"]]):
        with pytest.raises(ValueError, match="feature names should match those"):
            numbers.predict(other)
