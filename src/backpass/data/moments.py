"""Mean and standard deviation of a column, gathered piece by piece in a fixed order.

Missing values are filled in with the mean, so the mean's last bit reaches every cost and gradient.
Pieces of a fixed number of rows make it the same for a table in memory and one that is streamed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 1 << 16  # rows of a piece; missing values are counted among them


@dataclass
class Moments:
    """What is known of the present values of a column so far."""

    count: int = 0
    mean: float = 0.0
    root: float = 0.0  # √∑(x - mean)²
    least: float = math.inf
    most: float = -math.inf

    def add(self, present: NDArray[np.float64]) -> None:
        """Take in the present values of the next piece of rows."""
        if not len(present):
            return
        self.least = min(self.least, float(present.min()))
        self.most = max(self.most, float(present.max()))
        mean, deviation = _mean_and_deviation(present)
        own_root = deviation * math.sqrt(len(present))
        if self.count == 0:
            self.count, self.mean, self.root = len(present), mean, own_root
            return
        # Chan, Golub & LeVeque (1983): no difference of large squares.
        total = self.count + len(present)
        share = len(present) / total
        between = abs(mean - self.mean) * math.sqrt(self.count * share)
        self.root = math.hypot(self.root, own_root, between)
        self.mean += (mean - self.mean) * share
        self.count = total

    def mean_and_scale(self) -> tuple[float, float]:
        """Return the mean and the standard deviation, which is 0 where the value never varies."""
        if self.least == self.most:
            return self.least, 0.0
        scale = self.root / math.sqrt(self.count)
        # The deviation of neighbouring numbers may round to nothing; they differ all the same.
        return self.mean, max(scale, float(np.spacing(abs(self.mean))))


def moments_of(values: NDArray[np.float64]) -> Moments:
    """Take the moments of a whole column, (n_rows,), NaN where missing, on the fixed grid."""
    moments = Moments()
    for start in range(0, len(values), GRID):
        piece = values[start : start + GRID]
        moments.add(piece[~np.isnan(piece)])
    return moments


def _mean_and_deviation(present: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation, also where squares would leave float64's range."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean, deviation = float(present.mean()), float(present.std())
    if deviation == 0.0 and present.min() == present.max():
        return float(present[0]), 0.0
    if 0.0 < deviation < math.inf and math.isfinite(mean):
        return mean, deviation
    unit = float(np.abs(present).max())
    return float((present / unit).mean() * unit), float((present / unit).std() * unit)
