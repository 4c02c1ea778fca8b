"""The judge knows its own error: where differences see a derivative, how well, and where not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import seeds

from backpass.check.differences import derivative


@given(seed=seeds, scale=st.floats(-3.0, 3.0), size=st.floats(-6.0, 6.0))
def test_the_error_is_honest_and_small_on_smooth_functions(seed, scale, size):
    rng = np.random.default_rng(seed)
    a, b, c = (
        10.0**scale * rng.normal(size=20),
        rng.normal(size=20),
        10.0**size * rng.normal(size=20),
    )
    exact = c * a / np.cosh(b) ** 2
    seen = derivative(lambda t: c * np.tanh(a * t + b))
    assert not seen.kinked.any()
    assert seen.resolved.mean() > 0.9
    off = np.abs(seen.value - exact)
    assert (off <= 20 * seen.error + 1e-12 * np.abs(exact).max()).all()
    large = np.abs(exact) > 1e-2 * np.abs(exact).max()
    assert (off[large] <= 1e-6 * np.abs(exact[large])).all()


@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-4, 1e-6])
def test_a_kink_beside_the_point_is_passed_by(distance):
    seen = derivative(lambda t: np.maximum(np.array([distance, -distance]) + t, 0.0))
    np.testing.assert_allclose(seen.value, [1.0, 0.0], atol=1e-8)
    assert seen.resolved.all()


def test_a_kink_at_the_point_is_recognised_and_both_slopes_given():
    x = np.zeros(1)
    for f, left, right in [
        (lambda t: np.maximum(x + t, 0.0), 0.0, 1.0),
        (lambda t: np.abs(x + t), -1.0, 1.0),  # central differences agree on 0 at every step
        (lambda t: np.where(x + t > 0, np.exp(x + t), 1 + 3 * np.sin(x + t)), 3.0, 1.0),
    ]:
        seen = derivative(f)
        assert seen.kinked.all()
        assert not seen.resolved.any()
        assert seen.left[0] == pytest.approx(left, abs=1e-6)
        assert seen.right[0] == pytest.approx(right, abs=1e-6)


def test_a_jump_or_a_cusp_is_given_up():
    for f in (lambda t: np.array([t >= 0.0]) * 1.0, lambda t: np.array([np.sqrt(abs(t))])):
        seen = derivative(f)
        assert seen.lost.all()
        assert not seen.resolved.any()


def test_a_wave_seen_once_a_period_does_not_deceive():
    """At steps of 1/4 and 1/8 the slopes of sin(50 t) agree on nearly nothing."""
    seen = derivative(lambda t: np.sin(50.0 * t + np.array([0.0, 0.01])))
    np.testing.assert_allclose(seen.value, 50.0 * np.cos([0.0, 0.01]), rtol=1e-8)


def test_the_border_of_a_domain_may_be_near():
    with np.errstate(invalid="ignore"):
        seen = derivative(lambda t: np.log(np.array([1.0, 1e-3, 1e-5]) + t))
    np.testing.assert_allclose(seen.value, [1.0, 1e3, 1e5], rtol=1e-6)
    assert seen.resolved.all()


def test_rounding_is_accounted_for():
    """1 is added and lost again: the slope 1e-9 drowns, and the error says so."""
    seen = derivative(lambda t: np.array([(1.0 + 1e-9 * t) - 1.0]), size=1.0)
    assert abs(seen.value[0] - 1e-9) <= 20 * seen.error[0]
    assert seen.error[0] >= 1e-15


def test_units_of_the_argument():
    seen = derivative(lambda t: np.array([3.0 * (1e6 * t)]))
    np.testing.assert_allclose(seen.per(np.array([1e6])).value, [3.0], rtol=1e-9)
