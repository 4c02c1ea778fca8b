"""The elastic net: values, gradient, shrinking and conjugate agree with each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backpass as bp
from backpass.penalties import ElasticNet, weights_only

SCALE = np.array([1.0, 0.0, 2.0, 0.5])
strengths = st.floats(0.0, 10.0)
vectors = st.lists(st.floats(-10.0, 10.0), min_size=4, max_size=4).map(np.array)


def test_value_is_the_formula_and_free_places_are_free():
    penalty = ElasticNet(SCALE, l2=3.0, l1=2.0)
    theta = np.array([1.0, 100.0, -2.0, 4.0])
    assert penalty.value(theta) == 2.0 * (1 + 4 + 2) + 1.5 * (1 + 16 + 4)


@given(vectors, strengths)
def test_curvature_times_theta_is_the_gradient(theta, l2):
    penalty = ElasticNet(SCALE, l2=l2)
    step = 1e-4
    for j in range(4):
        move = step * np.eye(4)[j]
        slope = (penalty.value(theta + move) - penalty.value(theta - move)) / (2 * step)
        assert slope == pytest.approx(penalty.smooth_curvature()[j] * theta[j], abs=1e-6)


def test_no_strength_means_no_curvature_whatever_the_scale():
    assert not ElasticNet(np.array([1e200, 1.0])).smooth_curvature().any()


@given(vectors, st.floats(0.01, 5.0), vectors)
def test_shrink_minimises(theta, l1, other):
    penalty = ElasticNet(SCALE, l1=l1)

    def model(point):
        return 0.5 * np.sum((point - theta) ** 2) + 0.7 * penalty.value(point)

    shrunk = penalty.shrink(theta, 0.7)
    assert model(shrunk) <= model(other) + 1e-12
    assert shrunk[1] == theta[1]


@given(vectors, vectors, st.floats(0.01, 5.0), strengths)
def test_conjugate_bounds_the_product(theta, pull, l2, l1):
    """Young's inequality, Ω(θ) + Ω*(v) >= ⟨v, θ⟩, over the places that are penalised."""
    penalty = ElasticNet(SCALE, l2=l2, l1=l1)
    chosen = SCALE > 0
    product = float(pull[chosen] @ theta[chosen])
    assert penalty.value(theta) + penalty.conjugate(pull) >= product - 1e-9


def test_conjugate_is_reached():
    penalty = ElasticNet(SCALE, l2=2.0, l1=1.0)
    pull = np.array([3.0, 0.0, -7.0, 0.2])
    best = np.zeros(4)
    for j in (0, 2, 3):
        slope = max(abs(pull[j]) / SCALE[j] - 1.0, 0.0)
        best[j] = np.sign(pull[j]) * slope / 2.0 / SCALE[j]
    reached = float(pull @ best) - penalty.value(best)
    assert penalty.conjugate(pull) == pytest.approx(reached, rel=1e-14)


def test_conjugate_without_l2_is_zero_or_infinite():
    penalty = ElasticNet(SCALE, l1=1.0)
    assert penalty.conjugate(np.array([1.0, 9.0, -2.0, 0.5])) == 0.0
    assert penalty.conjugate(np.array([1.0, 9.0, -2.1, 0.5])) == np.inf


@pytest.mark.parametrize("strength", [-1.0, np.inf, np.nan])
def test_impossible_strengths_are_refused(strength):
    with pytest.raises(ValueError, match=r"l2 is .*finite and not negative"):
        ElasticNet(SCALE, l2=strength)


def test_weights_only_leaves_biases_free():
    net = bp.Network([bp.Linear(2, 3), bp.ReLU(), bp.Linear(3, 1)], loss=bp.BCEWithLogitsLoss())
    scale = weights_only(net.layout)
    named = net.parameters(scale)
    assert all((named[name] == float(name.endswith("weight"))).all() for name in named)
