"""A curvature that is learnt from steps: a diagonal, and what pairs (Δu, Δ∇) say beside it.

L-BFGS's matrix in its compact form, H = D - W M⁻¹ Wᵀ with W = [D S, Y] (Byrd, Nocedal & Schnabel
1994). It is as wide as the unknowns and 2 m thick, so a coordinate of H v costs 2 m products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backpass.solvers.outcome import Vector
from backpass.solvers.steps import Pair

Matrix = NDArray[np.float64]


class DiagonalAndPairs:
    """H, positive definite where D is and every pair has a positive product."""

    def __init__(self, diagonal: Vector, pairs: Sequence[Pair]) -> None:
        self.diagonal = diagonal
        S = np.stack([s for s, _, _ in pairs], axis=1) if pairs else np.zeros((len(diagonal), 0))
        Y = np.stack([y for _, y, _ in pairs], axis=1) if pairs else np.zeros((len(diagonal), 0))
        products = S.T @ Y
        below = np.tril(products, -1)
        start = diagonal[:, None] * S
        self.W = np.ascontiguousarray(np.hstack([start, Y]))
        self.M = np.block([[S.T @ start, below], [below.T, -np.diag(np.diag(products))]])
        self.WM = np.ascontiguousarray(np.linalg.solve(self.M, self.W.T).T)  # M is symmetric

    def __matmul__(self, v: Vector) -> Vector:
        """Return H v."""
        return self.diagonal * v - self.WM @ (self.W.T @ v)

    def solve_within(self, free: NDArray[np.bool_], right: Vector) -> Vector:
        """Solve the free rows and columns of H for a right side, (n,), by Woodbury; else 0."""
        found = np.where(free, right / self.diagonal, 0.0)
        scaled = np.where(free, 1.0 / self.diagonal, 0.0)[:, None] * self.W
        return found + scaled @ np.linalg.solve(self.M - self.W.T @ scaled, self.W.T @ found)
