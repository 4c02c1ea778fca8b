"""The minibatch trainer: epochs of small steps, each along the gradient of a few rows.

It sees an objective over row numbers and a rule for steps, and knows no layer. Everything that
changes is in a `Run`, plain numbers and arrays, so training can be stopped and taken up again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Rows = NDArray[np.intp] | slice
State = dict[str, NDArray]


class OverRows(Protocol):
    """What the trainer asks of an objective."""

    n_rows: int

    def mean_and_gradient(
        self, theta: Vector, rows: Rows, epoch: int
    ) -> tuple[float, Vector | None]:
        """Return the mean over these rows and its gradient; None where they have no weight."""
        ...


class Rule(Protocol):
    """What the trainer asks of Adam or SGD."""

    def start(self, size: int) -> State: ...
    def step(self, theta: Vector, grad: Vector, state: State) -> None: ...
    def current_rate(self, state: State) -> float: ...
    def end_epoch(self, state: State, rows_seen: int) -> None: ...
    def slow_down(self, state: State) -> bool: ...


@dataclass
class Run:
    """One training so far. epoch counts epochs done; (seed, epoch) decides the order of rows."""

    theta: Vector
    state: State
    seed: int
    epoch: int = 0
    rows_seen: int = 0
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_score: float = -np.inf
    best_theta: Vector | None = None
    stale: int = 0  # epochs in a row without progress


@dataclass(frozen=True)
class Plan:
    """How long to train and in what portions.

    Training ends when the loss (or the validation score, where there is one) has not improved by
    more than tol for more than `patience` epochs in a row.
    """

    batch_size: int
    max_epochs: int
    shuffle: bool = True
    tol: float = 1e-4
    patience: float = 10


def train(
    objective: OverRows,
    rule: Rule,
    run: Run,
    plan: Plan,
    score: Callable[[Vector], float] | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> bool:
    """Train for plan.max_epochs more epochs, in `run`; tell whether progress ended before."""
    for _ in range(plan.max_epochs):
        run_epoch(objective, rule, run, plan)
        if score is not None:
            run.scores.append(score(run.theta))
        _take_note(run, plan.tol, by_score=score is not None)
        rule.end_epoch(run.state, run.rows_seen)
        if on_epoch is not None:
            on_epoch(run)
        if run.stale > plan.patience:
            if not rule.slow_down(run.state):
                return True
            run.stale = 0
    return False


def run_epoch(objective: OverRows, rule: Rule, run: Run, plan: Plan) -> None:
    """Visit every row once; append the mean loss, taken as steps were made, to run.losses."""
    n_rows, size = objective.n_rows, plan.batch_size
    order = epoch_order(run.seed, run.epoch, n_rows) if plan.shuffle else None
    total = 0.0
    for start in range(0, n_rows, size):
        where = slice(start, min(start + size, n_rows))
        rows = where if order is None else order[where]
        mean, grad = objective.mean_and_gradient(run.theta, rows, run.epoch)
        if grad is None:
            continue
        total += mean * (where.stop - start)
        rule.step(run.theta, grad, run.state)
    run.epoch += 1
    run.rows_seen += n_rows
    run.losses.append(total / n_rows)


def epoch_order(seed: int, epoch: int, n_rows: int) -> NDArray[np.intp]:
    """Return the order of rows in an epoch: a function of its arguments, so runs can be resumed."""
    return np.random.default_rng([seed, epoch]).permutation(n_rows)


def _take_note(run: Run, tol: float, by_score: bool) -> None:
    """Count epochs without progress; keep the best loss, or the best score and its θ."""
    if by_score:
        score = run.scores[-1]
        run.stale = run.stale + 1 if score < run.best_score + tol else 0
        if score > run.best_score:
            run.best_score, run.best_theta = score, run.theta.copy()
        return
    loss = run.losses[-1]
    run.stale = run.stale + 1 if loss > run.best_loss - tol else 0
    run.best_loss = min(run.best_loss, loss)
