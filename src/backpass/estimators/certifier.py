"""Decides when a convex fit is good enough: it asks the theorems of `solvers/certificate.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor
from backpass.objective import LinearObjective
from backpass.solvers.certificate import duality_gap, self_concordance_gap

Vector = NDArray[np.float64]
SMALL_DECREMENT = 1e-6  # at C=inf: no estimate is then off by more than 1e-6 of its standard error


class Certifier:
    """Bounds the gap at any θ by the best theorem that applies; called by solvers as `enough`.

    target: the gap asked for. finite: whether C is. `gap` and `reached` speak of the θ that was
    asked about last.
    """

    def __init__(
        self,
        objective: LinearObjective,
        intercept: NDArray[np.bool_],
        target: float,
        finite: bool,
        verbose: int = 0,
    ) -> None:
        self.objective, self.intercept, self.target = objective, intercept, target
        self.finite, self.verbose = finite, verbose
        self.smooth = objective.penalty.l1 == 0.0
        self.gap, self.reached = np.inf, False
        self._theta: Vector | None = None

    def __call__(self, theta: Vector) -> bool:
        """Tell whether θ is good enough, by the duality gap, or by the curvature at C=inf."""
        self._theta = theta
        if self.finite:
            value = self.objective.value(theta)
            self._settle(value, duality_gap(self.objective, theta, value, self.intercept))
        elif self.objective.fits_curvature:
            value, grad = self.objective.smooth_value_and_gradient(theta)
            return self.with_curvature(theta, value, grad, Factor(self.objective.curvature(theta)))
        else:
            self._settle(self.objective.value(theta), np.inf)
        return self.reached

    def with_curvature(self, theta: Vector, value: float, grad: Vector, factor: Factor) -> bool:
        """Tell whether a solver that has the curvature at hand may stop at θ."""
        self._theta = None
        squared = float(grad @ factor.solve(grad))
        if 0.5 * squared > self.target:
            return False  # the bound is never below ν²/2, so asking for it would waste a pass
        bound, decrement = self_concordance_gap(self.objective, grad, factor)
        if self.finite and bound > self.target:
            bound = min(bound, duality_gap(self.objective, theta, value, self.intercept))
        self._settle(value, bound, decrement)
        self._theta = theta
        # At C=inf a decrement of 1e-7 without a proof means estimates that run off to infinity.
        return self.reached or (not self.finite and bound == np.inf and decrement <= 1e-7)

    def final(self, theta: Vector) -> float:
        """Return the bound at θ, where a solver ended."""
        if self._theta is not theta:
            self(theta)
            if self.finite and self.smooth and self.objective.fits_curvature and not self.reached:
                before = self.gap
                value, grad = self.objective.smooth_value_and_gradient(theta)
                factor = Factor(self.objective.curvature(theta))
                bound, _ = self_concordance_gap(self.objective, grad, factor)
                self._settle(value, min(bound, before))
        return self.gap

    def _settle(self, value: float, bound: float, decrement: float = 0.0) -> None:
        self.gap = min(bound, value)
        within = self.gap if self.finite else bound  # at C=inf a proof that an optimum exists
        self.reached = bool(within <= self.target and (self.finite or decrement <= SMALL_DECREMENT))
        if self.verbose:
            print(f"objective {value:.9g}, gap at most {self.gap:.3g}, wanted {self.target:.3g}")
