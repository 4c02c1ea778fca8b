"""What the convex solvers share: a line search, and L-BFGS's product with pairs of differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from backpass.linear_objective import Evaluation
from backpass.solvers.outcome import Vector

SUFFICIENT = 1e-4  # Armijo: the share of the predicted decrease that a step must bring
MOST_HALVINGS = 33
ROUNDING = 8.0 * float(np.finfo(np.float64).eps)  # of a value: changes below it tell nothing

Evaluate = Callable[[Vector, bool], Evaluation]  # (u, is it the first trial) -> evaluation
Pair = tuple[Vector, Vector, float]  # s = Δu, y = Δ∇, ⟨s, y⟩


def line_search(
    evaluate: Evaluate, here: Evaluation, step: Vector, halvings: int = MOST_HALVINGS
) -> Evaluation | None:
    """Shorten the step until Armijo's condition holds; None where no step lowers the value."""
    slope = float(here.gradient @ step)
    # Below this the value cannot tell better from worse; the gradient, which is finer, decides.
    rounding = ROUNDING * abs(here.value)
    length = 1.0
    for trial in range(halvings + 1):
        try:
            there = evaluate(here.u + length * step, trial == 0)
        except FloatingPointError:  # a step so long that logits overflow
            length *= 0.5
            continue
        if abs(length * slope) <= rounding:
            closer = abs(float(there.gradient @ step)) < 0.5 * abs(slope)
            return there if closer else None
        if there.value <= here.value + SUFFICIENT * length * slope:
            return there
        length *= shortening(length * slope, there.value - here.value)
    return None


def shortening(slope: float, change: float) -> float:
    """Return by how much to shorten a step along which the value changed too little.

    To the minimum of the parabola through both values and the slope, by a half to a tenth.
    """
    return min(max(-0.5 * slope / (change - slope), 0.1), 0.5)


def new_pair(here: Evaluation, there: Evaluation) -> list[Pair]:
    """Return [(Δu, Δ∇, ⟨Δu, Δ∇⟩)], or nothing where rounding is all that is left of it."""
    s, y = there.u - here.u, there.gradient - here.gradient
    product = float(s @ y)
    return [(s, y, product)] if product > 0.0 else []


def two_loops(solve: Callable[[Vector], Vector], pairs: Sequence[Pair], grad: Vector) -> Vector:
    """Return the L-BFGS product H⁻¹ · grad, `solve` being the first inverse (Nocedal 1980)."""
    q, scaled = grad.copy(), np.empty_like(grad)
    shares: list[float] = []
    for s, y, product in reversed(pairs):
        shares.append(float(s @ q) / product)
        q -= np.multiply(y, shares[-1], out=scaled)
    q = solve(q)
    for (s, y, product), share in zip(pairs, reversed(shares), strict=True):
        q += np.multiply(s, share - float(y @ q) / product, out=scaled)
    return q
