"""How an MLPClassifier's parameters become a training: rule, portions, validation rows, reports.

It stands between the estimator, which knows labels and attributes, and the solvers, which know
neither. `params` is the estimator; only its constructor's parameters are read here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from backpass.estimators.callbacks import EpochState
from backpass.estimators.outputs import log_distribution, log_probabilities, logit_network
from backpass.network import Network
from backpass.objective import BatchObjective, Objective
from backpass.penalties import ElasticNet, weights_only
from backpass.solvers import lbfgs
from backpass.solvers.adam import Adam
from backpass.solvers.minibatch import Plan, Rule, Run, train
from backpass.solvers.outcome import Outcome
from backpass.solvers.sgd import SGD

Vector = NDArray[np.float64]
Score = Callable[[Vector], float]


@dataclass(frozen=True)
class Rows:
    """Rows as the network takes them. weight: (n_rows,) float64, or None where all are 1."""

    X: NDArray
    y: NDArray
    weight: Vector | None

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """Return the rows with these numbers."""
        weight = None if self.weight is None else self.weight[numbers]
        return Rows(self.X[numbers], self.y[numbers], weight)


def step_rule(params: Any) -> Rule:
    """Return Adam or SGD as the parameters describe it."""
    if params.solver == "adam":
        return Adam(params.learning_rate_init, params.beta_1, params.beta_2, params.epsilon)
    return SGD(
        params.learning_rate_init,
        params.momentum,
        params.nesterovs_momentum,
        params.learning_rate,
        params.power_t,
    )


def train_by_batches(
    params: Any, network: Network, rows: Rows, run: Run, max_epochs: int, score: Score | None
) -> bool:
    """Train in epochs from where `run` stands; tell whether progress ended before max_epochs."""
    rule = step_rule(params)
    if not run.state:
        run.state = rule.start(network.n_parameters)
    penalty = ElasticNet(weights_only(network.layout), l2=float(params.alpha))
    objective = BatchObjective(network, rows.X, rows.y, rows.weight, penalty, run.seed)
    plan = Plan(
        batch_size=_batch_size(params.batch_size, objective.n_rows),
        max_epochs=max_epochs,
        shuffle=params.shuffle,
        tol=params.tol,
        patience=params.n_iter_no_change,
    )
    return train(objective, rule, run, plan, score, _reporter(params, rule, network))


def train_on_all_rows(params: Any, network: Network, rows: Rows, theta: Vector) -> Outcome:
    """Train by L-BFGS, all rows at every step; tol bounds the gradient of the mean loss."""
    penalty = ElasticNet(weights_only(network.layout), l2=float(params.alpha))
    objective = Objective(network, rows.X, rows.y, rows.weight, penalty)
    return lbfgs.minimise(
        objective,
        theta,
        enough=lambda theta: True,  # a network has no certificate, so what SciPy finds is final
        max_iter=int(params.max_iter),
        gradient_tolerance=params.tol * objective.total_weight,
        value_tolerance=1e7 * np.finfo(np.float64).eps,  # SciPy's default
    )


def mean_loss(params: Any, network: Network, rows: Rows, theta: Vector) -> float:
    """Return (∑ w loss + alpha/2 ‖W‖²) / ∑ w over all rows."""
    penalty = ElasticNet(weights_only(network.layout), l2=float(params.alpha))
    objective = Objective(network, rows.X, rows.y, rows.weight, penalty)
    return objective.value(theta) / objective.total_weight


def set_aside(rows: Rows, fraction: float, seed: int, stratify: bool) -> tuple[Rows, Rows]:
    """Split rows into those to train on and those to judge by, by class where asked."""
    kept, held = train_test_split(
        np.arange(len(rows.X)),
        test_size=fraction,
        random_state=seed,
        stratify=rows.y if stratify else None,
    )
    if len(held) < 2:
        raise ValueError(
            f"early_stopping would judge by {len(held)} row; raise validation_fraction, "
            f"{fraction} now, or use more rows."
        )
    return rows.take(kept), rows.take(held)


def scorer(network: Network, rows: Rows, multilabel: bool, by: str) -> Score:
    """Return θ -> a number on rows, the higher the better. by: "accuracy" or "log_loss".

    "accuracy" is weighted (multilabel: the share with every label right); "log_loss" gives minus
    the mean loss, which goes on telling epochs apart where every row is right.
    """
    asked = logit_network(network)
    total = float(len(rows.X) if rows.weight is None else rows.weight.sum())

    def minus_loss(theta: Vector) -> float:
        return -network.cost(theta, rows.X, rows.y, rows.weight) / total

    def accuracy(theta: Vector) -> float:
        values = asked.forward(theta, rows.X)
        if multilabel:
            no, yes = log_probabilities(values, asked)
            right = ((yes > no) == (rows.y > 0.5)).all(axis=1)
        else:
            right = log_distribution(values, asked).argmax(axis=1) == rows.y
        return float(np.average(right, weights=rows.weight))

    return minus_loss if by == "log_loss" else accuracy


def _batch_size(wanted: int | str, n_rows: int) -> int:
    if wanted == "auto":
        return min(200, n_rows)
    size = int(wanted)
    if size > n_rows:
        warnings.warn(
            f"batch_size={size} is more than the {n_rows} rows; a batch takes them all.",
            stacklevel=5,
        )
    return min(size, n_rows)


def _reporter(params: Any, rule: Rule, network: Network) -> Callable[[Run], None]:
    """Return what happens after an epoch: a line where verbose, and the callbacks."""

    def report(run: Run) -> None:
        score = run.scores[-1] if run.scores else None
        if params.verbose:
            shown = "" if score is None else f", validation score {score:.6f}"
            print(f"epoch {run.epoch}: loss {run.losses[-1]:.8f}{shown}")
        if not params.callbacks:
            return
        theta = run.theta.copy()
        theta.flags.writeable = False
        rate = rule.current_rate(run.state)
        state = EpochState(run.epoch, theta, run.losses[-1], score, rate, network)
        for callback in params.callbacks:
            callback(state)

    return report
