"""Column means and spreads, over blocks of rows."""

import numpy as np
import pytest

from backpass.data.rows import DenseRows
from backpass.estimators.scaling import measure, sample_stride


@pytest.mark.parametrize("weighted", [False, True])
def test_measure_is_the_weighted_mean_and_deviation(weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) * [1.0, 1e-200, 1e200]
    counts = rng.integers(1, 4, 50)
    repeated = np.repeat(X, counts, axis=0) if weighted else X
    spread = measure(DenseRows(X), counts.astype(float) if weighted else None)
    np.testing.assert_allclose(spread.mean, repeated.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(spread.deviation[0], repeated[:, 0].std(), rtol=1e-12)
    ratios = spread.deviation / (repeated / [1.0, 1e-200, 1e200]).std(axis=0)
    np.testing.assert_allclose(ratios, [1.0, 1e-200, 1e200], rtol=1e-12)


def test_a_small_spread_around_a_large_mean_is_kept():
    X = 1e8 + np.array([[0.0], [1.0], [2.0], [1.0]])
    assert measure(DenseRows(X), None).deviation[0] == pytest.approx(np.sqrt(0.5), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, -7.7e-200])
def test_a_constant_column_has_no_spread(value):
    assert measure(DenseRows(np.full((7, 1), value)), None).deviation[0] == 0.0


def test_blocks_merge_to_the_spread_of_the_whole():
    rng = np.random.default_rng(2)
    X = np.sort(rng.normal(5.0, 2.0, size=(100_000, 1)), axis=0)  # blocks whose means differ
    rows = DenseRows(X)
    assert len(rows.cuts(1)) > 2
    spread = measure(rows, None)
    assert spread.mean[0] == pytest.approx(X.mean(), rel=1e-13)
    assert spread.deviation[0] == pytest.approx(X.std(), rel=1e-12)
    sampled = measure(rows, None, sample_stride(rows))
    assert sample_stride(rows) == 64
    assert sampled.deviation[0] == pytest.approx(X.std(), rel=0.04)
