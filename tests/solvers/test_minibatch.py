"""The trainer: order of rows, what ends it, what it keeps, and that a run can be resumed."""

import copy

import numpy as np
import pytest

from backpass.solvers.adam import Adam
from backpass.solvers.minibatch import Plan, Run, epoch_order, train
from backpass.solvers.sgd import SGD


class Quadratic:
    """Mean of ½ ‖θ - row‖² over rows; keeps a record of the rows asked for."""

    def __init__(self, n_rows=10):
        self.rows = np.random.default_rng(0).normal(size=(n_rows, 2))
        self.n_rows, self.asked = n_rows, []

    def mean_and_gradient(self, theta, rows, epoch):
        numbers = np.arange(self.n_rows)[rows]
        self.asked.append(numbers)
        away = theta - self.rows[numbers]
        return 0.5 * float((away**2).sum(axis=1).mean()), away.mean(axis=0)


def started(rule, seed=0):
    return Run(np.full(2, 3.0), rule.start(2), seed)


def test_every_epoch_visits_every_row_once_in_its_own_order():
    objective, rule = Quadratic(), Adam()
    run = started(rule)
    train(objective, rule, run, Plan(batch_size=4, max_epochs=2, tol=0.0))
    assert [len(rows) for rows in objective.asked] == [4, 4, 2, 4, 4, 2]
    first, second = (np.concatenate(objective.asked[a : a + 3]) for a in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()
    assert (run.epoch, run.rows_seen) == (2, 20)


def test_without_shuffle_rows_come_in_order():
    objective, rule = Quadratic(), Adam()
    train(objective, rule, started(rule), Plan(batch_size=3, max_epochs=1, shuffle=False))
    assert np.concatenate(objective.asked).tolist() == list(range(10))


def test_order_is_a_function_of_seed_and_epoch():
    np.testing.assert_array_equal(epoch_order(3, 7, 50), epoch_order(3, 7, 50))
    assert (epoch_order(3, 7, 50) != epoch_order(3, 8, 50)).any()
    assert (epoch_order(3, 7, 50) != epoch_order(4, 7, 50)).any()


@pytest.mark.parametrize("rule", [Adam(0.1), SGD(0.1)])
def test_a_run_taken_up_again_ends_with_the_same_bits(rule):
    whole, parts = started(rule), started(rule)
    plan = Plan(batch_size=4, max_epochs=6, tol=0.0, patience=np.inf)
    train(Quadratic(), rule, whole, plan)
    half = Plan(batch_size=4, max_epochs=3, tol=0.0, patience=np.inf)
    train(Quadratic(), rule, parts, half)
    parts = copy.deepcopy(parts)
    train(Quadratic(), rule, parts, half)
    np.testing.assert_array_equal(whole.theta, parts.theta)
    assert whole.losses == parts.losses


def test_training_ends_where_the_loss_no_longer_falls():
    rule = SGD(0.5)
    run = started(rule)
    ended = train(Quadratic(), rule, run, Plan(batch_size=10, max_epochs=500, tol=1e-6, patience=5))
    assert ended
    assert run.epoch < 500
    assert run.best_loss == min(run.losses)
    assert max(run.losses[-6:]) > run.best_loss - 1e-6
    assert not train(Quadratic(), rule, started(rule), Plan(batch_size=10, max_epochs=3))


def test_the_adaptive_schedule_goes_on_more_slowly():
    rule = SGD(0.5, schedule="adaptive")
    run = started(rule)
    assert train(Quadratic(), rule, run, Plan(batch_size=3, max_epochs=2000, patience=3))
    assert rule.current_rate(run.state) <= 1e-6


def test_scores_decide_and_the_best_theta_is_kept():
    scores = iter([0.1, 0.5, 0.9, 0.3, 0.3, 0.3, 0.3])
    seen = []

    def score(theta):
        seen.append(theta.copy())
        return next(scores)

    rule = Adam(0.1)
    run = started(rule)
    assert train(Quadratic(), rule, run, Plan(3, max_epochs=50, patience=3), score)
    assert run.scores == [0.1, 0.5, 0.9, 0.3, 0.3, 0.3, 0.3]
    assert run.best_score == 0.9
    np.testing.assert_array_equal(run.best_theta, seen[2])


def test_a_batch_without_weight_makes_no_step():
    class Weightless(Quadratic):
        def mean_and_gradient(self, theta, rows, epoch):
            return 0.0, None

    rule = Adam()
    run = started(rule)
    train(Weightless(), rule, run, Plan(batch_size=5, max_epochs=1))
    np.testing.assert_array_equal(run.theta, [3.0, 3.0])
    assert run.losses == [0.0]
