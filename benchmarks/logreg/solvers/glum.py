"""glum: iteratively reweighted least squares with its own matrix types; two classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import EstimatorSolver, Shape, decades


class Glum(EstimatorSolver):
    """GeneralizedLinearRegressor(family="binomial"): mean loss + alpha/2 ‖w‖², alpha = 1/(C n)."""

    name = "glum"
    packages = ("glum", "tabmat")
    knob = "gradient_tol"
    ladder = decades(1, 12)

    def refuses(self, shape: Shape) -> str | None:
        return "two classes only" if shape.n_classes > 2 else None

    def make(self, rung: float) -> Any:
        from glum import GeneralizedLinearRegressor

        total = len(self.y) if self.weight is None else float(self.weight.sum())
        return GeneralizedLinearRegressor(
            family="binomial",
            alpha=1.0 / (self.C * total) if np.isfinite(self.C) else 0.0,
            l1_ratio=0.0,
            gradient_tol=rung,
            max_iter=10_000,
        )


SOLVER = Glum()
