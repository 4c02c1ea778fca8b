"""Every loss of the package, found by walking it, is held to one contract."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import (
    EVERY_LOSS,
    LOSS_CLASSES,
    LOSSES,
    identity,
    labels,
    outputs,
    row_counts,
    seeds,
)

import backpass as bp
from backpass.check.differences import derivative

every_loss = pytest.mark.parametrize("loss", EVERY_LOSS, ids=identity)
widths = st.integers(2, 5)


def run(loss, rng, n_rows, width, dtype="float64"):
    """Draw outputs and labels and call value and delta there, over nan."""
    z = outputs(loss, n_rows, width, rng).astype(dtype)
    y = loss.targets(labels(loss, n_rows, width, rng), n_rows, width, np.dtype(dtype))
    return z, y, value_of(loss, z, y), delta_of(loss, z, y)


def value_of(loss, z, y):
    out = np.full(len(z), np.nan, z.dtype)
    loss.value(z, y, out)
    return out


def delta_of(loss, z, y):
    out = np.full_like(z, np.nan)
    loss.delta(z, y, out)
    return out


def test_every_loss_of_the_package_has_an_example():
    assert set(LOSS_CLASSES) == set(LOSSES)
    assert {cls.__name__ for cls in LOSS_CLASSES} == set(bp.losses.__all__) - {"Loss"}


@every_loss
@given(seed=seeds, n_rows=row_counts, width=widths)
def test_outputs_are_overwritten_and_inputs_kept(loss, seed, n_rows, width):
    rng = np.random.default_rng(seed)
    z, y, value, delta = run(loss, rng, n_rows, width)
    kept = z.copy(), y.copy()
    dot_z, dot_delta = rng.normal(size=z.shape), np.full_like(z, np.nan)
    value_of(loss, z, y), delta_of(loss, z, y)
    loss.tangent(z, y, dot_z, dot_delta)
    np.testing.assert_equal((z, y), kept)
    for array in (value, delta, dot_delta):
        assert np.isfinite(array).all()


@every_loss
@given(seed=seeds, width=widths)
def test_delta_is_the_derivative_of_value(loss, seed, width):
    z, y, _, delta = run(loss, np.random.default_rng(seed), 5, width)
    for unit in range(width):
        step = np.eye(width)[unit]
        seen = derivative(lambda t, step=step: value_of(loss, z + t * step, y)[:, None], 0.01)
        error = np.abs(seen.value[:, 0] - delta[:, unit])
        assert (error <= 1e-8 * np.abs(delta[:, unit]) + 20 * seen.error[:, 0]).all()


@every_loss
@given(seed=seeds, width=widths)
def test_tangent_is_the_derivative_of_delta(loss, seed, width):
    rng = np.random.default_rng(seed)
    z, y, *_ = run(loss, rng, 5, width)
    dot_z, given_tangent = rng.normal(size=z.shape), np.full_like(z, np.nan)
    loss.tangent(z, y, dot_z, given_tangent)
    seen = derivative(lambda t: delta_of(loss, z + t * dot_z, y), 0.01)
    assert (
        np.abs(seen.value - given_tangent) <= 1e-8 * np.abs(given_tangent) + 20 * seen.error
    ).all()


@every_loss
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(seed=seeds, n_rows=row_counts, width=widths)
def test_a_block_equals_its_rows_one_by_one(loss, dtype, seed, n_rows, width):
    z, y, value, delta = run(loss, np.random.default_rng(seed), n_rows, width, dtype)
    eps = np.finfo(dtype).eps
    for row in range(n_rows):
        one = slice(row, row + 1)
        own_value, own_delta = value_of(loss, z[one], y[one]), delta_of(loss, z[one], y[one])
        np.testing.assert_allclose(own_value, value[one], rtol=4 * width * eps, atol=eps)
        np.testing.assert_allclose(own_delta, delta[one], rtol=4 * width * eps, atol=eps)


@pytest.mark.parametrize(
    "loss", [x for x in EVERY_LOSS if not isinstance(x, bp.BCELoss)], ids=identity
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logits_of_ten_thousand_give_finite_values_and_deltas(loss, dtype):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4] * 3, [-1e4] * 3], dtype)
    y = loss.targets(labels(loss, 4, 3, np.random.default_rng(0)), 4, 3, np.dtype(dtype))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, delta = value_of(loss, z, y), delta_of(loss, z, y)
    assert np.isfinite(value).all()
    assert np.isfinite(delta).all()


def test_bce_of_certain_probabilities_is_zero_where_they_are_right():
    """0 · log 0 counts as 0, as γ^0 does in the likelihood."""
    loss, z = bp.BCELoss(), np.array([[0.0, 1.0]])
    y = loss.targets([[0, 1]], 1, 2, np.dtype("float64"))
    assert value_of(loss, z, y) == 0.0
    np.testing.assert_array_equal(delta_of(loss, z, y), [[1.0, -1.0]])


@every_loss
def test_losses_are_frozen_comparable_and_survive_pickle_and_deepcopy(loss):
    for copied in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert copied == loss
    with pytest.raises((AttributeError, TypeError)):
        loss.anything = 1


@pytest.mark.parametrize("smoothing", [-0.1, 1.5, float("nan")])
def test_label_smoothing_outside_its_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing must be between 0 and 1"):
        bp.CrossEntropyLoss(label_smoothing=smoothing)
