"""Separated classes: decided as a plain linear program does, named, and right in what is left."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from tests.inference.data import read

import backpass as bp
from backpass.data.rows import DenseRows, View
from backpass.inference import separation
from backpass.inference.likelihood import Likelihood
from backpass.inference.separation import find_separation
from backpass.linear_objective import LinearObjective
from backpass.penalties import ElasticNet


def likelihood_of(X, y, n_classes, weight=None):
    k = 1 if n_classes == 2 else n_classes
    width = X.shape[1] + 1
    penalty = ElasticNet(np.zeros(k * width))
    view = View(X.mean(axis=0), np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0), ones=True)
    return Likelihood(LinearObjective(DenseRows(X), y, weight, k, penalty, view))


def inequalities(X, y, n_classes):
    """Write all pairs out, (pairs, (n_classes - 1) · (d + 1)), the intercept first."""
    wide = np.hstack([np.ones((len(X), 1)), X])
    rows = []
    for x, own in zip(wide, y, strict=True):
        for other in set(range(n_classes)) - {int(own)}:
            lead = np.zeros((n_classes, wide.shape[1]))
            lead[own], lead[other] = x, -x
            rows.append(lead[1:].ravel())
    return np.array(rows)


def reach(a, lead):
    """Return the most that lead · b can be over allowed directions in a box."""
    answer = linprog(-lead, A_ub=-a, b_ub=np.zeros(len(a)), bounds=(-1, 1))
    return float(lead @ answer.x)


def assert_as_a_plain_program_says(X, y, n_classes):
    likelihood = likelihood_of(X, y, n_classes)
    found = find_separation(likelihood, np.zeros(likelihood.shape))
    a = inequalities(X, y, n_classes)
    separated = np.array([reach(a, row) > 1e-7 for row in a])
    assert (found is not None) == separated.any()
    if found is None:
        return
    pairs = separated.reshape(len(X), -1)
    assert found.complete == separated.all()
    np.testing.assert_array_equal(found.rows, np.flatnonzero(pairs.any(axis=1)))
    for sign, unit in zip(found.signs.ravel(), np.eye(a.shape[1]), strict=True):
        up, down = reach(a, unit) > 1e-7, reach(a, -unit) > 1e-7
        expected = np.nan if up and down else 1.0 if up else -1.0 if down else 0.0
        np.testing.assert_equal(sign, expected)


@given(
    seed=st.integers(0, 10**6),
    n_rows=st.integers(6, 14),
    n_classes=st.sampled_from([2, 3]),
    steps=st.integers(2, 5),
)
def test_decided_as_a_plain_program_decides(seed, n_rows, n_classes, steps):
    """Columns of a few whole numbers: every kind of separation is common then."""
    rng = np.random.default_rng(seed)
    X = rng.integers(steps, size=(n_rows, 2)).astype(float)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)])
    wide = np.hstack([np.ones((n_rows, 1)), X])
    if np.linalg.matrix_rank(wide) == 3:  # collinear columns are taken out before
        assert_as_a_plain_program_says(X, y, n_classes)


@given(seed=st.integers(0, 10**6), n_classes=st.sampled_from([2, 3]), steps=st.integers(2, 5))
def test_decided_alike_where_the_program_sees_few_pairs_at_a_time(seed, n_classes, steps):
    """It starts from a handful and adds two pairs a visit: what it is not shown, it asks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separation, "PAIRS_AT_ONCE", 2)
        patch.setattr(separation, "PAIRS_A_PARAMETER", 1)
        rng = np.random.default_rng(seed)
        X = rng.integers(steps, size=(30, 2)).astype(float)
        y = np.concatenate([np.arange(n_classes), (X[n_classes:] @ [1.0, 0.6]).astype(int)])
        y = np.minimum(y, n_classes - 1)
        X[:n_classes] = X[n_classes : 2 * n_classes]
        if np.linalg.matrix_rank(np.hstack([np.ones((30, 1)), X])) == 3:
            assert_as_a_plain_program_says(X, y, n_classes)


def quietly_fitted(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bp.SeparationWarning)
        return bp.LogisticRegression(C=np.inf, **parameters).fit(X, y)


