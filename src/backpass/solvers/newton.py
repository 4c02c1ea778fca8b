"""Newton's method with a factorised curvature: few iterations, for a few hundred unknowns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor
from backpass.solvers.outcome import Outcome, Vector

SUFFICIENT = 1e-4  # Armijo: the share of the predicted decrease that a step must bring


class Curved(Protocol):
    """What Newton's method asks of an objective."""

    def smooth_value_and_gradient(self, theta: Vector) -> tuple[float, Vector]: ...
    def curvature(self, theta: Vector) -> NDArray[np.float64]: ...


Certify = Callable[[Vector, float, Vector, Factor], bool]


def minimise(objective: Curved, theta: Vector, enough: Certify, max_iter: int) -> Outcome:
    """Minimise a smooth convex objective from θ.

    enough(θ, value, gradient, factor of H) tells whether this θ is certified. Steps are halved
    until Armijo's condition holds, so that the value never rises; where rounding lets no step lower
    it, the method ends as 'stalled'.
    """
    value, grad = objective.smooth_value_and_gradient(theta)
    for n_iter in range(max_iter + 1):
        factor = Factor(objective.curvature(theta))
        if enough(theta, value, grad, factor):
            return Outcome(theta, n_iter, "certified")
        if n_iter == max_iter:
            break
        step = -factor.solve(grad)
        found = _line_search(objective, theta, value, grad, step)
        if found is None:
            return Outcome(theta, n_iter, "stalled")
        theta, value, grad = found
    return Outcome(theta, max_iter, "max_iter")


def _line_search(
    objective: Curved, theta: Vector, value: float, grad: Vector, step: Vector
) -> tuple[Vector, float, Vector] | None:
    slope = float(grad @ step)
    # Below this the value cannot tell better from worse; the gradient, which is finer, decides.
    rounding = 8.0 * np.finfo(np.float64).eps * abs(value)
    length = 1.0
    while length > 1e-10:
        try:
            trial = theta + length * step
            new_value, new_grad = objective.smooth_value_and_gradient(trial)
        except FloatingPointError:  # a step so long that logits overflow
            length *= 0.5
            continue
        if -slope <= rounding:
            # the directional derivative must shrink, or we are at the end of what float64 resolves
            better = abs(float(new_grad @ step)) < 0.5 * abs(slope)
            return (trial, new_value, new_grad) if better else None
        if new_value <= value + SUFFICIENT * length * slope + rounding:
            return trial, new_value, new_grad
        length *= 0.5
    return None
