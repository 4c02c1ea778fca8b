"""Dropout masks: pure functions of their place, with the right shares, and no visible pattern."""

import numpy as np
import pytest

from backpass.masks import dropout_mask

ROWS = np.arange(2000)


def mask(seed=1, layer=2, epoch=3, rows=ROWS, width=50, p=0.3, dtype=np.float64):
    return dropout_mask(seed, layer, epoch, rows, width, p, dtype)


def test_a_row_has_the_same_mask_wherever_it_stands():
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(mask(rows=order), mask()[order])
    np.testing.assert_array_equal(mask(rows=np.array([17])), mask()[17:18])


def test_a_unit_has_the_same_mask_in_a_narrower_layer():
    np.testing.assert_array_equal(mask(width=20), mask()[:, :20])


@pytest.mark.parametrize("change", [{"seed": 2}, {"layer": 3}, {"epoch": 4}])
def test_everything_it_depends_on_matters(change):
    agree = np.mean((mask() > 0) == (mask(**change) > 0))
    expected = 0.7**2 + 0.3**2  # two independent masks
    assert abs(agree - expected) < 5 * np.sqrt(expected * (1 - expected) / 1e5)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_shares_by_all_rows_and_units(p):
    kept = mask(p=p) > 0
    error = np.sqrt(p * (1 - p))
    assert abs(kept.mean() - (1 - p)) < 5 * error / np.sqrt(kept.size)
    assert abs(kept.mean(axis=0) - (1 - p)).max() < 5 * error / np.sqrt(2000)
    assert abs(kept.mean(axis=1) - (1 - p)).max() < 6 * error / np.sqrt(50)


def test_neighbours_are_independent():
    kept = (mask(p=0.5) > 0) - 0.5
    for one, other in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1])):
        correlation = 4 * np.mean(one * other)
        assert abs(correlation) < 5 / np.sqrt(one.size)


def test_kept_values_are_scaled_so_that_the_mean_stays():
    values = np.unique(mask(p=0.25, dtype=np.float32))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.float32([0.0, 1 / 0.75]))
