"""Newton's method on growing subsamples: a fit in a handful of reads of the data.

A subsample of m rows determines the optimum to within its statistical error, and no better; so
solve it to about that, and start the next, eight times larger, from there. All the steps before the
last level together cost a fraction of one pass. On the last level, all rows, a step needs a
gradient, which costs a pass, but not a fresh curvature: the one at hand, scaled up, is a
preconditioner that lowers the gap by a factor of about d/m a step, and L-BFGS pairs improve it
further. The curvature of all rows is formed once, where a proof of the gap needs it.

Source: Newton-type methods on growing samples, e.g. Bollapragada, Byrd & Nocedal (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from backpass.factor import Factor
from backpass.linear_objective import Evaluation
from backpass.solvers.outcome import Outcome, Vector

GROWTH = 8  # from one subsample to the next
ROWS_A_COLUMN = 20  # of the smallest subsample
STATISTICAL = 0.3  # a stage ends where the predicted decrease is this share of its statistical gap
SUFFICIENT = 1e-4  # Armijo: the share of the predicted decrease that a step must bring
GOOD = 0.05  # a step that leaves less of the squared decrement shows the curvature good as it is


class Staged(Protocol):
    """What the method asks of an objective."""

    n_parameters: int

    def evaluate(
        self, u: Vector, stride: int = 1, curvature: bool = False, single: bool = False
    ) -> Evaluation: ...
    def factor(self, curved: Evaluation) -> Factor: ...


# (evaluation at u, the curvature at hand, its factor) -> certified?
Enough = Callable[[Evaluation, Evaluation, Factor], bool]


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
    freedom: int,
    target: float,
    enough: Enough,
    max_iter: int,
) -> Outcome:
    """Minimise from u through the stages, then on all rows until `enough` is content.

    freedom: parameters that the data determine, d̃ (k - 1): a stage's statistical gap is half of it.
    target: the gap that `enough` will ask about; it is asked where ½ ∇ᵀH⁻¹∇ falls below it.
    """
    n_iter, curved = 0, None
    for stride in stages:
        done = freedom * stride / 2.0
        u, curved, steps = _stage(objective, u, stride, STATISTICAL * done, max_iter - n_iter)
        n_iter += steps
    return _polish(objective, u, curved, target, enough, n_iter, max_iter)


def _stage(
    objective: Staged, u: Vector, stride: int, done: float, max_iter: int
) -> tuple[Vector, Evaluation, int]:
    """Take Newton steps on one subsample until half the squared decrement is below `done`."""
    here = objective.evaluate(u, stride, curvature=True)
    steps = 0
    while True:
        factor = objective.factor(here)
        step = -factor.solve(here.gradient)
        predicted = -0.5 * float(here.gradient @ step)
        if not predicted > 0.0 or steps >= max_iter:
            return here.u, here, steps
        if predicted <= done:  # the step is taken, but what it leads to needs no look
            return here.u + step, here, steps + 1
        there = _line_search(objective, here, step, stride, True)
        if there is None:
            return here.u, here, steps
        here, steps = there, steps + 1


def _polish(
    objective: Staged,
    u: Vector,
    curved: Evaluation | None,
    target: float,
    enough: Enough,
    n_iter: int,
    max_iter: int,
) -> Outcome:
    """Take steps on all rows, by the curvature at hand and L-BFGS pairs."""
    here = objective.evaluate(u, curvature=curved is None)
    if curved is None:
        curved = here
    factor = objective.factor(curved)
    pairs: list[tuple[Vector, Vector]] = []
    before = 0.0
    while True:
        step = -_two_loops(factor, pairs, here.gradient)
        squared = float(here.gradient @ factor.solve(here.gradient))
        if 0.5 * squared <= target and enough(here, curved, factor):
            return Outcome(here.u, n_iter, "certified")
        if n_iter >= max_iter:
            return Outcome(here.u, n_iter, "max_iter")
        # The curvature of all rows is formed where the proof wants it and where steps are poor.
        fresh = curved.stride > 1 or squared > GOOD * before
        there = _line_search(objective, here, step, 1, fresh)
        if there is None:
            if curved is here:
                return Outcome(here.u, n_iter, "stalled")
            here = curved = objective.evaluate(here.u, curvature=True)
            factor, pairs, before = objective.factor(curved), [], 0.0
            continue
        s, y = there.u - here.u, there.gradient - here.gradient
        if float(s @ y) > 0.0:  # not so where rounding is all that is left
            pairs.append((s, y))
        before, here, n_iter = squared, there, n_iter + 1
        if there.curvature is not None:
            curved, factor, pairs = there, objective.factor(there), []


def _line_search(
    objective: Staged, here: Evaluation, step: Vector, stride: int, curvature: bool
) -> Evaluation | None:
    """Halve the step until Armijo's condition holds; None where no step lowers the value."""
    slope = float(here.gradient @ step)
    # Below this the value cannot tell better from worse; the gradient, which is finer, decides.
    rounding = 8.0 * np.finfo(np.float64).eps * abs(here.value)
    length = 1.0
    while length > 1e-10:
        try:
            there = objective.evaluate(here.u + length * step, stride, curvature)
        except FloatingPointError:  # a step so long that logits overflow
            length *= 0.5
            continue
        if abs(length * slope) <= rounding:
            closer = abs(float(there.gradient @ step)) < 0.5 * abs(slope)
            return there if closer else None
        if there.value <= here.value + SUFFICIENT * length * slope:
            return there
        length *= 0.5
    return None


def _two_loops(factor: Factor, pairs: list[tuple[Vector, Vector]], grad: Vector) -> Vector:
    """Return the L-BFGS product H⁻¹ · grad with the factor as the first inverse (Nocedal 1980)."""
    q = grad.copy()
    shares: list[float] = []
    for s, y in reversed(pairs):
        shares.append(float(s @ q) / float(s @ y))
        q -= shares[-1] * y
    q = factor.solve(q)
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q += s * (share - float(y @ q) / float(s @ y))
    return q
