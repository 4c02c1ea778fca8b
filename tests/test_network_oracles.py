"""Cost, gradient, rows' gradients and Hessian products against values that torch gave.

tests/oracles/make_torch_values.py made them; tests/peers/test_torch.py asks torch again, live.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.oracles.cases import Case, networks

NETWORKS = networks()
STORED = np.load(Path(__file__).parent / "oracles" / "torch_values.npz")


def stored_case(name, net):
    place = list(NETWORKS).index(name)
    inputs = [STORED[f"{place}/{key}"] for key in ("X", "y", "weight", "theta", "v")]
    return Case(name, net, *inputs), place


def close(given, expected, relative):
    """Compare relative to the largest number: entries that cancel carry the others' rounding."""
    np.testing.assert_allclose(
        given, expected, rtol=0.0, atol=relative * np.max(np.abs(expected), initial=1e-300)
    )


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_float64_agrees_with_torch(name, fused):
    case, place = stored_case(name, networks(fused=fused)[name])
    for key, value in case.answers().items():
        close(value, STORED[f"{place}/{key}"], 1e-10)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_float32_agrees_with_torch_to_its_own_precision(name, fused):
    case, place = stored_case(name, networks("float32", fused)[name])
    for key, value in case.answers().items():
        close(value, STORED[f"{place}/{key}"], 2e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_compiled_plan_equals_the_layers_to_rounding(name):
    plain, fused = networks(fused=False)[name], NETWORKS[name]
    case, _ = stored_case(name, fused)
    data = (case.theta, case.X, case.y)
    cost, grad = plain.cost_and_gradient(*data, case.weight)
    close(fused.cost(*data, case.weight), cost, 1e-14)
    for again, value in zip(fused.cost_and_gradient(*data, case.weight), (cost, grad), strict=True):
        close(again, value, 1e-13)
