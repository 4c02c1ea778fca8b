"""One factorisation of a symmetric positive semi-definite matrix, whatever its scaling and rank."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, eigvalsh

Matrix = NDArray[np.float64]
EIGENVALUES_UP_TO = 512


class Factor:
    """H = D A D with a unit diagonal in A, which is factorised by Cholesky.

    Dividing by D = sqrt(diag H) first makes the result independent of the columns' units. Where A
    is singular, so not `full_rank`, its eigenvalues are taken instead, and directions whose
    eigenvalue is mere rounding are left out of solutions.
    """

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        diagonal = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        self.unit = np.where(diagonal > 0.0, diagonal, 1.0)
        scaled = matrix / np.outer(self.unit, self.unit)
        smallest = len(scaled) * np.finfo(np.float64).eps * 8.0
        self.full_rank = True
        try:
            self._cholesky = cho_factor(scaled, lower=True, check_finite=False)
            pivots = np.square(np.diag(self._cholesky[0]))
            self.full_rank = bool(pivots.min(initial=1.0) > smallest)
        except LinAlgError:
            self.full_rank = False
        if not self.full_rank:
            values, vectors = eigh(scaled)
            kept = values > smallest
            self._root = vectors[:, kept] / np.sqrt(values[kept])
            self._null = vectors[:, ~kept]

    def solve(self, right: Matrix) -> Matrix:
        """Return H⁻¹ · right, or the pseudo-inverse's product in scaled coordinates."""
        given = (right.T / self.unit).T
        if self.full_rank:
            solution = cho_solve(self._cholesky, given, check_finite=False)
        else:
            solution = self._root @ (self._root.T @ given)
        return (solution.T / self.unit).T

    def inverse(self) -> Matrix:
        """Return H⁻¹ itself."""
        return self.solve(np.eye(len(self.unit)))

    @cached_property
    def inverse_norm(self) -> float:
        """Bound the largest eigenvalue of H⁻¹ from above; it needs full rank.

        By the smallest eigenvalue of H where that is cheap, else by the Frobenius norm of H⁻¹.
        """
        if len(self.unit) > EIGENVALUES_UP_TO:
            return float(np.linalg.norm(self.inverse()))
        values = eigvalsh(self._matrix, check_finite=False)
        rounding = 8.0 * len(values) * np.finfo(np.float64).eps * values[-1]
        return 1.0 / (values[0] - rounding) if values[0] > rounding else np.inf

    def null_projector(self) -> Matrix:
        """Return the orthogonal projector onto {v: H v = 0}, 0 where H has full rank."""
        if self.full_rank:
            return np.zeros((len(self.unit),) * 2)
        basis, _ = np.linalg.qr(self._null / self.unit[:, None])
        return basis @ basis.T
