"""Every layer of the package, found by walking it, is held to one contract."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from tests.strategies import (
    EVERY_LAYER,
    LAYER_CLASSES,
    LAYERS,
    SILU_FIRST_ORDER,
    forward,
    identity,
    parameters,
    row_counts,
    seeds,
)

import backpass as bp

every_layer = pytest.mark.parametrize("layer", EVERY_LAYER, ids=identity)
EPS = np.finfo(np.float64).eps


def run(layer, rng, n_rows, dtype="float64"):
    """Draw a point and call the three methods there, every output full of nan before."""
    params = parameters(layer, rng, dtype)
    z_in = rng.normal(size=(n_rows, 4)).astype(dtype)
    z_out = forward(layer, params, z_in)
    delta_out = rng.normal(size=z_out.shape).astype(dtype)
    delta_in = np.full_like(z_in, np.nan)
    layer.backward(params, z_in, z_out, delta_out, delta_in)
    grad = {name: np.full_like(value, np.nan) for name, value in params.items()}
    if params:
        layer.gradient(params, z_in, z_out, delta_out, grad)
    return params, z_in, z_out, delta_out, delta_in, grad


def test_every_layer_of_the_package_has_an_example():
    assert set(LAYER_CLASSES) == set(LAYERS)
    assert {cls.__name__ for cls in LAYER_CLASSES} == set(bp.layers.__all__) - {"Layer", "Residual"}


@every_layer
@given(seed=seeds, n_rows=row_counts)
def test_outputs_are_fully_overwritten(layer, seed, n_rows):
    *_, z_out, _, delta_in, grad = run(layer, np.random.default_rng(seed), n_rows)
    for array in (z_out, delta_in, *grad.values()):
        assert np.isfinite(array).all()


@every_layer
@given(seed=seeds, n_rows=row_counts)
def test_inputs_are_not_changed(layer, seed, n_rows):
    params, z_in, z_out, delta_out, *_ = run(layer, np.random.default_rng(seed), n_rows)
    inputs = (params, z_in, z_out, delta_out)
    kept = copy.deepcopy(inputs)
    layer.forward(params, z_in, np.empty_like(z_out))
    layer.backward(params, z_in, z_out, delta_out, np.empty_like(z_in))
    if params:
        grad = {name: np.empty_like(value) for name, value in params.items()}
        layer.gradient(params, z_in, z_out, delta_out, grad)
    np.testing.assert_equal(inputs, kept)


@pytest.mark.parametrize("layer", [x for x in EVERY_LAYER if x != SILU_FIRST_ORDER], ids=identity)
@given(seed=seeds, n_rows=row_counts)
def test_backward_is_the_adjoint_of_the_tangent(layer, seed, n_rows):
    """⟨δ, J v⟩ = ⟨Jᵀδ, v⟩, parameters included, to rounding."""
    rng = np.random.default_rng(seed)
    params, z_in, z_out, delta_out, delta_in, grad = run(layer, rng, n_rows)
    dot_params, dot_z_in = parameters(layer, rng), rng.normal(size=z_in.shape)
    dot_z_out = np.full_like(z_out, np.nan)
    layer.tangent(params, dot_params, z_in, z_out, dot_z_in, dot_z_out)
    forth = (delta_out * dot_z_out).sum()
    back = (delta_in * dot_z_in).sum()
    back += sum((grad[name] * dot_params[name]).sum() for name in grad)
    terms = np.abs(delta_out * dot_z_out).sum() + np.abs(delta_in * dot_z_in).sum()
    terms += sum(np.abs(grad[name] * dot_params[name]).sum() for name in grad)
    assert abs(forth - back) <= 64 * EPS * terms


@every_layer
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(seed=seeds, n_rows=row_counts)
def test_a_block_equals_its_rows_one_by_one(layer, dtype, seed, n_rows):
    params, z_in, z_out, delta_out, delta_in, grad = run(
        layer, np.random.default_rng(seed), n_rows, dtype
    )
    eps, sums = np.finfo(dtype).eps, {name: np.zeros(v.shape) for name, v in params.items()}
    for row in range(n_rows):
        one = slice(row, row + 1)
        alone = forward(layer, params, z_in[one])
        close(alone, z_out[one], 4 * eps * z_in.shape[1] * 4.0)
        back = np.full_like(z_in[one], np.nan)
        layer.backward(params, z_in[one], z_out[one], delta_out[one], back)
        close(back, delta_in[one], 4 * eps * delta_out.shape[1] * 4.0)
        own = {name: np.full_like(value, np.nan) for name, value in params.items()}
        if params:
            layer.gradient(params, z_in[one], z_out[one], delta_out[one], own)
        for name, value in own.items():
            sums[name] += value
    for name, value in sums.items():
        close(value, grad[name], 4 * eps * max(n_rows, 1) * 8.0)


def close(given, expected, atol):
    """Compare within rounding, for numbers of the size of a few."""
    np.testing.assert_allclose(given, expected, rtol=0.0, atol=atol)


@pytest.mark.parametrize("layer", [x for x in EVERY_LAYER if x.shapes()], ids=identity)
@given(seed=seeds, n_rows=row_counts)
def test_gradient_per_row_is_the_gradient_of_each_row(layer, seed, n_rows):
    params, z_in, z_out, delta_out, *_ = run(layer, np.random.default_rng(seed), n_rows)
    rows = {name: np.full((n_rows, *value.shape), np.nan) for name, value in params.items()}
    layer.gradient_per_row(params, z_in, z_out, delta_out, rows)
    for row in range(n_rows):
        one = slice(row, row + 1)
        own = {name: np.empty_like(value) for name, value in params.items()}
        layer.gradient(params, z_in[one], z_out[one], delta_out[one], own)
        for name, value in own.items():
            np.testing.assert_allclose(rows[name][row], value, rtol=1e-14)


# The functions of the Elementwise examples overflow by themselves; what they do is the user's.
@pytest.mark.parametrize(
    "layer", [x for x in EVERY_LAYER if not isinstance(x, bp.Elementwise)], ids=identity
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logits_of_ten_thousand_give_finite_values_and_deltas(layer, dtype):
    params = parameters(layer, np.random.default_rng(0), dtype)
    z_in = np.array([[1e4, -1e4, 0.0, 1e4], [-1e4] * 4, [1e4] * 4], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        z_out = forward(layer, params, z_in)
        delta_in = np.full_like(z_in, np.nan)
        layer.backward(params, z_in, z_out, np.ones_like(z_out), delta_in)
    assert np.isfinite(z_out).all()
    assert np.isfinite(delta_in).all()


@every_layer
def test_layers_are_frozen_comparable_and_survive_pickle_and_deepcopy(layer):
    for copied in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert copied == layer
        assert hash(copied) == hash(layer)
    with pytest.raises((AttributeError, TypeError)):
        layer.anything = 1
    assert not any(isinstance(value, np.ndarray) for value in vars(layer).values())


@every_layer
def test_check_layer_passes(layer):
    bp.check_layer(layer, 4)
