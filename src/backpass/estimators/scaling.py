"""Centring and scaling of columns inside a fit: it changes how fast a solver is, never the optimum.

A column in units of 1e-4 makes a gradient 1e4 times smaller, and a solver that stops by the
gradient's size then returns a coefficient near 0. On centred columns of unit spread a solver does
not see units; coefficients are translated back exactly, w = u / scale and b = u_b - ⟨w, centre⟩.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.data.rows import Rows

Vector = NDArray[np.float64]
MEASURED_ROWS = 1000


@dataclass(frozen=True)
class Spread:
    """Weighted mean and standard deviation of every column, (n_features,); 0 for a constant one."""

    mean: Vector
    deviation: Vector


def sample_stride(rows: Rows) -> int:
    """Choose a stride, a power of two, that leaves a thousand rows to measure columns by."""
    most = rows.n_rows // max(MEASURED_ROWS, 2 * rows.n_columns)
    return 1 << max(most, 1).bit_length() - 1


@np.errstate(all="ignore")  # inf and nan are named by the first evaluation
def measure(rows: Rows, weight: Vector | None, stride: int = 1) -> Spread:
    """Measure every column on every stride-th row: one visit of them."""
    total, mean, root = 0.0, np.zeros(rows.n_columns), np.zeros(rows.n_columns)
    for places in rows.cuts(stride):
        w = np.ones(len(range(rows.n_rows)[places])) if weight is None else weight[places]
        if not w.any():
            continue
        own_mean, own_root = rows.block(places).moments(w)
        # Merging blocks by Chan, Golub & LeVeque (1983) takes no difference of large squares.
        share = w.sum() / (total + w.sum())
        between = np.abs(own_mean - mean) * np.sqrt(total * share)
        root = np.hypot(np.hypot(root, own_root), between)
        mean += (own_mean - mean) * share
        total += w.sum()
    deviation = root / np.sqrt(total) if total > 0.0 else root
    # The "spread" of a constant column is the rounding of its mean.
    deviation[deviation <= 1e-14 * np.abs(mean)] = 0.0
    return Spread(mean, deviation)
