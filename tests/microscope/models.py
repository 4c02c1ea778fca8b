"""Traces that the tests of the microscope look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import backpass as bp


def figure_1() -> bp.Network:
    """The note's own network: Linear → log-softmax → NLL, two classes."""
    return bp.Network([bp.Linear(2, 2), bp.LogSoftmax()], bp.NLLLoss())


def figure_1_trace(n_rows=40):
    """A trace of it on two clouds; row 0 has round numbers."""
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % 2
    X = rng.normal(size=(n_rows, 2)) + np.where(y[:, None] == 0, [1.0, -0.5], [-0.6, 0.8])
    X[0] = [0.3, 0.7]
    net = figure_1()
    theta = net.flatten({"0.weight": [[1.0, -1.0], [0.5, 2.0]], "0.bias": [0.0, 0.1]})
    return net.trace(theta, X, y)


def residual_trace(dtype="float64"):
    """A way around a hidden layer, ended by one output."""
    net = bp.Network(
        [
            bp.Linear(2, 3),
            bp.Residual(bp.Linear(3, 3), bp.Tanh()),
            bp.Linear(3, 1),
            bp.Sigmoid(),
        ],
        bp.BCELoss(),
        dtype=dtype,
    )
    X = np.random.default_rng(1).normal(size=(6, 2))
    return net.trace(net.init(seed=3), X, [0, 1, 1, 0, 1, 0])


def overflowing_trace():
    """A joint pair whose halves overflow: label 0 at logit 900."""
    net = bp.Network([bp.Linear(2, 1), bp.Sigmoid()], bp.BCELoss())
    return net.trace([900.0, 0.0, 0.0], [[1.0, 0.0], [0.5, 1.0]], [0, 1])


def wide_trace(n_rows=300):
    """784 → 128 → 10, as for images of 28 × 28."""
    net = bp.Network([bp.Linear(784, 128), bp.ReLU(), bp.Linear(128, 10)], bp.CrossEntropyLoss())
    rng = np.random.default_rng(2)
    return net.trace(net.init(seed=0), rng.random((n_rows, 784)), rng.integers(0, 10, n_rows))


@dataclass(frozen=True)
class Scale(bp.Layer):
    """A factor for each value: z_out = scale · z_in, a layer of a user's own."""

    width: int

    def shapes(self):
        return {"scale": (self.width,)}

    def forward(self, params, z_in, z_out):
        np.multiply(z_in, params["scale"], out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, params["scale"], out=delta_in)

    def gradient(self, params, z_in, z_out, delta_out, grad):
        np.add.reduce(delta_out * z_in, axis=0, out=grad["scale"])


def own_layer_trace():
    """A network with a layer that the microscope has no rule for."""
    net = bp.Network([bp.Linear(2, 3), Scale(3)], bp.CrossEntropyLoss())
    rng = np.random.default_rng(4)
    return net.trace(rng.normal(size=net.n_parameters), rng.normal(size=(5, 2)), [0, 1, 2, 1, 0])
