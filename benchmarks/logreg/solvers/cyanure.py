"""cyanure: accelerated incremental and quasi-Newton solvers, stopped by a duality gap."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..objective import Coefficients
from .base import EstimatorSolver, Shape, decades


class Cyanure(EstimatorSolver):
    """Classifier(loss="logistic", solver="auto"): mean loss + lambda/2 ‖w‖², lambda = 1/(C n)."""

    name = "cyanure"
    packages = ("cyanure",)
    ladder = decades(1, 12)

    def environment(self) -> dict[str, str]:
        """Its wheel brings an OpenBLAS of 2021, which takes newer processors for ones of 2008."""
        try:
            flags = Path("/proc/cpuinfo").read_text()
        except OSError:
            return {}
        kernels = {"avx512vl": "SkylakeX", "avx2": "Haswell"}
        best = next((kernel for flag, kernel in kernels.items() if f" {flag} " in flags), None)
        return {} if best is None else {"OPENBLAS_CORETYPE": best}

    def refuses(self, shape: Shape) -> str | None:
        return "takes no weights" if shape.weighted else None

    def make(self, rung: float) -> Any:
        from cyanure.estimators import Classifier

        logging.disable(logging.WARNING)  # it logs a line per fit, at level INFO, whatever verbose
        finite = np.isfinite(self.C)
        return Classifier(
            loss="logistic",
            penalty="l2" if finite else "none",
            lambda_1=1.0 / (self.C * len(self.y)) if finite else 0.0,
            tol=rung,
            max_iter=100_000,
            verbose=False,
        )

    def coefficients(self) -> Coefficients:
        coef = np.asarray(self.model.coef_, dtype=np.float64)
        coef = coef[None, :] if coef.ndim == 1 else coef.T
        return Coefficients(
            np.ascontiguousarray(coef), np.ravel(np.asarray(self.model.intercept_, np.float64))
        )


SOLVER = Cyanure()
