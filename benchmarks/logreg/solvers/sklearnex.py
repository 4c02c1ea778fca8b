"""scikit-learn-intelex: oneDAL's L-BFGS behind scikit-learn's interface."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from .base import EstimatorSolver, Shape, decades


class Sklearnex(EstimatorSolver):
    """sklearnex.linear_model.LogisticRegression(solver="lbfgs"), and never what it falls back to.

    At C=inf it would hand over to scikit-learn; C=1e15 is the same problem to the last digit.
    """

    name = "sklearnex"
    packages = ("scikit-learn-intelex", "daal")
    ladder = decades(1, 14)

    def refuses(self, shape: Shape) -> str | None:
        if shape.sparse:
            return "takes no sparse rows: it hands them over to scikit-learn"
        return "takes no weights: it hands them over to scikit-learn" if shape.weighted else None

    def make(self, rung: float) -> Any:
        from sklearnex.linear_model import LogisticRegression

        C = self.C if np.isfinite(self.C) else 1e15
        return LogisticRegression(C=C, tol=rung, max_iter=1_000_000)

    def fit(self, rung: float) -> None:
        import sklearnex  # noqa: F401  # it sets its logger's level when imported

        log, logger = _Fallback(), logging.getLogger("sklearnex")
        logger.handlers, logger.propagate = [log], False
        logger.setLevel(logging.INFO)
        super().fit(rung)
        if log.seen:
            raise RuntimeError("sklearnex handed this fit over to scikit-learn")


class _Fallback(logging.Handler):
    seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen |= "fallback" in record.getMessage()


SOLVER = Sklearnex()
