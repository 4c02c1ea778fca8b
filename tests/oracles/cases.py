"""Small networks that use every layer and loss in many combinations: what the oracles evaluate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.strategies import SILU

import backpass as bp

N_ROWS, N_IN, WIDTH, N_OUT = 3, 3, 3, 3

# What stands between the first Linear(4, 4) and the last Linear(4, n_out), or in front of both.
HIDDEN = {
    "none": lambda: [],
    "relu": lambda: [bp.ReLU()],
    "tanh, twice": lambda: [bp.Tanh(), bp.Linear(WIDTH, WIDTH, bias=False), bp.Tanh()],
    "sigmoid, dropout": lambda: [bp.Sigmoid(), bp.Dropout(0.3)],
    "silu": lambda: [SILU],
    "softmax inside": lambda: [bp.Softmax()],
    "log-softmax inside": lambda: [bp.LogSoftmax()],
    "residual": lambda: [bp.Residual(bp.Linear(WIDTH, WIDTH), bp.ReLU())],
    "nested residual": lambda: [
        bp.Residual(bp.Tanh(), bp.Residual(bp.Linear(WIDTH, WIDTH), bp.Sigmoid())),
    ],
    "residuals from one place": lambda: [
        bp.Residual(bp.Residual(bp.Linear(WIDTH, WIDTH, bias=False), bp.Tanh()), bp.Softmax())
    ],
}
ENDS = {
    "bce": lambda: ([bp.Sigmoid()], bp.BCELoss(), 1),
    "multilabel bce": lambda: ([bp.Sigmoid()], bp.BCELoss(), N_OUT),
    "bce of a softmax": lambda: ([bp.Softmax()], bp.BCELoss(), N_OUT),
    "bce with logits": lambda: ([], bp.BCEWithLogitsLoss(), 2),
    "nll": lambda: ([bp.LogSoftmax()], bp.NLLLoss(), N_OUT),
    "cross-entropy": lambda: ([], bp.CrossEntropyLoss(), N_OUT),
    "smoothed": lambda: ([], bp.CrossEntropyLoss(label_smoothing=0.15), N_OUT),
}


@dataclass(frozen=True)
class Case:
    """A network with a batch, weights, a point θ and a direction v."""

    name: str
    net: bp.Network
    X: NDArray[np.float64]
    y: NDArray
    weight: NDArray[np.float64]
    theta: NDArray[np.float64]
    v: NDArray[np.float64]

    def answers(self) -> dict[str, NDArray[np.float64]]:
        """Return what the engine says: cost, gradient, rows' gradients and H·v."""
        net, data = self.net, (self.theta, self.X, self.y)
        cost, gradient = net.cost_and_gradient(*data, self.weight)
        return {
            "cost": np.array(cost),
            "gradient": gradient,
            "gradients_per_row": net.gradients_per_row(*data),
            "hessian_vector_product": net.hessian_vector_product(*data, self.v, self.weight),
        }


def networks(dtype: str = "float64", fused: bool = True) -> dict[str, bp.Network]:
    """Build every combination of HIDDEN and ENDS, and some that start with a Residual."""
    built = {}
    for hidden, inside in HIDDEN.items():
        for end, ending in ENDS.items():
            last, loss, n_out = ending()
            layers = [bp.Linear(N_IN, WIDTH), *inside(), bp.Linear(WIDTH, n_out), *last]
            built[f"{hidden} | {end}"] = bp.Network(layers, loss, dtype, fused)
    for end in ("nll", "multilabel bce"):
        last, loss, n_out = ENDS[end]()
        first = bp.Residual(bp.Linear(N_IN, N_IN), bp.ReLU())
        layers = [first, bp.Linear(N_IN, n_out), *last]
        built[f"residual at the input | {end}"] = bp.Network(layers, loss, dtype, fused)
    return built


def draw(name: str, net: bp.Network, seed: int) -> Case:
    """Draw data, θ and v for a network; weights include 0, labels are soft where they may be."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_ROWS, N_IN))
    width = net.forward(np.zeros(net.n_parameters), X).shape[1]
    if isinstance(net.loss, bp.BCELoss | bp.BCEWithLogitsLoss):
        y = np.clip(rng.normal(0.5, 0.5, (N_ROWS, width)), 0.0, 1.0)
    else:
        y = rng.integers(0, width, N_ROWS)
    weight = np.array([0.0, 1.0, *rng.uniform(0.5, 2.0, N_ROWS - 2)])
    # θ of moderate size: where probabilities come near 1, 1 - π is not known to ten digits.
    theta, v = 0.7 * rng.normal(size=net.n_parameters), rng.normal(size=net.n_parameters)
    return Case(name, net, X, y, weight, theta, v)
