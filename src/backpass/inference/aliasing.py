"""Columns that are linear combinations of columns before them: found, named, taken out.

As in R, the intercept comes first and a later column gives way to earlier ones, so `x, x` keeps the
first. What a fit gave to an aliased column is moved to those it combines: no prediction changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from backpass.inference.likelihood import Likelihood

Matrix = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


class CollinearityWarning(UserWarning):
    """A column is a linear combination of others, so that its coefficient is not determined."""


@dataclass(frozen=True)
class Aliases:
    """kept, aliased: places of columns of x̃. combination: (kept, aliased), x̃_a = ∑ x̃_k c_ka."""

    kept: NDArray[np.intp]
    aliased: NDArray[np.intp]
    combination: Matrix

    def moved(self, beta: Matrix) -> Matrix:
        """Return β over the kept columns, (m, kept), that makes the same logits."""
        return beta[:, self.kept] + beta[:, self.aliased] @ self.combination.T


def find_aliases(likelihood: Likelihood) -> Aliases:
    """Sort columns into kept and aliased, by their products over all rows; one pass.

    A column counts as a combination where less than about 1e-7 of its length is left of it: beyond
    that, products in float64 cannot tell.
    """
    products = likelihood.gram()
    width, d = len(products), likelihood.rows.n_columns
    view = likelihood.view
    diagonal = np.diag(products).copy()
    # A constant column of 1e8 leaves the rounding of its mean behind, which is no column.
    rounding = 1e-13 * np.abs(view.centre) / view.scale
    nothing = diagonal[:d] <= likelihood.objective.total_weight * rounding**2
    unit = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = products / np.outer(unit, unit)
    order = [d, *range(d)] if view.ones else list(range(d))
    kept: list[int] = []
    root = np.zeros((width, width))
    for column in order:
        k = len(kept)
        part = (
            solve_triangular(root[:k, :k], scaled[kept, column], lower=True) if k else root[0, :0]
        )
        left = scaled[column, column] - part @ part
        if left <= 8.0 * EPS * width or (column < d and nothing[column]):
            continue
        root[k, :k], root[k, k] = part, np.sqrt(left)
        kept.append(column)
    places = np.array(kept, dtype=np.intp)
    aliased = np.array([c for c in order if c not in kept], dtype=np.intp)
    lower = root[: len(kept), : len(kept)]
    half = solve_triangular(lower, scaled[np.ix_(places, aliased)], lower=True)
    made = solve_triangular(lower.T, half, lower=False)
    sorted_places = np.sort(places)
    combination = made * (unit[aliased] / unit[places, None])
    return Aliases(sorted_places, aliased, combination[np.argsort(places)])
