"""Centring and scaling of columns inside a fit: it changes how fast a solver is, never the optimum.

A column in units of 1e-4 makes a gradient 1e4 times smaller, and a solver that stops by the
gradient's size then returns a coefficient near 0. On centred columns of unit spread a solver does
not see units; coefficients are translated back exactly, w = u / scale and b = u_b - ⟨w, centre⟩.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Weighted mean and standard deviation of every column, (n_features,); 0 for a constant one."""

    mean: Vector
    deviation: Vector


def measure(X: NDArray[np.float64], weight: Vector | None) -> Spread:
    """Measure every column of X, (n_rows, n_features)."""
    w = np.ones(len(X)) if weight is None else weight
    total = w.sum()
    mean = w @ X / total
    # The mean of the shifted column repairs the rounding of the first one, also at 1e8 ± 1.
    mean += w @ (X - mean) / total
    # Divided by its largest value first, a column of 1e200 or 1e-200 can be squared.
    largest = np.abs(X - mean).max(axis=0, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    deviation = unit * np.sqrt(w @ np.square((X - mean) / unit) / total)
    # The "spread" of a constant column is the rounding of its mean.
    deviation[deviation <= 1e-14 * np.abs(mean)] = 0.0
    return Spread(mean, deviation)


@dataclass(frozen=True)
class Scaling:
    """The change of variables between given columns and the solver's, x̃ = (x - centre) / scale."""

    centre: Vector
    scale: Vector

    def apply(self, X: NDArray[np.float64]) -> None:
        """Centre and scale X in place."""
        X -= self.centre
        X /= self.scale

    def given(self, weight: NDArray, bias: NDArray) -> tuple[NDArray, NDArray]:
        """Return weight (k, d) and bias (k,) for given columns, from the solver's."""
        own = weight / self.scale
        return own, bias - own @ self.centre

    def solvers(self, weight: NDArray, bias: NDArray) -> tuple[NDArray, NDArray]:
        """Return weight (k, d) and bias (k,) for the solver's columns, from the given ones."""
        return weight * self.scale, bias + weight @ self.centre
