"""Adam: the compiled twin against its definition, and the definition against the formula."""

import numpy as np
import pytest

from backpass.kernels.adam import fused_adam_step
from backpass.solvers.adam import Adam, adam_step


@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_twin_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=101), rng.normal(size=101), rng.normal(size=101), rng.random(101)]
    start[1][:5] = 0.0
    one, two = ([array.copy() for array in start] for _ in range(2))
    adam_step(*one, 0.01, 0.9, 0.999, 1e-8)
    fused_adam_step(*two, 0.01, 0.9, 0.999, 1e-8)
    for by_definition, compiled in zip(one, two, strict=True):
        np.testing.assert_allclose(compiled, by_definition, rtol=4e-16, atol=1e-18)


def test_the_first_step_is_the_learning_rate_towards_lower_cost():
    rule = Adam(learning_rate=0.1, epsilon=1e-300)
    theta, grad = np.zeros(3), np.array([5.0, -1e-3, 2.0])
    rule.step(theta, grad, rule.start(3))
    np.testing.assert_allclose(theta, [-0.1, 0.1, -0.1], rtol=1e-14)


def test_a_saved_state_goes_on_with_the_same_bits():
    rng = np.random.default_rng(0)
    grads = rng.normal(size=(6, 4))
    rule = Adam()
    theta, state = np.zeros(4), rule.start(4)
    for grad in grads[:3]:
        rule.step(theta, grad, state)
    other, saved = theta.copy(), {name: array.copy() for name, array in state.items()}
    for grad in grads[3:]:
        rule.step(theta, grad, state)
        rule.step(other, grad, saved)
    np.testing.assert_array_equal(theta, other)
