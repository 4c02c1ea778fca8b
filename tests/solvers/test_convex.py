"""Newton, L-BFGS, proximal Newton and proximal gradient steps on problems with one minimum."""

import numpy as np
import pytest
from tests.solvers.problems import bordered, linear_problem

from backpass.factor import Factor
from backpass.kernels.coordinate import bordered_sweep, coordinate_sweep
from backpass.solvers import lbfgs, prox_newton, proximal, staged


def start(objective):
    return np.zeros(objective.n_parameters)


def never(*_):
    return False


def newton(objective, start, enough, max_iter, target=np.inf):
    return staged.minimise(objective, start, [], objective.n_parameters, target, enough, max_iter)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("l2", [1e-6, 1.0])
def test_all_smooth_solvers_find_the_same_minimum(n_classes, l2):
    objective = linear_problem(n_classes, l2=l2)
    by_newton = newton(objective, start(objective), never, 100)
    _, grad = objective.smooth_value_and_gradient(by_newton.theta)
    assert by_newton.reason == "stalled"
    assert by_newton.n_iter < 30
    assert np.abs(grad).max() < 1e-11
    by_lbfgs = lbfgs.minimise(objective, start(objective), never, 5000, 1e-3)
    least = objective.value(by_newton.theta)
    assert objective.value(by_lbfgs.theta) == pytest.approx(least, rel=1e-11)


def test_newton_stops_where_it_is_told_to():
    objective = linear_problem(2, l2=1.0)

    def enough(here, curved, factor):
        assert isinstance(factor, Factor)
        return float(here.gradient @ factor.solve(here.gradient)) < 1e-3

    outcome = newton(objective, start(objective), enough, 100)
    assert outcome.reason == "certified"
    assert outcome.n_iter < newton(objective, start(objective), never, 100).n_iter
    assert newton(objective, start(objective), never, 2).reason == "max_iter"


def test_newton_never_raises_the_value():
    objective = linear_problem(3, l2=1e-4, seed=5)
    values = []

    def watch(here, curved, factor):
        values.append(here.value)
        return False

    newton(objective, np.full(objective.n_parameters, 8.0), watch, 60)
    rises = np.diff(values) > 8 * np.finfo(float).eps * np.abs(values[:-1])
    assert not rises.any()
    assert len(values) > 5


def test_lbfgs_asks_again_more_exactly_until_it_is_enough():
    objective = linear_problem(2, l2=1.0)
    asked = []

    def enough(theta):
        asked.append(float(np.abs(objective.smooth_value_and_gradient(theta)[1]).max()))
        return asked[-1] < 1e-5

    outcome = lbfgs.minimise(objective, start(objective), enough, 1000, 1e-1)
    assert outcome.reason == "certified"
    assert len(asked) > 1
    assert lbfgs.minimise(objective, start(objective), never, 3, 1e-9).reason == "max_iter"


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("l1", "l2"), [(6.0, 0.0), (5.0, 0.5)])
def test_proximal_solvers_agree_and_meet_the_optimality_conditions(n_classes, l1, l2):
    objective = linear_problem(n_classes, l1=l1, l2=l2)
    by_newton = prox_newton.minimise(objective, start(objective), never, 100, promising=0.0)
    by_gradient = proximal.minimise(objective, start(objective), never, 20_000)
    value = objective.value(by_newton.theta)
    assert objective.value(by_gradient.theta) == pytest.approx(value, rel=1e-9)
    _, grad = objective.smooth_value_and_gradient(by_newton.theta)
    kink, theta = l1 * objective.penalty.scale, by_newton.theta
    # 0 is in ∇f + kink · sign(θ), where sign(0) is anything from -1 to 1
    moved = theta != 0.0
    np.testing.assert_allclose(grad[moved] + (kink * np.sign(theta))[moved], 0.0, atol=1e-7)
    assert (np.abs(grad[~moved]) <= kink[~moved] + 1e-7).all()
    assert (~moved).any()


def test_proximal_solvers_stop_where_they_are_told_to():
    objective = linear_problem(2, l1=1.0)
    for solver, last in ((proximal, {}), (prox_newton, {"promising": np.inf})):
        outcome = solver.minimise(objective, start(objective), lambda theta: True, 50, **last)
        assert outcome.reason == "certified"
        assert outcome.n_iter <= proximal.ASK_EVERY
        outcome = solver.minimise(objective, start(objective), never, 3, **last)
        assert outcome.reason == "max_iter"


@pytest.mark.parametrize("seed", range(4))
def test_the_compiled_sweep_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 8))
    curvature = root.T @ root  # rank 5 of 8
    curvature[3] = curvature[:, 3] = 0.0
    grad, theta, kink = rng.normal(size=8), rng.normal(size=8), rng.uniform(0, 2, 8)
    kink[0] = 0.0
    results = []
    for sweep in (prox_newton.sweep, coordinate_sweep):
        step, pull = np.zeros(8), np.zeros(8)
        largest = [sweep(curvature, grad, theta, kink, step, pull) for _ in range(3)]
        results.append((step, pull, largest))
        np.testing.assert_allclose(pull, curvature @ step, atol=1e-11)
        assert step[3] == 0.0
    for by_definition, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, by_definition, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_the_bordered_sweep_is_the_same_definition_levels_first(k):
    H, whole = bordered(k, units=False)
    rng = np.random.default_rng(4)
    grad, theta, kink = rng.normal(size=(3, len(H))) * [[1.0], [1.0], [0.5]]
    kink = np.abs(kink)
    order = np.concatenate([H.levels.reshape(-1), H.rest])
    matrix = whole[np.ix_(order, order)]
    step, pull = np.zeros(len(H)), np.zeros(len(H))
    given = np.stack([grad, theta, kink, step])
    levels, rest, own = given[:, H.levels], given[:, H.rest], np.zeros(len(H.rest))
    for _ in range(3):
        args = (grad[order], theta[order], kink[order])
        expected = prox_newton.sweep(matrix, *args, step, pull)
        assert bordered_sweep(H.D, H.B, H.E, levels, rest, own) == pytest.approx(expected, rel=1e-9)
    found = np.concatenate([levels[3].reshape(-1), rest[3]])
    np.testing.assert_allclose(found, step, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own, pull[H.levels.size :], rtol=1e-9, atol=1e-12)
    both = [prox_newton.descend(matrix_like, grad, theta, kink) for matrix_like in (H, whole)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-4, atol=1e-5)
