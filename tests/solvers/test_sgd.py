"""SGD: both forms of momentum, and the three schedules."""

import numpy as np
import pytest

from backpass.solvers.sgd import SGD


@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_are_the_formula(nesterov):
    rule = SGD(learning_rate=0.1, momentum=0.8, nesterov=nesterov)
    theta, state, velocity, expected = np.zeros(3), rule.start(3), np.zeros(3), np.zeros(3)
    for grad in np.random.default_rng(0).normal(size=(5, 3)):
        rule.step(theta, grad, state)
        velocity = 0.8 * velocity - 0.1 * grad
        expected = expected + (0.8 * velocity - 0.1 * grad if nesterov else velocity)
    np.testing.assert_allclose(theta, expected, rtol=1e-14)


def test_invscaling_lowers_the_rate_with_rows_seen():
    rule = SGD(learning_rate=0.2, schedule="invscaling", power_t=0.25)
    state = rule.start(1)
    rule.end_epoch(state, 80)
    assert rule.current_rate(state) == pytest.approx(0.2 / 81**0.25, rel=1e-15)
    assert not rule.slow_down(state)


def test_adaptive_takes_a_fifth_until_it_is_small():
    rule = SGD(learning_rate=1e-3, schedule="adaptive")
    state = rule.start(1)
    rates = []
    while rule.slow_down(state):
        rates.append(rule.current_rate(state))
    np.testing.assert_allclose(rates, 1e-3 / 5.0 ** np.arange(1, len(rates) + 1), rtol=1e-14)
    assert rates[-1] <= 1e-6 < rates[-2]


def test_a_constant_rate_stays():
    rule = SGD(learning_rate=0.3)
    state = rule.start(1)
    rule.end_epoch(state, 1000)
    assert not rule.slow_down(state)
    assert rule.current_rate(state) == 0.3
