"""Newton's method on growing subsamples: a fit in a handful of reads of the data.

A subsample of m rows determines the optimum to within its statistical error, and no better; so
solve it to about that, and start the next, eight times larger, from there. All the steps before the
last level together cost a fraction of one pass. On the last level, all rows, a step needs a
gradient, which costs a pass, but not a fresh curvature: the one at hand, scaled up, is a
preconditioner that lowers the gap by a factor of about m/d a step, and L-BFGS pairs improve it
further. The curvature of all rows is formed once, where a proof of the gap needs it.

Source: Newton-type methods on growing samples, e.g. Bollapragada, Byrd & Nocedal (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from backpass.bordered import BorderedFactor
from backpass.factor import Factor
from backpass.linear_objective import Evaluation
from backpass.solvers.outcome import Outcome, Vector
from backpass.solvers.steps import MOST_HALVINGS, Pair, line_search, new_pair, two_loops

GROWTH = 8  # from one subsample to the next
ROWS_A_COLUMN = 20  # of the smallest subsample
STATISTICAL = 0.3  # a stage ends where the predicted decrease is this share of its statistical gap
UNUSUAL = 4.0  # a predicted decrease this many statistical gaps long: the stage missed something
NEAR = 0.5  # R times a distance over which a curvature's bound grows by no more than e^0.5
# A step that leaves a smaller share of the squared decrement shows the curvature good as it is: a
# sixtieth for every gradient that another one takes the time of.
GOOD, MOST_GOOD = 1.0 / 60.0, 0.7


class Staged(Protocol):
    """What the method asks of an objective."""

    n_parameters: int

    @property
    def gradients_a_curvature(self) -> float: ...

    def evaluate(self, u: Vector, stride: int = 1, curvature: bool = False) -> Evaluation: ...
    def factor(self, curved: Evaluation) -> Factor | BorderedFactor: ...


# (evaluation at u, the curvature at hand, its factor) -> certified?
Enough = Callable[[Evaluation, Evaluation, Factor | BorderedFactor], bool]


def strides(n_rows: int, n_columns: int) -> list[int]:
    """List the strides of the stages before the last, coarsest first; none where rows are few."""
    most = n_rows // (ROWS_A_COLUMN * n_columns)
    found = []
    stride = 1 << max(most, 1).bit_length() - 1
    while stride >= 4:
        found.append(stride)
        stride //= GROWTH
    return found


def minimise(
    objective: Staged,
    u: Vector,
    stages: list[int],
    freedom: float,
    target: float,
    enough: Enough,
    max_iter: int,
    known: float = np.inf,
    keep: bool = False,
) -> Outcome:
    """Minimise from u through the stages, then on all rows until `enough` is content.

    freedom: parameters that the data determine, d̃ (k - 1); a stage's statistical gap is half of it,
    times the stride, by which a row of the subsample counts.
    target: the gap that `enough` will ask about; it is asked where ½ ∇ᵀH⁻¹∇ falls below it.
    known: the objective at u. A subsample whose classes are separable, as those of all rows are
    not, sends its estimates far away; where that makes all rows worse off than u, they begin at u.
    keep: the curvature at the optimum itself will be asked for, so a last step may as well form it.
    """
    start, n_iter, curved, gap = u, 0, None, np.inf
    for stride in stages:
        gap = freedom * stride / 2.0
        u, curved, steps = _stage(objective, u, stride, STATISTICAL * gap, max_iter - n_iter)
        n_iter += steps
    here = objective.evaluate(u, curvature=curved is None)
    if stages and not here.value <= known:
        here, curved = objective.evaluate(start, curvature=True), None
    polish = _Polish(objective, target, enough, max_iter, curved or here, keep)
    return polish.run(here, n_iter, UNUSUAL * gap)


def _stage(
    objective: Staged, u: Vector, stride: int, done: float, max_iter: int
) -> tuple[Vector, Evaluation, int]:
    """Take Newton steps on one subsample until half the squared decrement is below `done`."""

    def evaluate(u: Vector, first: bool = True) -> Evaluation:
        return objective.evaluate(u, stride, curvature=True)

    here, steps = evaluate(u), 0
    while True:
        step = -objective.factor(here).solve(here.gradient)
        predicted = -0.5 * float(here.gradient @ step)
        if not predicted > 0.0 or steps >= max_iter:
            return here.u, here, steps
        if predicted <= done:  # the step is taken, but what it leads to needs no look
            return here.u + step, here, steps + 1
        there = line_search(evaluate, here, step)
        if there is None:
            return here.u, here, steps
        here, steps = there, steps + 1


class _Polish:
    """Steps on all rows, by the curvature at hand and L-BFGS pairs, until a proof will do."""

    def __init__(
        self,
        objective: Staged,
        target: float,
        enough: Enough,
        max_iter: int,
        curved: Evaluation,
        keep: bool,
    ) -> None:
        self.objective, self.target = objective, target
        self.enough, self.max_iter, self.keep = enough, max_iter, keep
        self.good = min(GOOD * objective.gradients_a_curvature, MOST_GOOD)
        self.before = 0.0  # the squared decrement before the last step; 0 where that is not known
        self._adopt(curved)

    def run(self, here: Evaluation, n_iter: int, unusual: float) -> Outcome:
        """Go on from `here`; unusual: half a squared decrement that distrusts the curvature."""
        if self.curved is not here and 0.5 * self._squared(here) > unusual:
            here = self._refresh(here)
        while True:
            squared = self._squared(here)
            if 0.5 * squared <= self.target:
                if self.enough(here, self.curved, self.factor):
                    at_end = here if self.curved is here else None
                    return Outcome(here.u, n_iter, "certified", at_end)
                if self.curved is not here:  # the proof may want the curvature of this very point
                    here = self._refresh(here)
                    continue
            if n_iter >= self.max_iter:
                return Outcome(here.u, n_iter, "max_iter")
            there = self._step(here, squared)
            if there is not None:
                here, n_iter = there, n_iter + 1
            elif self.curved is here:
                return Outcome(here.u, n_iter, "stalled")
            else:
                here = self._refresh(here)

    def _step(self, here: Evaluation, squared: float) -> Evaluation | None:
        """Take a step; form the curvature where steps are poor or a proof will need it.

        A curvature that was formed here has a step to show what it is worth, for a gradient more:
        where the next one would be formed at once, adult took 8.5 passes and not 6.5. But where the
        decrement by it is no smaller than the last one was, curvature changes from step to step.
        """
        rate = self._rate(squared)
        poor = rate > (1.0 if self.curved is here else self.good)
        completes = 0.5 * squared * rate <= self.target
        fresh = poor or (completes and (self.keep or not self._proves_from_afar(squared)))

        def evaluate(u: Vector, first: bool) -> Evaluation:
            return self.objective.evaluate(u, curvature=fresh and first)

        step = -two_loops(self.factor.solve, self.pairs, here.gradient)
        # Where a curvature from elsewhere fails, one from here is worth more than shorter steps.
        halvings = MOST_HALVINGS if self.curved is here else 0
        there = line_search(evaluate, here, step, halvings)
        if there is None:
            return None
        self.pairs += new_pair(here, there)
        self.before = squared
        if there.curvature is not None:
            self._adopt(there)
        return there

    def _rate(self, squared: float) -> float:
        """Return what share of the squared decrement the last step left; 1 if that is not known."""
        return squared / self.before if self.before > 0.0 else 1.0

    def _proves_from_afar(self, squared: float) -> bool:
        """Tell whether the curvature at hand will do for a proof one step of this length away.

        The bound grows by e^{R · distance}. R is judged by what is known for no pass; where that is
        too crude, a curvature on the way costs less than the pass that measures R.
        """
        if self.curved.stride > 1:
            return False
        radius = np.sqrt(self.curved.longest * self.factor.inverse_norm)
        return bool(radius <= NEAR / max(np.sqrt(squared), 1e-300))

    def _squared(self, here: Evaluation) -> float:
        return float(here.gradient @ self.factor.solve(here.gradient))

    def _refresh(self, here: Evaluation) -> Evaluation:
        here = self.objective.evaluate(here.u, curvature=True)
        self._adopt(here)
        self.before = 0.0
        return here

    def _adopt(self, curved: Evaluation) -> None:
        self.curved, self.factor = curved, self.objective.factor(curved)
        self.pairs: list[Pair] = []
