"""L-BFGS, from SciPy: for smooth objectives with too many unknowns for a curvature matrix."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from backpass.solvers.outcome import Enough, Outcome, Vector


class Smooth(Protocol):
    """What L-BFGS asks of an objective."""

    def smooth_value_and_gradient(self, theta: Vector) -> tuple[float, Vector]: ...


def minimise(
    objective: Smooth,
    theta: Vector,
    enough: Enough,
    max_iter: int,
    gradient_tolerance: float,
    value_tolerance: float = 0.0,
) -> Outcome:
    """Minimise a smooth objective from θ; solve ten times more exactly until `enough` is content.

    gradient_tolerance: largest entry of the gradient at which to ask for the first time.
    value_tolerance: relative change of the value at which to ask; off unless given, since on flat
    ground it asks far too early.
    """
    n_iter, tolerance = 0, gradient_tolerance
    while True:
        result = minimize(
            objective.smooth_value_and_gradient,
            theta,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": max(max_iter - n_iter, 0),
                "maxfun": 20 * max_iter + 20,
                "gtol": tolerance,
                "ftol": value_tolerance,
                "maxcor": 20,
            },
        )
        n_iter += int(result.nit)
        moved = bool((result.x != theta).any())
        theta = np.asarray(result.x, dtype=np.float64)
        if enough(theta):
            return Outcome(theta, n_iter, "certified")
        if n_iter >= max_iter:
            return Outcome(theta, n_iter, "max_iter")
        if not moved and not result.success:
            return Outcome(theta, n_iter, "stalled")
        tolerance *= 0.1
