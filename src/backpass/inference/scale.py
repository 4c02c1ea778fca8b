"""Coefficients and covariances of x̃, the columns as an objective sees them, and of those given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.data.rows import View
from backpass.inference.seen import Matrix


class Scale:
    """From coefficients of x̃ to those of the given columns, intercept first: γ = β Tᵀ.

    T x-columns: w_j = β_j / scale_j; intercept: β_1 - ∑ centre_j β_j / scale_j.
    """

    def __init__(self, view: View, kept: NDArray[np.intp]) -> None:
        self.view, self.kept, n_columns = view, kept, len(view.scale)
        self.places = np.sort(np.where(kept < n_columns, kept + int(view.ones), 0))
        self.n_given = view.width
        T = np.zeros((self.n_given, len(kept)))
        for place, column in enumerate(kept):
            if column == n_columns:
                T[0, place] = 1.0
                continue
            T[column + int(view.ones), place] = 1.0 / view.scale[column]
            if view.ones:
                T[0, place] = -view.centre[column] / view.scale[column]
        self.matrix = T[self.places]
        # Variances in units of 1e-200 overflow; they are kept for rows of about 1.
        self.unit = np.abs(self.matrix).max(axis=1)

    def given(self, beta: Matrix) -> Matrix:
        """Return coefficients, (m, p), of the kept columns as given, intercept first."""
        return beta @ self.matrix.T

    def seen(self, gamma: Matrix) -> Matrix:
        """Return β of coefficients of the kept columns as given."""
        return np.linalg.solve(self.matrix, gamma.T).T

    def covariance(self, seen: Matrix, n_contrasts: int) -> Matrix:
        """Return a covariance of β, (m·p, m·p), as one of given coefficients, divided by `unit`."""
        p = len(self.places)
        blocks = seen.reshape(n_contrasts, p, n_contrasts, p)
        T = self.matrix / self.unit[:, None]
        moved = np.einsum("ij,ajbk,lk->aibl", T, blocks, T, optimize=True)
        return moved.reshape(n_contrasts * p, n_contrasts * p)
