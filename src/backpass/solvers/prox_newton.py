"""Proximal Newton steps, for penalties with a kink: one read of the data a step.

Each step minimises a quadratic model of the smooth part plus the L1 term itself, which reads no
data (`kinked.py`), and then looks at where that leads. The model's matrix is a curvature, of a
subsample first and formed anew where steps by it are poor, or, where there are too many unknowns
for one, a diagonal that learns from the steps (`pairs.py`).

Source: Lee, Sun & Saunders (2014); Zhong, Yen, Dhillon & Ravikumar (2014) for the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from backpass.curvature import OfColumns
from backpass.linear_objective import Evaluation
from backpass.penalties import ElasticNet
from backpass.solvers.kinked import Quadratic, decrease, descend
from backpass.solvers.outcome import Outcome, Vector
from backpass.solvers.pairs import DiagonalAndPairs
from backpass.solvers.staged import GOOD, MOST_GOOD, STATISTICAL, UNUSUAL
from backpass.solvers.steps import (
    MOST_HALVINGS,
    ROUNDING,
    SUFFICIENT,
    Evaluate,
    Pair,
    new_pair,
    shortening,
)

MOST_PAIRS = 20
POOR = 0.3  # a step by pairs that leaves more of the decrease is worth a curvature of few columns
NEAR = 0.8  # the share of the kink from which on a gradient may soon pass it

Matrix = NDArray[np.float64]
Enough = Callable[[Evaluation], bool]


class Kinked(Protocol):
    """What proximal Newton steps ask of an objective."""

    penalty: ElasticNet

    @property
    def gradients_a_curvature(self) -> float: ...

    def evaluate(self, u: Vector, stride: int = 1, curvature: bool = False) -> Evaluation: ...


class Wide(Kinked, Protocol):
    """What they ask of one with many unknowns."""

    def evaluate(
        self, u: Vector, stride: int = 1, curvature: bool = False, of: OfColumns | None = None
    ) -> Evaluation: ...
    def form_of(self, wanted: NDArray[np.bool_]) -> OfColumns | None: ...


def minimise(
    objective: Kinked,
    u: Vector,
    stages: list[int],
    freedom: float,
    enough: Enough,
    max_iter: int,
    known: float = np.inf,
) -> Outcome:
    """Minimise smooth part + l1 · ∑ |a u| from u through subsamples, then on all rows.

    stages, freedom and known: as in `staged.minimise`. enough(evaluation) is asked at every step:
    let it refuse for nothing.
    """
    steps, start, n_iter, gap = _Steps(objective), u, 0, np.inf
    curved: Evaluation | None = None
    for stride in stages:
        gap = freedom * stride / 2.0
        u, curved, taken = steps.on_subsample(u, stride, STATISTICAL * gap, max_iter - n_iter)
        n_iter += taken
    here = objective.evaluate(u, curvature=curved is None)
    if curved is not None:  # distrust what a subsample leads to where all rows say otherwise
        if not steps.value(here) <= known:
            here, curved = objective.evaluate(start, curvature=True), None
        elif 0.5 * promised(curved.curvature, here.gradient, here.u, steps.kink)[1] > UNUSUAL * gap:
            here, curved = objective.evaluate(here.u, curvature=True), None
    model = _Formed(objective, curved or here, steps.kink)
    return steps.run(here, model, enough, max_iter, n_iter)


def minimise_wide(
    objective: Wide, u: Vector, diagonal: Vector, enough: Enough, max_iter: int
) -> Outcome:
    """Minimise the same from u, by a model that starts as the diagonal of a curvature."""
    steps = _Steps(objective)
    model = _Learnt(objective, diagonal, steps.kink)
    return steps.run(objective.evaluate(u), model, enough, max_iter)


def promised(
    matrix: Quadratic | None, grad: Vector, u: Vector, kink: Vector
) -> tuple[Vector, float]:
    """Return the step by a matrix, and the decrease that slope and kink promise of it."""
    assert matrix is not None
    step = descend(matrix, grad, u, kink)
    return step, decrease(matrix, grad, u, step, kink)


class _Formed:
    """A model whose matrix is the curvature at hand."""

    def __init__(self, objective: Kinked, curved: Evaluation, kink: Vector) -> None:
        self.objective, self.kink = objective, kink
        self.good = min(GOOD * objective.gradients_a_curvature, MOST_GOOD)
        self._adopt(curved)

    def step(self, here: Evaluation) -> tuple[Vector, float]:
        return promised(self.matrix, here.gradient, here.u, self.kink)

    def halvings(self, here: Evaluation) -> int:
        # Where a curvature from elsewhere fails, one from here is worth more than shorter steps.
        return MOST_HALVINGS if self.curved is here else 0

    def evaluate(self, u: Vector, here: Evaluation, rate: float) -> Evaluation:
        """Evaluate at u, with the curvature where the last step left too much of the decrease.

        One that was formed here has a step to show what it is worth, as in `staged.py`.
        """
        fresh = rate > (1.0 if self.curved is here else self.good)
        return self.objective.evaluate(u, curvature=fresh)

    def learn(self, here: Evaluation, there: Evaluation) -> None:
        if there.curvature is not None:
            self._adopt(there)

    def renewed(self, here: Evaluation) -> Evaluation | None:
        """Return `here` with its curvature, the model from now on; None if it is already."""
        if self.curved is here:
            return None
        here = self.objective.evaluate(here.u, curvature=True)
        self._adopt(here)
        return here

    def _adopt(self, curved: Evaluation) -> None:
        assert curved.curvature is not None
        self.curved, self.matrix = curved, curved.curvature


class _Learnt:
    """A model for too many unknowns: a diagonal and pairs, or the curvature of a few columns.

    The diagonal learns from the steps' pairs which columns are not 0. Where these are few, and the
    steps poor, the curvature of these and of those about to join is formed, and a step moves them
    alone; where another one wants to join, the pairs take the next step.
    """

    def __init__(self, objective: Wide, diagonal: Vector, kink: Vector) -> None:
        self.objective, self.diagonal, self.kink = objective, diagonal, kink
        self.pairs = list[Pair]()
        self.matrix = DiagonalAndPairs(diagonal, [])
        self.among: OfColumns | None = None  # whose curvature comes with the next evaluation
        self.few: tuple[OfColumns, Matrix] | None = None

    def step(self, here: Evaluation) -> tuple[Vector, float]:
        if self.few is None or self._outside(self.few[0], here):
            return promised(self.matrix, here.gradient, here.u, self.kink)
        form, matrix = self.few
        at, step = form.places, np.zeros_like(here.u)
        step[at], ahead = promised(matrix, here.gradient[at], here.u[at], self.kink[at])
        return step, ahead

    def halvings(self, here: Evaluation) -> int:
        return MOST_HALVINGS

    def evaluate(self, u: Vector, here: Evaluation, rate: float) -> Evaluation:
        self.among = None
        if rate > (POOR if self.few is None else GOOD) and here.u.any():
            slope = np.abs(here.gradient)
            for share in (NEAR, 1.0):  # those about to join too, if there is room for them
                wanted = (here.u != 0.0) | (slope > share * self.kink)
                self.among = self.among or self.objective.form_of(wanted)
        return self.objective.evaluate(u, curvature=self.among is not None, of=self.among)

    def learn(self, here: Evaluation, there: Evaluation) -> None:
        self.pairs = [*self.pairs[-MOST_PAIRS + 1 :], *new_pair(here, there)]
        self.matrix = DiagonalAndPairs(self.diagonal, self.pairs)
        if self.among is not None and there.curvature is not None:
            self.few = self.among, cast(Matrix, there.curvature)

    def renewed(self, here: Evaluation) -> Evaluation | None:
        """Forget what may be wrong from here on; None if that is nothing."""
        if self.few is not None:
            self.few = None
            return here
        if not self.pairs:
            return None
        self.pairs, self.matrix = [], DiagonalAndPairs(self.diagonal, [])
        return here

    def _outside(self, form: OfColumns, here: Evaluation) -> bool:
        """Tell whether an unknown that is not in the form is not 0, or wants to leave it."""
        wants = (here.u != 0.0) | (np.abs(here.gradient) > self.kink * (1.0 + 1e-9))
        wants[form.places] = False
        return bool(wants.any())


class _Steps:
    """Steps to the minimum of a model, and how far along them the objective falls."""

    def __init__(self, objective: Kinked) -> None:
        self.objective = objective
        self.kink = objective.penalty.l1 * objective.penalty.scale

    def value(self, here: Evaluation) -> float:
        return here.value + float(self.kink @ np.abs(here.u))

    def on_subsample(
        self, u: Vector, stride: int, done: float, max_iter: int
    ) -> tuple[Vector, Evaluation, int]:
        """Step on every stride-th row until the decrease ahead is below `done`."""

        def evaluate(u: Vector, first: bool = True) -> Evaluation:
            return self.objective.evaluate(u, stride, curvature=True)

        here, taken = evaluate(u), 0
        while True:
            step, ahead = promised(here.curvature, here.gradient, here.u, self.kink)
            if ahead == 0.0 or taken >= max_iter:
                return here.u, here, taken
            if 0.5 * ahead <= done:  # the step is taken, but what it leads to needs no look
                return here.u + step, here, taken + 1
            there = self.search(evaluate, here, step, ahead)
            if there is None:
                return here.u, here, taken
            here, taken = there, taken + 1

    def run(
        self,
        here: Evaluation,
        model: _Formed | _Learnt,
        enough: Enough,
        max_iter: int,
        n_iter: int = 0,
    ) -> Outcome:
        """Step on all rows from `here` until `enough` is content."""
        before = np.inf  # the decrease that was ahead before the last step
        while not enough(here):
            if n_iter >= max_iter:
                return Outcome(here.u, n_iter, "max_iter")
            step, ahead = model.step(here)
            rate = ahead / before if before < np.inf else 1.0
            # Where the value cannot tell better from worse, what is ahead, which is finer, decides.
            lost = ahead <= self.rounding(here) and ahead > 0.5 * before
            there = None
            if ahead > 0.0 and not lost:

                def evaluate(
                    u: Vector, first: bool, here: Evaluation = here, rate: float = rate
                ) -> Evaluation:
                    return model.evaluate(u, here, rate if first else 0.0)

                there = self.search(evaluate, here, step, ahead, model.halvings(here))
            if there is not None:
                model.learn(here, there)
                here, before, n_iter = there, ahead, n_iter + 1
                continue
            renewed = model.renewed(here)
            if renewed is None:
                return Outcome(here.u, n_iter, "stalled")
            here, before = renewed, ahead if lost else np.inf
        return Outcome(here.u, n_iter, "certified")

    def search(
        self,
        evaluate: Evaluate,
        here: Evaluation,
        step: Vector,
        ahead: float,
        halvings: int = MOST_HALVINGS,
    ) -> Evaluation | None:
        """Shorten the step until it brings its share of `ahead`; None where none does."""
        length, value = 1.0, self.value(here)
        for trial in range(halvings + 1):
            try:
                there = evaluate(here.u + length * step, trial == 0)
            except FloatingPointError:  # a step so long that logits overflow
                length *= 0.5
                continue
            change = self.value(there) - value
            if change <= self.rounding(here) - SUFFICIENT * length * ahead:
                return there
            length *= shortening(-length * ahead, change)
        return None

    def rounding(self, here: Evaluation) -> float:
        return ROUNDING * abs(self.value(here))
