"""What single layers promise besides the contract that all of them keep."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.strategies import SILU, forward

import backpass as bp


def test_the_derivative_of_relu_at_zero_is_zero_as_in_the_note():
    z_in = np.array([[-1.0, 0.0, -0.0, 2.0]])
    delta_in = np.empty_like(z_in)
    bp.ReLU().backward({}, z_in, forward(bp.ReLU(), {}, z_in), np.ones_like(z_in), delta_in)
    assert delta_in.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_relu_and_tanh_hand_nan_on():
    """A rectifier that makes 0 of nan would hide where it came from."""
    for layer in (bp.ReLU(), bp.Tanh(), bp.Sigmoid()):
        assert np.isnan(forward(layer, {}, np.array([[np.nan]]))).all()


def test_the_bias_is_the_weight_of_an_input_that_is_always_one():
    """Eq. 1 of the note: ⟨w, x⟩ + b is ⟨θ, x⟩ with θ = [b, w] and x = [1, x]."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    with_bias = bp.Network([bp.Linear(3, 2)], bp.CrossEntropyLoss())
    trick = bp.Network([bp.Linear(4, 2, bias=False)], bp.CrossEntropyLoss())
    theta = rng.normal(size=with_bias.n_parameters)
    named = with_bias.parameters(theta)
    stacked = np.hstack([named["0.bias"][:, None], named["0.weight"]])
    ones = np.hstack([np.ones((20, 1)), X])
    cost, grad = with_bias.cost_and_gradient(theta, X, y)
    trick_cost, trick_grad = trick.cost_and_gradient(stacked.ravel(), ones, y)
    assert trick_cost == pytest.approx(cost, rel=1e-13)
    blocks = trick_grad.reshape(2, 4)
    named_grad = with_bias.parameters(grad)
    np.testing.assert_allclose(blocks[:, 0], named_grad["0.bias"], rtol=0, atol=1e-13)
    np.testing.assert_allclose(blocks[:, 1:], named_grad["0.weight"], rtol=0, atol=1e-13)


@pytest.mark.parametrize("z", [40.0, 300.0, 700.0])
def test_sigmoid_keeps_the_relative_precision_of_its_tails(z):
    layer, z_in = bp.Sigmoid(), np.array([[z, -z]])
    z_out, delta_in = forward(layer, {}, z_in), np.empty_like(z_in)
    layer.backward({}, z_in, z_out, np.ones_like(z_in), delta_in)
    tail = np.exp(-z)
    np.testing.assert_allclose(z_out, [[1.0, tail]], rtol=1e-15)
    np.testing.assert_allclose(delta_in, [[tail, tail]], rtol=1e-15)


def test_log_softmax_keeps_a_nearly_certain_class():
    z_out = forward(bp.LogSoftmax(), {}, np.array([[50.0, 0.0]]))
    np.testing.assert_allclose(z_out, [[-np.exp(-50.0), -50.0]], rtol=1e-15)


def test_residuals_compare_and_survive_pickle():
    one = bp.Residual(bp.Linear(3, 3), bp.Residual(bp.Tanh(), SILU))
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert hash(again) == hash(one)
    assert one != bp.Residual(bp.Linear(3, 3))
    assert repr(bp.Residual(bp.ReLU())) == "Residual(ReLU())"


def test_a_layer_that_is_no_dataclass_is_shown_by_its_name():
    class Same(bp.Layer):
        def forward(self, params, z_in, z_out):
            z_out[...] = z_in

        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_in[...] = delta_out

    assert repr(Same()) == "Same()"
