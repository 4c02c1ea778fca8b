"""The problem, and the one judge of every solver: ∑ losses + ‖w‖²/(2C), intercept free.

Evaluated in float64 from the coefficients that a solver hands back, with an exact sum over rows
(math.fsum), so that gaps of 1e-12 of the null objective are still read, not guessed.
"""

from __future__ import annotations

from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

CHUNK = 65_536  # rows evaluated at a time: bounds the judge's own memory


class Coefficients(NamedTuple):
    """coef (k, d) and intercept (k,) of k logits; k = 1 for two classes, the logit of class 1."""

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]


class Objective:
    """∑ losses + ‖w‖²/(2C) on rows X (n_rows, n_columns), labels y from 0 to n_classes - 1."""

    def __init__(self, X: Any, y: NDArray[np.int64], C: float) -> None:
        self.X, self.y, self.C = X, y, C
        self.n_rows, self.n_columns = X.shape
        self.n_classes = int(y.max()) + 1
        self.n_outputs = 1 if self.n_classes == 2 else self.n_classes
        shares = np.bincount(y) / len(y)
        # the best model without columns; gaps are given as parts of it
        self.null = -len(y) * fsum(shares * np.log(shares))

    def value(self, at: Coefficients) -> float:
        """Return the objective; nan where coefficients are missing their shape or not finite."""
        if at.coef.shape != (self.n_outputs, self.n_columns):
            raise ValueError(
                f"coef has shape {at.coef.shape}; it is ({self.n_outputs}, {self.n_columns}) here."
            )
        losses = [self.losses(at, start) for start in range(0, self.n_rows, CHUNK)]
        penalty = at.coef.ravel() ** 2 / (2.0 * self.C)
        return fsum(np.concatenate([*losses, penalty]))

    def losses(self, at: Coefficients, start: int = 0, size: int = CHUNK) -> NDArray[np.float64]:
        """Return the losses (n,) of the rows from `start`."""
        rows = slice(start, start + size)
        logits = self.X[rows] @ at.coef.T + at.intercept
        if self.n_outputs == 1:
            # log(1 + exp(-m)), m the logit of the right class
            return np.logaddexp(0.0, np.where(self.y[rows] == 1, -logits[:, 0], logits[:, 0]))
        own = np.take_along_axis(logits, self.y[rows, None], axis=1)
        return logsumexp(logits - own, axis=1)

    def residuals(self, logits: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """Return (proba - truth, proba), both (n_rows, n_outputs)."""
        if self.n_outputs == 1:
            proba = expit(logits)
            return proba - self.y[:, None], proba
        proba = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        delta = proba.copy()
        delta[np.arange(self.n_rows), self.y] -= 1.0
        return delta, proba
