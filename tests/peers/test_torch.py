"""torch, live, on fresh data: every layer and loss, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
from tests.oracles.cases import draw, networks

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