def rare_level(n_rows=60_000, seed=0):
    """Return rows with a rare dummy, at the end, that only class 1 has."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    y = (X[:, 0] + rng.logistic(size=n_rows) > 0).astype(int)
    rare = rng.choice(n_rows, 20, replace=False)
    X[:, 3] = 0.0
    X[rare, 3] = 1.0
    y[rare] = 1
    return X, y, np.sort(rare)


def test_few_separated_rows_of_many_are_found_and_the_rest_is_right():
    X, y, rare = rare_level()
    with pytest.warns(bp.SeparationWarning, match=r"of 20 rows: .* along x3 to \+inf\."):
        model = bp.LogisticRegression(C=np.inf).fit(X, y)
    found = model.summary()
    np.testing.assert_array_equal(found.separation.rows, rare)
    others = np.setdiff1d(np.arange(len(y)), rare)
    without = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X[others, :3], y[others]).summary()
    np.testing.assert_allclose(found.params[:4], without.params, rtol=1e-9)
    np.testing.assert_allclose(found.bse[:4], without.bse, rtol=1e-9)
    assert found.llf == pytest.approx(without.llf, rel=1e-12)
    for cov in ("HC0", "cluster"):
        groups = np.arange(len(y)) % 500 if cov == "cluster" else None
        error = model.inference(X, y, cov=cov, groups=groups).bse
        assert np.isnan(error["x3"]) and np.isfinite(error[:4]).all()


def test_finite_errors_are_right_beside_an_oblique_direction():
    """Inverting the last iterate's information as it is would put errors off by 2e-3 here."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 6))
    y = (X[:, 0] + rng.logistic(size=3000) > 0).astype(int)
    rare = rng.uniform(size=3000) < 0.05
    y[rare] = 1
    mixed = np.column_stack([X[:, :2], rare]) @ rng.normal(size=(3, 3))
    found = quietly_fitted(np.column_stack([X[:, 2:], mixed]), y).summary()
    assert np.isinf(found.params[5:]).all()
    without = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X[~rare], y[~rare]).summary()
    rest = without.params.drop(["x0", "x1"]), without.bse.drop(["x0", "x1"])
    np.testing.assert_allclose(found.params[:5], rest[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.bse[:5], rest[1], rtol=1e-8)


def test_a_row_of_no_weight_separates_nothing_and_overlaps_nothing():
    X, y, _ = rare_level(400)
    X, y = np.vstack([X, [[0.0, 0.0, 0.0, 1.0]]]), np.append(y, 0)  # breaks the separation
    overlapping = bp.LogisticRegression(C=np.inf).fit(X, y)
    assert overlapping.summary().separation is None
    weight = np.append(np.ones(400), 0.0)
    with pytest.warns(bp.SeparationWarning, match=r"x3 to \+inf"):
        bp.LogisticRegression(C=np.inf).fit(X, y, weight)


def test_one_overlapping_row_makes_the_estimates_finite():
    X = np.linspace(-1.0, 1.0, 40)[:, None]
    y = (X[:, 0] > 0).astype(int)
    assert quietly_fitted(X, y).summary().separation.complete
    y[15] = 1
    model = bp.LogisticRegression(C=np.inf).fit(X, y)
    assert model.converged_ and model.summary().separation is None


def test_softmax_names_the_base_class_that_leaves_most_finite():
    """Setosa is apart from the others, which overlap: their contrast is a binary fit's."""
    X, y = load_iris(return_X_y=True)
    with pytest.warns(bp.SeparationWarning, match=r"Against the class 1 more are finite: .*'y'"):
        bp.LogisticRegression(C=np.inf).fit(X, y)
    with pytest.warns(bp.SeparationWarning, match="The finite estimates"):
        model = bp.LogisticRegression(C=np.inf, reference={"y": "1"}).fit(X, y)
    found = model.inference(X, y)
    binary = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X[y > 0], y[y > 0]).summary()
    np.testing.assert_allclose(found.params.loc[2], binary.params, rtol=1e-7)
    np.testing.assert_allclose(found.bse.loc[2], binary.bse, rtol=1e-7)
    assert not np.isfinite(found.params.loc[0]).any()
    assert found.bse.loc[0].isna().all()


