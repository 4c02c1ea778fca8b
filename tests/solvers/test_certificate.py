"""Bounds on the gap: never below the true gap, and small where the fit is good.

The minimum is computed in 40 digits, so that "never" is not a matter of rounding.
"""

import mpmath as mp
import numpy as np
import pytest
from tests.solvers.problems import linear_problem

from backpass.factor import Factor
from backpass.objective import LinearObjective
from backpass.penalties import ElasticNet
from backpass.solvers.certificate import duality_gap, self_concordance_gap

mp.mp.dps = 40


def exact_value(objective: LinearObjective, theta):
    """Return the objective at θ in 40 digits."""
    linear, k, d = objective.linear, objective.linear.n_out, objective.linear.n_in
    weight = objective.sample_weight
    total = mp.mpf(0)
    for i, row in enumerate(objective.X):
        x = [mp.mpf(float(v)) for v in row]
        logits = [
            mp.fdot(theta[a * d : (a + 1) * d], x) + (theta[k * d + a] if linear.bias else 0)
            for a in range(k)
        ]
        logits = [mp.mpf(0), *logits] if k == 1 else logits
        loss = mp.log(mp.fsum(mp.exp(z) for z in logits)) - logits[int(objective.y[i])]
        total += loss * (1 if weight is None else mp.mpf(float(weight[i])))
    penalty = objective.penalty
    for a, t in zip(penalty.scale, theta, strict=True):
        scaled = mp.mpf(float(a)) * t
        total += penalty.l1 * abs(scaled) + mp.mpf(float(penalty.l2)) / 2 * scaled**2
    return total


def minimiser(objective: LinearObjective):
    """Return a θ in 40 digits whose objective is within about 1e-25 of the minimum: smooth only.

    Newton steps whose curvature is in float64 shrink a gradient in 40 digits by 1e-8 or so each.
    """
    theta = np.zeros(objective.n_parameters)
    for _ in range(40):
        _, grad = objective.smooth_value_and_gradient(theta)
        step = Factor(objective.curvature(theta)).solve(grad)
        size = 1.0 / max(1.0, float(np.abs(step).max()))
        theta = theta - size * step
    exact = [mp.mpf(float(t)) for t in theta]
    factor = Factor(objective.curvature(theta))
    for _ in range(3):
        grad = np.array([float(g) for g in exact_gradient(objective, exact)])
        exact = [t - mp.mpf(float(s)) for t, s in zip(exact, factor.solve(grad), strict=True)]
    assert max(abs(g) for g in exact_gradient(objective, exact)) < mp.mpf("1e-14")
    return exact


def exact_gradient(objective, theta):
    k, d = objective.linear.n_out, objective.linear.n_in
    grad = [mp.mpf(float(c)) * t for c, t in zip(objective.penalty.smooth_curvature(), theta,
                                                 strict=True)]  # fmt: skip
    for i, row in enumerate(objective.X):
        x = [mp.mpf(float(v)) for v in row]
        z = [mp.fdot(theta[a * d : (a + 1) * d], x) + theta[k * d + a] for a in range(k)]
        z = [mp.mpf(0), *z] if k == 1 else z
        powers = [mp.exp(v) for v in z]
        total = mp.fsum(powers)
        w = 1 if objective.sample_weight is None else mp.mpf(float(objective.sample_weight[i]))
        delta = [w * (p / total - (c == int(objective.y[i]))) for c, p in enumerate(powers)]
        delta = delta[1:] if k == 1 else delta
        for a in range(k):
            for j in range(d):
                grad[a * d + j] += delta[a] * x[j]
            grad[k * d + a] += delta[a]
    return grad


def intercepts(objective):
    places = np.zeros(objective.n_parameters, dtype=bool)
    places[objective.linear.n_out * objective.linear.n_in :] = True
    return places


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_bounds_are_never_below_the_true_gap(seed, n_classes):
    objective = linear_problem(n_classes, l2=10.0 ** (seed - 3), seed=seed)
    best = minimiser(objective)
    least = exact_value(objective, best)
    rng = np.random.default_rng(seed)
    finite = 0
    for distance in (1.0, 1e-1, 1e-3, 1e-6, 0.0):
        theta = np.array([float(t) for t in best]) + distance * rng.normal(size=len(best))
        true = exact_value(objective, [mp.mpf(float(t)) for t in theta]) - least
        value, grad = objective.smooth_value_and_gradient(theta)
        dual = duality_gap(objective, theta, value, intercepts(objective))
        curved, _ = self_concordance_gap(objective, grad, Factor(objective.curvature(theta)))
        assert dual >= true
        assert curved >= true
        finite += curved < np.inf
        if distance == 1e-6:  # far above rounding, well inside the region of the theorem
            assert curved <= 2.0 * true
    assert finite >= 2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("l1", "l2"), [(1.0, 0.0), (0.5, 0.5), (20.0, 0.0)])
def test_the_duality_gap_holds_for_l1_and_closes_at_the_minimum(n_classes, l1, l2):
    from backpass.solvers import prox_newton

    objective = linear_problem(n_classes, l1=l1, l2=l2, seed=3)
    outcome = prox_newton.minimise(
        objective, np.zeros(objective.n_parameters), lambda theta: False, 60, promising=0.0
    )
    least = objective.value(outcome.theta)
    at_best = duality_gap(objective, outcome.theta, least, intercepts(objective))
    assert at_best <= 1e-9 * least
    rng = np.random.default_rng(0)
    for distance in (1.0, 1e-2, 1e-4):
        theta = outcome.theta + distance * rng.normal(size=len(outcome.theta))
        value = objective.value(theta)
        assert duality_gap(objective, theta, value, intercepts(objective)) >= value - least


def test_the_duality_gap_is_infinite_where_something_is_not_penalised():
    objective = linear_problem(2, l2=1.0)
    objective.penalty = ElasticNet(np.zeros(objective.n_parameters), l2=1.0)
    theta = np.zeros(objective.n_parameters)
    assert duality_gap(objective, theta, 1.0, intercepts(objective)) == np.inf


def test_a_class_without_weight_has_no_dual_point():
    objective = linear_problem(3, l2=1.0)
    objective.sample_weight = np.where(objective.y == 1, 0.0, 1.0)
    theta = np.zeros(objective.n_parameters)
    value = objective.value(theta)
    assert duality_gap(objective, theta, value, intercepts(objective)) == np.inf


def test_far_from_the_minimum_the_curvature_proves_nothing():
    objective = linear_problem(2, l2=1e-3)
    theta = np.full(objective.n_parameters, 30.0)
    _, grad = objective.smooth_value_and_gradient(theta)
    bound, decrement = self_concordance_gap(objective, grad, Factor(objective.curvature(theta)))
    assert bound == np.inf
    assert np.isfinite(decrement)
