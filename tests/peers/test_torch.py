"""torch, live, on fresh data: every layer and loss, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
from tests.oracles.cases import draw, networks

import backpass as bp

pytestmark = pytest.mark.peers
NETWORKS = networks()


@pytest.mark.parametrize("seed", [1000, 2000])
@pytest.mark.parametrize("name", NETWORKS)
def test_cost_gradient_rows_and_hessian_products(name, seed):
    from tests.oracles.torch_twin import answers

    case = draw(name, NETWORKS[name], seed)
    expected = answers(case)
    for key, value in case.answers().items():
        scale = np.max(np.abs(expected[key]), initial=1e-300)
        np.testing.assert_allclose(value, expected[key], rtol=0.0, atol=1e-10 * scale)


def test_parameters_load_into_a_sequential_and_come_back():
    import torch
    from torch import nn

    class Around(nn.Sequential):  # what bp.Residual is
        def forward(self, x):
            return x + super().forward(x)

    theirs = nn.Sequential(
        nn.Linear(4, 5),
        nn.ReLU(),
        Around(nn.Linear(5, 5, bias=False), nn.Tanh()),
        nn.Linear(5, 3),
        nn.LogSoftmax(dim=1),
    ).double()
    ours = bp.Network(
        [
            bp.Linear(4, 5),
            bp.ReLU(),
            bp.Residual(bp.Linear(5, 5, bias=False), bp.Tanh()),
            bp.Linear(5, 3),
            bp.LogSoftmax(),
        ],
        bp.NLLLoss(),
    )
    theta = ours.init(seed=4)
    state = {name: torch.tensor(value) for name, value in ours.parameters(theta).items()}
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict(state)  # strict: every key is there, with its shape
    X = np.random.default_rng(5).normal(size=(7, 4))
    z = theirs(torch.tensor(X))
    np.testing.assert_allclose(ours.forward(theta, X), z.detach().numpy(), rtol=0, atol=1e-12)
    with torch.no_grad():
        for value in theirs.parameters():
            value.mul_(1.5)
    back = ours.flatten({name: value.numpy() for name, value in theirs.state_dict().items()})
    np.testing.assert_array_equal(back, 1.5 * theta)
