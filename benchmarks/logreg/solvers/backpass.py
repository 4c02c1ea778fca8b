"""backpass, at three tolerances: its tol is a certified gap over the null objective."""

from __future__ import annotations

from typing import Any

from .base import EstimatorSolver


class Backpass(EstimatorSolver):
    """LogisticRegression(solver="auto")."""

    name = "backpass"
    packages = ("backpass", "numba")
    ladder = (1e-3, 1e-6, 1e-9)
    every_rung = True  # each is a promise; the first often keeps the next one's too

    def make(self, rung: float) -> Any:
        import backpass as bp

        return bp.LogisticRegression(C=self.C, tol=rung)

    def fit(self, rung: float) -> None:
        super().fit(rung)
        self.passes = float(self.model.passes_)
        self.claims = {
            "gap": float(self.model.gap_),
            "converged": bool(self.model.converged_),
            "objective": float(self.model.objective_),
        }
