"""Both estimators on tables with categories, and on tables and arrays with missing values."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.exceptions import ConvergenceWarning

import backpass as bp


def people(n_rows=200, seed=0):
    """Return a table with numbers, categories and missing values, and labels."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "height": rng.normal(170.0, 10.0, n_rows),
            "town": rng.choice(["Graz", "Linz", "Wien"], n_rows),
            "age": rng.uniform(20, 80, n_rows),
        }
    )
    score = (table["height"] - 170) / 3 + 3 * (table["town"] == "Wien") + rng.logistic(size=n_rows)
    table.loc[rng.choice(n_rows, 9, replace=False), "age"] = np.nan
    return table, np.where(score > 1.5, "tall", "short")


ENCODED = ["height", "town=Graz", "town=Linz", "town=Wien", "age", "age (missing)"]


def test_a_mixed_table_is_fitted_directly():
    table, y = people()
    model = bp.LogisticRegression(standardize=True).fit(table, y)
    assert list(model.coef_names_) == ENCODED
    assert model.coef_.shape == (1, 6)
    assert model.n_features_in_ == 3
    assert list(model.feature_names_in_) == ["height", "town", "age"]
    # numbers are put on one scale for the penalty, levels of a category stay as they are
    X = model.encoding_.transform(table)
    scale = np.where(model.encoding_.is_number, X.std(axis=0), 1.0)
    by_hand = bp.LogisticRegression(tol=1e-14).fit(X / scale, y)
    exact = bp.LogisticRegression(standardize=True, tol=1e-14).fit(table, y)
    np.testing.assert_allclose(exact.coef_ * scale, by_hand.coef_, rtol=1e-6, atol=1e-7)
    assert model.score(table, y) > 0.8
    assert model.trace(table.iloc[:2], y[:2]).cost > 0.0


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_libraries_give_the_same_bits(library):
    table, y = people()
    if library == "polars":
        other = pytest.importorskip("polars").from_pandas(table)
    else:
        other = pa.Table.from_pandas(table)
    model, twin = bp.LogisticRegression().fit(table, y), bp.LogisticRegression().fit(other, y)
    np.testing.assert_array_equal(model.theta_, twin.theta_)
    np.testing.assert_array_equal(model.predict(table), twin.predict(other))


def test_columns_are_matched_by_name_and_strangers_count_as_missing():
    table, y = people()
    model = bp.LogisticRegression().fit(table, y)
    expected = model.predict_proba(table)
    np.testing.assert_array_equal(model.predict_proba(table[["age", "town", "height"]]), expected)
    strange = table.assign(town="Bregenz")
    with pytest.warns(bp.DataWarning, match=r"column 'town' in 200 \('Bregenz'\)"):
        assert np.isfinite(model.predict_proba(strange)).all()
    with pytest.raises(ValueError, match="the column is not there: 'age'"):
        model.predict(table.drop(columns="age"))
    with pytest.raises(ValueError, match=r"fit was on a table .* 'height', 'town', 'age'"):
        model.predict(table.to_numpy())


def test_missing_values_are_refused_without_a_penalty():
    table, y = people()
    with pytest.raises(ValueError, match=r"'age' \(9\)"):
        bp.LogisticRegression(C=np.inf).fit(table, y)
    with pytest.raises(ValueError, match=r"'age' \(9\)"):
        bp.LogisticRegression(missing="raise").fit(table, y)


def test_rows_with_missing_values_can_be_dropped():
    table, y = people()
    complete = table["age"].notna().to_numpy()
    weight = np.linspace(0.5, 1.5, len(y))
    model = bp.LogisticRegression(missing="drop").fit(table, y, weight)
    by_hand = bp.LogisticRegression().fit(table[complete], y[complete], weight[complete])
    np.testing.assert_array_equal(model.theta_, by_hand.theta_)
    assert "age (missing)" not in model.coef_names_


