"""Column means and spreads, and the way between a solver's coefficients and the given ones."""

import numpy as np
import pytest

from backpass.estimators.scaling import Scaling, measure


@pytest.mark.parametrize("weighted", [False, True])
def test_measure_is_the_weighted_mean_and_deviation(weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) * [1.0, 1e-200, 1e200]
    counts = rng.integers(1, 4, 50)
    repeated = np.repeat(X, counts, axis=0) if weighted else X
    spread = measure(X, counts.astype(float) if weighted else None)
    np.testing.assert_allclose(spread.mean, repeated.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(spread.deviation[0], repeated[:, 0].std(), rtol=1e-12)
    ratios = spread.deviation / (repeated / [1.0, 1e-200, 1e200]).std(axis=0)
    np.testing.assert_allclose(ratios, [1.0, 1e-200, 1e200], rtol=1e-12)


def test_a_small_spread_around_a_large_mean_is_kept():
    X = 1e8 + np.array([[0.0], [1.0], [2.0], [1.0]])
    assert measure(X, None).deviation[0] == pytest.approx(np.sqrt(0.5), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, -7.7e-200])
def test_a_constant_column_has_no_spread(value):
    assert measure(np.full((7, 1), value), None).deviation[0] == 0.0


def test_coefficients_go_both_ways_and_logits_stay():
    rng = np.random.default_rng(1)
    X, weight, bias = rng.normal(size=(6, 3)), rng.normal(size=(2, 3)), rng.normal(size=2)
    scaling = Scaling(rng.normal(size=3), rng.uniform(0.1, 9.0, 3))
    rows = X.copy()
    scaling.apply(rows)
    given, given_bias = scaling.given(weight, bias)
    np.testing.assert_allclose(X @ given.T + given_bias, rows @ weight.T + bias, rtol=1e-12)
    back, back_bias = scaling.solvers(given, given_bias)
    np.testing.assert_allclose(back, weight, rtol=1e-14)
    np.testing.assert_allclose(back_bias, bias, rtol=1e-12, atol=1e-14)
