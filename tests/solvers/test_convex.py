"""Newton, L-BFGS and proximal Newton steps, by both of its models, on problems with one minimum."""

import numpy as np
import pytest
from tests.solvers.problems import bordered, linear_problem, on_given_columns

from backpass import linear_objective
from backpass.factor import Factor
from backpass.kernels.coordinate import bordered_sweep, coordinate_sweep, pairs_sweep
from backpass.solvers import kinked, lbfgs, prox_newton, staged
from backpass.solvers.pairs import DiagonalAndPairs


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


def by_curvature(objective, start, enough, max_iter):
    return prox_newton.minimise(objective, start, [], len(start), enough, max_iter)


def by_pairs(objective, start, enough, max_iter):
    diagonal = np.diag(objective.curvature(start, definite=False))
    return prox_newton.minimise_wide(objective, start, diagonal, enough, max_iter)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("l1", "l2"), [(6.0, 0.0), (5.0, 0.5)])
def test_proximal_solvers_agree_and_meet_the_optimality_conditions(n_classes, l1, l2, monkeypatch):
    objective = linear_problem(n_classes, l1=l1, l2=l2)
    by_newton = by_curvature(objective, start(objective), never, 100)
    value = objective.value(by_newton.theta)
    few = by_pairs(objective, start(objective), never, 1000)
    monkeypatch.setattr(linear_objective, "MATRIX_UP_TO", 0)  # so no curvature of a few columns
    learnt = by_pairs(objective, start(objective), never, 1000)
    for outcome in (few, learnt):
        assert objective.value(outcome.theta) == pytest.approx(value, rel=1e-12)
        assert by_newton.reason == outcome.reason == "stalled"
    _, grad = objective.smooth_value_and_gradient(by_newton.theta)
    kink, theta = l1 * objective.penalty.scale, by_newton.theta
    # 0 is in ∇f + kink · sign(θ), where sign(0) is anything from -1 to 1
    moved = theta != 0.0
    np.testing.assert_allclose(grad[moved] + (kink * np.sign(theta))[moved], 0.0, atol=1e-7)
    assert (np.abs(grad[~moved]) <= kink[~moved] + 1e-7).all()
    assert (~moved).any()


def test_proximal_solvers_stop_where_they_are_told_to():
    objective = linear_problem(2, l1=1.0)
    for solver in (by_curvature, by_pairs):
        outcome = solver(objective, start(objective), lambda here: True, 50)
        assert (outcome.reason, outcome.n_iter) == ("certified", 0)
        outcome = solver(objective, start(objective), never, 3)
        assert (outcome.reason, outcome.n_iter) == ("max_iter", 3)


def test_a_proximal_newton_step_is_one_read():
    for n_classes in (2, 3):
        objective = linear_problem(n_classes, l1=1.0, n_rows=200)
        asked = []

        def watch(here, asked=asked, objective=objective):
            asked.append(objective.passes)
            return False

        by_curvature(objective, start(objective), watch, 6)
        assert asked == list(range(1, 8))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_curvature_of_the_columns_that_are_not_0_saves_most_steps(n_classes, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 60)) + 0.3 * rng.normal(size=(400, 60))
    y = rng.integers(n_classes, size=400)
    objective = on_given_columns(X, y, None, 1 if n_classes == 2 else n_classes, l1=2.0)
    few = by_pairs(objective, start(objective), never, 1000)
    monkeypatch.setattr(linear_objective, "MATRIX_UP_TO", 0)
    learnt = by_pairs(objective, start(objective), never, 1000)
    assert objective.value(few.theta) == pytest.approx(objective.value(learnt.theta), rel=1e-12)
    assert few.n_iter < 0.5 * learnt.n_iter


@pytest.mark.parametrize("n_classes", [2, 3])
def test_proximal_newton_through_subsamples_ends_where_it_would_without(n_classes):
    objective = linear_problem(n_classes, l1=20.0, n_rows=20_000)
    begin, n = start(objective), objective.n_parameters
    plain = by_curvature(objective, begin, never, 100)
    objective.rows_evaluated = 0
    staged_ = prox_newton.minimise(objective, begin, [32, 4], n, never, 100)
    assert objective.value(staged_.theta) == pytest.approx(objective.value(plain.theta), rel=1e-13)
    weights = slice(n - objective.n_outputs)  # a softmax's biases may all be shifted alike
    np.testing.assert_allclose(staged_.theta[weights], plain.theta[weights], rtol=1e-6, atol=1e-9)
    # A subsample that leads far away is not believed: the fit begins on all rows.
    values = []

    def watch(here):
        values.append(here.value)
        return True

    prox_newton.minimise(objective, begin, [32, 4], n, watch, 100, known=-np.inf)
    assert values == [objective.smooth_value(begin)]