def test_without_a_penalty_categories_have_a_baseline():
    table, y = people()
    table = table.drop(columns="age")
    first = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(table, y)
    named = bp.LogisticRegression(C=np.inf, tol=1e-16, reference={"town": "Wien"}).fit(table, y)
    assert list(first.coef_names_) == ["height", "town=Linz", "town=Wien"]
    assert list(named.coef_names_) == ["height", "town=Graz", "town=Linz"]
    assert first.converged_
    assert named.converged_
    # another baseline shifts the others' coefficients by its own, and nothing else
    assert named.coef_[0, 1] == pytest.approx(-first.coef_[0, 2], rel=1e-6)
    assert first.objective_ == pytest.approx(named.objective_, rel=1e-12)
    with pytest.raises(ValueError, match="not a categorical column"):
        bp.LogisticRegression(C=np.inf, reference={"city": "Wien"}).fit(table, y)


def test_a_frame_of_numbers_is_an_array_with_names():
    table, y = people()
    numbers = table[["height"]].assign(other=1.0 + np.arange(len(y)))
    model = bp.LogisticRegression().fit(numbers, y)
    assert model.encoding_ is None
    assert list(model.coef_names_) == list(model.feature_names_in_) == ["height", "other"]
    np.testing.assert_array_equal(
        model.theta_, bp.LogisticRegression().fit(numbers.to_numpy(), y).theta_
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(numbers[["other", "height"]])


@pytest.mark.parametrize("missing", ["indicator", "drop"])
def test_arrays_with_missing_values(missing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] + rng.logistic(size=100) > 0).astype(int)
    X[::7, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        bp.LogisticRegression().fit(X, y)
    model = bp.LogisticRegression(missing=missing).fit(X, y)
    extra = ["x1 (missing)"] if missing == "indicator" else []
    assert sorted(model.coef_names_) == sorted(["x0", "x1", "x2", *extra])
    assert model.n_features_in_ == 3
    assert model.predict(X[1:7]).shape == (6,)
    if missing == "drop":
        kept = ~np.isnan(X[:, 1])
        by_hand = bp.LogisticRegression().fit(X[kept], y[kept])
        np.testing.assert_array_equal(model.theta_, by_hand.theta_)
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, :2])


def test_a_network_sees_numbers_of_a_table_on_one_scale():
    table, y = people()
    model = bp.MLPClassifier((8,), learning_rate_init=0.01, max_iter=50, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(table, y)
    rows = model.encoding_.transform(table)
    place = list(model.encoding_.coef_names).index("height")
    assert abs(rows[:, place].mean()) < 1e-12
    assert model.score(table, y) > 0.8
    np.testing.assert_array_equal(
        model.predict(table[["town", "age", "height"]]), model.predict(table)
    )


def test_lengths_must_agree():
    table, y = people()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        bp.LogisticRegression().fit(table, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        bp.LogisticRegression(missing="drop").fit(table, y[:-1])


def test_a_network_refuses_categories_that_half_the_memory_cannot_hold(monkeypatch):
    table = pd.DataFrame({"town": ["Graz", "Linz"] * 200, "id": [f"n{i // 2}" for i in range(400)]})
    y, needed = np.arange(400) // 2 % 2, 8 * 400 * (2 + 200)
    model = bp.MLPClassifier((2,), solver="lbfgs", max_iter=2000, random_state=0)
    monkeypatch.setattr("backpass.encoding.refusals.memory", lambda: 2 * needed)
    model.fit(table, y)
    monkeypatch.setattr("backpass.encoding.refusals.memory", lambda: 2 * needed - 2)
    words = "column 'id': it has 200 levels, .* in 400 rows .* Fit a logistic regression, .* rare"
    with pytest.raises(bp.DataError, match=words):
        model.fit(table, y)
    bp.LogisticRegression().fit(table, y)  # which keeps codes
    model.fit(table[["town"]], np.arange(400) % 2)
