"""Bounds on the gap: never below the true gap, and small where the fit is good.

The minimum is computed in 40 digits, so that "never" is not a matter of rounding.
"""

import mpmath as mp
import numpy as np
import pytest
from tests.solvers.problems import linear_problem

from backpass.factor import Factor
from backpass.linear_objective import Evaluation, LinearObjective
from backpass.penalties import ElasticNet
from backpass.solvers.certificate import duality_gap, self_concordance_gap

mp.mp.dps = 40


def exact_value(objective: LinearObjective, theta):
    """Return the objective at θ in 40 digits."""
    k, d = objective.n_outputs, objective.rows.n_columns
    weight = objective.weight
    total = mp.mpf(0)
    for i, row in enumerate(objective.rows.X):
        x = [mp.mpf(float(v)) for v in row]
        logits = [mp.fdot(theta[a * d : (a + 1) * d], x) + theta[k * d + a] for a in range(k)]
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
    k, d = objective.n_outputs, objective.rows.n_columns
    grad = [mp.mpf(float(c)) * t for c, t in zip(objective.penalty.smooth_curvature(), theta,
                                                 strict=True)]  # fmt: skip
    for i, row in enumerate(objective.rows.X):
        x = [mp.mpf(float(v)) for v in row]
        z = [mp.fdot(theta[a * d : (a + 1) * d], x) + theta[k * d + a] for a in range(k)]
        z = [mp.mpf(0), *z] if k == 1 else z
        powers = [mp.exp(v) for v in z]
        total = mp.fsum(powers)
        w = 1 if objective.weight is None else mp.mpf(float(objective.weight[i]))
        delta = [w * (p / total - (c == int(objective.y[i]))) for c, p in enumerate(powers)]
        delta = delta[1:] if k == 1 else delta
        for a in range(k):
            for j in range(d):
                grad[a * d + j] += delta[a] * x[j]
            grad[k * d + a] += delta[a]
    return grad


def intercepts(objective):
    places = np.zeros(objective.n_parameters, dtype=bool)
    places[objective.n_outputs * objective.rows.n_columns :] = True
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
        here = objective.evaluate(theta, curvature=True)
        dual = duality_gap(objective, here, intercepts(objective))
        curved, _ = self_concordance_gap(objective, here, here, objective.factor(here))
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
    start = np.zeros(objective.n_parameters)
    outcome = prox_newton.minimise(objective, start, [], len(start), lambda here: False, 60)
    least = objective.value(outcome.theta)
    best = objective.evaluate(outcome.theta)
    at_best = duality_gap(objective, best, intercepts(objective))
    assert at_best <= 1e-9 * least
    rng = np.random.default_rng(0)
    for distance in (1.0, 1e-2, 1e-4):
        theta = outcome.theta + distance * rng.normal(size=len(outcome.theta))
        here = objective.evaluate(theta)
        true = objective.value(theta) - least
        for slack in (0.0, 1e-3, 1.0):
            assert duality_gap(objective, here, intercepts(objective), slack) >= true


@pytest.mark.parametrize("n_classes", [2, 3])
def test_at_the_minimum_a_proof_for_l1_is_one_pass_if_some_of_the_gap_is_given_away(n_classes):
    from backpass.solvers import prox_newton

    objective = linear_problem(n_classes, l1=1.0, seed=3)
    start = np.zeros(objective.n_parameters)
    outcome = prox_newton.minimise(objective, start, [], len(start), lambda here: False, 60)
    best = objective.evaluate(outcome.theta)
    before = objective.passes
    assert 0.0 < duality_gap(objective, best, intercepts(objective), slack=1e-6) <= 2e-6
    assert objective.passes - before == 1


def test_the_duality_gap_is_infinite_where_something_is_not_penalised():
    objective = linear_problem(2, l2=1.0)
    objective.penalty = ElasticNet(np.zeros(objective.n_parameters), l2=1.0)
    theta = np.zeros(objective.n_parameters)
    here = objective.evaluate(theta)
    assert duality_gap(objective, here, intercepts(objective)) == np.inf


def test_a_class_without_weight_has_no_dual_point():
    objective = linear_problem(3, l2=1.0)
    objective.weight = np.where(objective.y == 1, 0.0, 1.0)
    theta = np.zeros(objective.n_parameters)
    here = objective.evaluate(theta)
    assert duality_gap(objective, here, intercepts(objective)) == np.inf


def test_far_from_the_minimum_the_curvature_proves_nothing():
    objective = linear_problem(2, l2=1e-3)
    theta = np.full(objective.n_parameters, 30.0)
    here = objective.evaluate(theta, curvature=True)
    bound, decrement = self_concordance_gap(objective, here, here, objective.factor(here))
    assert bound == np.inf
    assert np.isfinite(decrement)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_a_curvature_of_some_rows_at_another_point_bounds_the_gap_too(seed, stride, n_classes):
    """Half or a quarter of the rows, a few steps away: a looser bound, and still one."""
    objective = linear_problem(n_classes, l2=0.1, seed=seed, n_rows=64)
    best = minimiser(objective)
    least = exact_value(objective, best)
    rng = np.random.default_rng(seed)
    floats = np.array([float(t) for t in best])
    finite = 0
    for near in (1e-3, 1e-5):
        u = floats + near * rng.normal(size=len(best))
        true = exact_value(objective, [mp.mpf(float(t)) for t in u]) - least
        here = objective.evaluate(u)
        for far in (0.0, 1e-4, 1e-3):
            c = u + far * rng.normal(size=len(best))
            curved = objective.evaluate(c, stride, curvature=True)
            bound, _ = self_concordance_gap(objective, here, curved, objective.factor(curved))
            assert bound >= true
            finite += bound < np.inf
    assert finite >= 3


def test_a_crude_radius_gives_a_bound_that_is_nearly_as_good():
    objective = linear_problem(2, l2=1.0, n_rows=2000)
    u = np.array([float(t) for t in minimiser(objective)]) + 1e-4
    here = objective.evaluate(u, curvature=True)
    rows_before = objective.rows_evaluated
    crude, _ = self_concordance_gap(objective, here, here, objective.factor(here))
    assert objective.rows_evaluated == rows_before  # the longest row was enough
    unknown = Evaluation(u, here.value, here.gradient, here.curvature, np.inf)
    exact, _ = self_concordance_gap(objective, unknown, unknown, objective.factor(here))
    assert objective.rows_evaluated > rows_before
    assert exact <= crude <= 1.9 * exact