@pytest.mark.parametrize("seed", range(4))
def test_the_compiled_sweep_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 8))
    curvature = root.T @ root  # rank 5 of 8
    curvature[3] = curvature[:, 3] = 0.0
    grad, theta, kink = rng.normal(size=8), rng.normal(size=8), rng.uniform(0, 2, 8)
    kink[0] = 0.0
    results = []
    for sweep in (kinked.sweep, coordinate_sweep):
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
        expected = kinked.sweep(matrix, *args, step, pull)
        assert bordered_sweep(H.D, H.B, H.E, levels, rest, own) == pytest.approx(expected, rel=1e-9)
    found = np.concatenate([levels[3].reshape(-1), rest[3]])
    np.testing.assert_allclose(found, step, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(own, pull[H.levels.size :], rtol=1e-9, atol=1e-12)
    both = [kinked.descend(matrix_like, grad, theta, kink) for matrix_like in (H, whole)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-8, atol=1e-10)


def pairs_and_matrix(rng, n=7, n_pairs=3):
    """Return a learnt curvature and the matrix that L-BFGS's formula makes of the same pairs."""
    root = rng.normal(size=(n, n))
    true = root @ root.T + 0.1 * np.eye(n)
    diagonal = rng.uniform(1.0, 4.0, n)
    pairs = [(s, true @ s, float(s @ true @ s)) for s in rng.normal(size=(n_pairs, n))]
    matrix = np.diag(diagonal)
    for s, y, _ in pairs:  # Nocedal & Wright (2006), Eq. 6.19
        seen = matrix @ s
        matrix = matrix - np.outer(seen, seen) / (s @ seen) + np.outer(y, y) / (y @ s)
    return DiagonalAndPairs(diagonal, pairs), matrix


@pytest.mark.parametrize("n_pairs", [0, 1, 3])
def test_a_learnt_curvature_is_the_matrix_of_its_pairs(n_pairs):
    rng = np.random.default_rng(n_pairs)
    H, matrix = pairs_and_matrix(rng, n_pairs=n_pairs)
    v, free = rng.normal(size=7), rng.random(7) < 0.6
    np.testing.assert_allclose(H @ v, matrix @ v, rtol=1e-9, atol=1e-9)
    expected = np.zeros(7)
    expected[free] = np.linalg.solve(matrix[np.ix_(free, free)], v[free])
    np.testing.assert_allclose(H.solve_within(free, np.where(free, v, 0.0)), expected, atol=1e-9)
    grad, theta, kink = rng.normal(size=7), rng.normal(size=7), rng.uniform(0, 2, 7)
    kept = [np.zeros(7), np.zeros(7), np.zeros(7), np.zeros(2 * n_pairs)]
    for _ in range(3):
        largest = kinked.sweep(matrix, grad, theta, kink, kept[0], kept[1])
        own = pairs_sweep(H.diagonal, H.W, H.WM, grad, theta, kink, kept[2], kept[3])
        assert own == pytest.approx(largest, rel=1e-7, abs=1e-12)
    np.testing.assert_allclose(kept[2], kept[0], atol=1e-9)
    both = [kinked.descend(form, grad, theta, kink) for form in (H, matrix)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_the_step_is_the_minimum_whatever_the_rank(seed):
    rng = np.random.default_rng(seed)
    n, rank = 12, int(rng.integers(3, 13))
    root = rng.normal(size=(rank, n)) * 10.0 ** rng.uniform(-2, 2, n)
    root[:, 1] = root[:, 0] * (1.0 + 1e-6 * rng.normal())  # columns that sweeps hardly tell apart
    H = root.T @ root
    theta = rng.normal(size=n) * (rng.random(n) < 0.6)
    kink = rng.uniform(0.1, 1.0, n) * 10.0 ** rng.uniform(-3, 1)
    kink[-1] = 0.0
    grad = H @ rng.normal(size=n)  # no direction falls for ever
    step = kinked.descend(H, grad, theta, kink)
    place, slope = theta + step, grad + H @ step
    size = (np.abs(grad) + kink).max()
    moved = (place != 0.0) | (kink == 0.0)
    np.testing.assert_allclose((slope + kink * np.sign(place))[moved], 0.0, atol=1e-8 * size)
    assert (np.abs(slope) <= kink + 1e-8 * size)[~moved].all()
    promised = -(grad @ step + kink @ (np.abs(place) - np.abs(theta)))
    found = kinked.decrease(H, grad, theta, step, kink)
    assert found == pytest.approx(promised, rel=1e-6, abs=1e-9 * size)