def test_complete_separation_identifies_nothing_and_says_so():
    X = np.arange(12.0)[:, None]
    with pytest.warns(bp.SeparationWarning, match="No coefficient is identified"):
        model = bp.LogisticRegression(C=np.inf).fit(X, X[:, 0] > 5)
    found = model.summary()
    np.testing.assert_array_equal(found.params, [-np.inf, np.inf])
    assert found.bse.isna().all()
    assert "+inf" in str(found) and "NA" in str(found)
    assert np.isfinite(model.coef_).all()


def test_firth_is_finite_where_the_likelihood_is_not():
    X = np.arange(12.0)[:, None]
    for n_classes in (2, 3):
        y = np.arange(12) * n_classes // 12
        model = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y)
        assert model.converged_
        assert np.isfinite(model.summary().bse).all()
        assert np.abs(model.coef_).max() < 10.0


def test_profile_intervals_have_a_finite_end_at_infinite_estimates():
    data = read("endometrial/endometrial.csv")
    X, y = data[["NV", "PI", "EH"]], data["HG"]
    ends = quietly_fitted(X, y).inference(X, y).confint(method="profile")
    assert ends.loc["NV"].iloc[1] == np.inf
    # At the finite end the deviance has risen by the quantile of χ²₁.
    low = ends.loc["NV"].iloc[0]
    best = -2.0 * quietly_fitted(X, y).summary().llf
    assert _deviance_at(X, y, low) - best == pytest.approx(3.841458820694124, abs=1e-5)


def _deviance_at(X, y, NV):
    """Minimise the deviance with the coefficient of NV held, by SciPy."""
    from scipy.optimize import minimize
    from scipy.special import log_expit

    wide = np.column_stack([np.ones(len(X)), X["PI"] / 10.0, X["EH"]])
    sign = np.where(y == 1, 1.0, -1.0)

    def deviance(b):
        return -2.0 * log_expit(sign * (wide @ b + NV * X["NV"].to_numpy())).sum()

    return minimize(deviance, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).fun


def test_marginal_effects_of_infinite_estimates_are_refused():
    X = pd.DataFrame({"x": np.arange(12.0)})
    found = quietly_fitted(X, X["x"] > 5).inference(X, X["x"] > 5)
    with pytest.raises(ValueError, match=r"classes are separated .* no marginal effects"):
        found.marginal_effects()
    with pytest.raises(ValueError, match="'x' has no finite estimate here"):
        found.wald_test("x")


def test_signs_beyond_fifty_coefficients():
    """Seven of eighty levels tell the classes apart, each its own way; two columns both ways."""
    rng = np.random.default_rng(3)
    n, n_levels = 4000, 80
    level = rng.integers(n_levels, size=n)
    X = np.zeros((n, n_levels + 2))
    X[np.arange(n), level] = 1.0
    X[:, -2] = rng.normal(size=n)
    y = (0.5 * X[:, -2] + rng.logistic(size=n) > 0).astype(int)
    up, down = [3, 17, 40, 79], [8, 21, 55]
    y[np.isin(level, up)], y[np.isin(level, down)] = 1, 0
    last = (level == 3) | (level == 8)  # a column beside the levels, which may go either way
    X[last, -1] = np.where(y[last] == 1, 0.5, -0.5) * rng.uniform(0.5, 1.0, last.sum())
    X = np.delete(X, 0, axis=1)  # the first level is the baseline
    model = quietly_fitted(X, y)
    signs = model.summary().separation.signs[0, 1:]
    expected = np.zeros(n_levels + 1)
    expected[np.array(up) - 1], expected[np.array(down) - 1] = 1.0, -1.0
    expected[[2, 7, -1]] = np.nan
    np.testing.assert_array_equal(signs, expected)
    params = model.summary().params.to_numpy()[1:]
    assert np.isposinf(params[[16, 39, 78]]).all() and np.isneginf(params[[20, 54]]).all()
