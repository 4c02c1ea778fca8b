"""Decides when a convex fit is good enough: it asks the theorems of `solvers/certificate.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.bordered import BorderedFactor
from backpass.factor import Factor
from backpass.linear_objective import Evaluation, LinearObjective
from backpass.solvers.certificate import EPS, duality_gap, self_concordance_gap
from backpass.watch import Moment, tell

Vector = NDArray[np.float64]
SLACK = 0.05  # the share of the target that a proof may give away to save a pass
SMALL_DECREMENT = 1e-6  # at C=inf: no estimate is then off by more than 1e-6 of its standard error


class Certifier:
    """Bounds the gap at any u by the best theorem that applies; called by solvers as `enough`.

    target: the gap asked for. finite: whether C is. `gap` and `reached` speak of the u that was
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
        self.history: list[tuple[float, float]] = []  # (passes, gap) of every certificate
        self._u: Vector | None = None

    @property
    def asked_below(self) -> float:
        """Half the squared decrement above which no theorem can be content with a curvature."""
        return self.target if self.finite else min(self.target, 0.5 * SMALL_DECREMENT**2)

    def __call__(self, u: Vector) -> bool:
        """Tell whether u is good enough, for solvers that have no curvature at hand."""
        curvature = not self.finite and self.objective.fits_curvature
        here = self.objective.evaluate(u, curvature=curvature)
        if curvature:
            return self.with_curvature(here, here, self.objective.factor(here))
        self._settle(here, self._by_duality(here) if self.finite else np.inf)
        return self.reached

    def with_curvature(
        self, here: Evaluation, curved: Evaluation, factor: Factor | BorderedFactor
    ) -> bool:
        """Tell whether a solver that has a curvature at hand may stop."""
        bound, decrement = self_concordance_gap(self.objective, here, curved, factor)
        if self.finite and bound > self.target and self._dual_hopeful(here):
            bound = min(bound, self._by_duality(here))
        self._settle(here, bound, decrement)
        # At C=inf a small decrement without a proof means estimates that run off to infinity.
        lost = not self.finite and bound == np.inf and here is curved
        return self.reached or (lost and decrement <= SMALL_DECREMENT)

    def by_duality(self, here: Evaluation) -> bool:
        """Tell whether a solver without curvature may stop; where that is hopeless, for no pass."""
        if not (self.finite and self._dual_hopeful(here)):
            return False
        self._settle(here, self._by_duality(here))
        return self.reached

    def final(self, u: Vector) -> float:
        """Return the bound at u, where a solver ended."""
        if self._u is not u:
            self(u)
            if self.finite and self.smooth and self.objective.fits_curvature and not self.reached:
                before = self.gap
                here = self.objective.evaluate(u, curvature=True)
                factor = self.objective.factor(here)
                bound, _ = self_concordance_gap(self.objective, here, here, factor)
                self._settle(here, min(bound, before))
        return self.gap

    def _by_duality(self, here: Evaluation) -> float:
        return duality_gap(self.objective, here, self.intercept, SLACK * self.target)

    def _dual_hopeful(self, here: Evaluation) -> bool:
        """Tell, for no pass, whether the duality gap may be small enough.

        Were the intercepts' gradient 0, the gap would be Ω(u) + Ω*(v) - ⟨v, u⟩ for the pull v of
        the cost, which for L2 alone is ∑ (∇_j)² / 2 l2 a_j². For L1 alone v is shrunk by 1 - r to
        make Ω* finite, which changes the entropy by r ⟨v, u⟩ and some r²/2 a row.
        """
        penalty, chosen = self.objective.penalty, ~self.intercept
        scale, u, gradient = penalty.scale[chosen], here.u[chosen], here.gradient[chosen]
        if not (scale > 0.0).all():
            return False
        strength = penalty.smooth_curvature()[chosen]
        if self.smooth:
            return bool((strength > 0.0).all()) and (
                float((gradient**2 / strength).sum()) <= self.target
            )
        pull = strength * u - gradient  # of the cost alone, downhill
        beyond = np.maximum(np.abs(pull) / scale - penalty.l1, 0.0)
        conjugate, lost = np.zeros_like(beyond), 0.0
        if penalty.l2:
            conjugate = 0.5 * np.square(beyond) / penalty.l2
        else:
            kept = penalty.l1 / (penalty.l1 + beyond.max(initial=0.0))
            pull, lost = kept * pull, 0.5 * (1.0 - kept) ** 2 * self.objective.total_weight
        value = penalty.l1 * scale * np.abs(u) + 0.5 * strength * np.square(u)
        # Summed entry by entry, where each is at least 0: the three sums cancel.
        return float((value + conjugate - pull * u).sum()) + lost <= self.target

    def _settle(self, here: Evaluation, bound: float, decrement: float = 0.0) -> None:
        self._u, penalty = here.u, self.objective.penalty
        self.value = here.value + penalty.value(here.u) - penalty.smooth_value(here.u)
        # No gap is told from 0 below the rounding of the objective that it is a gap of.
        self.gap = min(bound + 4.0 * EPS * self.value, self.value)
        # At C=inf only a proof will do, since it shows that an optimum exists.
        within = min(bound, self.value) if self.finite else bound
        self.reached = bool(within <= self.target and (self.finite or decrement <= SMALL_DECREMENT))
        self.history.append((self.objective.passes, self.gap))
        tell(Moment(self.objective.passes, self.objective.rows.n_rows, self.value, self.gap))
        if self.verbose:
            print(f"objective {self.value:.9g}, gap at most {self.gap:.3g}, want {self.target:.3g}")
