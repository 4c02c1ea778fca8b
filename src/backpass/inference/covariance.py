"""Covariances of the estimates: the inverse information, and sandwiches around it.

    hessian   A = I⁻¹
    HC0       A M A, M = ∑ w s sᵀ over rows
    HC1       the same times n / (n - P)
    cluster   A M A, M = ∑ S Sᵀ over groups, S = ∑ w s within; times G/(G-1) · (n-1)/(n-P)

n = ∑ w, since weights are frequencies: a row of weight 3 is three rows. P counts the estimates. The
factors are statsmodels'; R's sandwich has the same for HC1 of a linear model, and G/(G-1) alone for
clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from backpass.data.rows import PRODUCTS_UP_TO
from backpass.inference.likelihood import Likelihood
from backpass.inference.seen import Seen

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
KINDS = ("hessian", "HC0", "HC1", "cluster")
GROUP_BYTES = 64 * 2**20  # of sums by group that are held at once


def covariance(
    likelihood: Likelihood,
    beta: Matrix,
    inverse: Matrix,
    kind: str,
    groups: ArrayLike | None = None,
    squared: bool = False,
) -> Matrix:
    """Return the covariance of β, (m·p, m·p). inverse: of the information, A.

    squared: weights are no frequencies, so HC0's meat is ∑ w² s sᵀ. Raises ValueError.
    """
    if kind not in KINDS:
        raise ValueError(f"cov is {kind!r}; it is one of {', '.join(map(repr, KINDS))}.")
    if (groups is not None) != (kind == "cluster"):
        raise ValueError(
            "cov='cluster' needs groups, one label per row; groups need cov='cluster'. "
            f"cov is {kind!r} and groups are {'not ' * (groups is None)}given."
        )
    if kind == "hessian":
        return inverse
    if groups is None:
        meat = outer_products(likelihood, beta, squared)
    else:
        meat, factor = _by_group(likelihood, beta, groups)
    n, p = likelihood.objective.total_weight, likelihood.n_parameters
    if kind == "HC1":
        factor = _ratio(n, n - p, "HC1")
    elif kind == "HC0":
        factor = 1.0
    made = factor * inverse @ meat @ inverse
    return 0.5 * (made + made.T)


def _ratio(above: float, below: float, kind: str) -> float:
    if not below > 0.0:
        raise ValueError(
            f"cov={kind!r} divides by the number of rows less that of estimates, {below:g} here; "
            "use cov='HC0'."
        )
    return above / below


def outer_products(likelihood: Likelihood, beta: Matrix, squared: bool) -> Matrix:
    """Return ∑ w s sᵀ over rows, or ∑ w² s sᵀ; one pass."""
    m, p = likelihood.n_contrasts, likelihood.n_columns
    a, b = np.triu_indices(m)
    i, j = np.triu_indices(p)
    folded = p <= PRODUCTS_UP_TO and m > 1

    def part(seen: Seen) -> tuple[NDArray, ...]:
        weight = np.square(seen.weight) if squared else seen.weight
        pairs = weight[:, None] * seen.variance[:, a, b]
        if folded:  # one product instead of one per pair of classes
            return (pairs.T @ (seen.wide[:, i] * seen.wide[:, j]),)
        return (np.stack([seen.wide.T @ (pair[:, None] * seen.wide) for pair in pairs.T]),)

    (sums,) = likelihood.visit(beta, part, floats=len(i) + len(a) if folded else p + len(a))
    by_pair = np.empty((len(a), p, p))
    if folded:
        by_pair[:, i, j] = by_pair[:, j, i] = sums
    else:
        by_pair[...] = sums
    full = np.empty((m, p, m, p))
    full[a, :, b, :] = by_pair
    full[b, :, a, :] = by_pair.transpose(0, 2, 1)
    return full.reshape(m * p, m * p)


def _by_group(likelihood: Likelihood, beta: Matrix, groups: ArrayLike) -> tuple[Matrix, float]:
    """Return ∑ S Sᵀ over groups and the factor of a small sample.

    Sums of as many groups as fit the memory limit are held at once: usually one pass.
    """
    codes, n_groups = group_codes(groups, likelihood)
    if n_groups < 2:
        raise ValueError(f"cov='cluster' needs two groups or more; groups hold {n_groups}.")
    size = likelihood.n_parameters
    together = max(GROUP_BYTES // (8 * size), 1)
    meat = np.zeros((size, size))
    for first in range(0, n_groups, together):
        sums = np.zeros((min(together, n_groups - first), size))
        for seen in likelihood.stream(beta, floats=size):
            code = codes[seen.places] - first
            here = np.flatnonzero((code >= 0) & (code < len(sums)))
            spread = (np.ones(len(here)), (code[here], np.arange(len(here))))
            to_group = sparse.csr_array(spread, shape=(len(sums), len(here)))
            sums += to_group @ row_scores(seen, here)
        meat += sums.T @ sums
    n = likelihood.objective.total_weight
    return meat, n_groups / (n_groups - 1.0) * _ratio(n - 1.0, n - size, "cluster")


def row_scores(seen: Seen, rows: NDArray[np.intp]) -> Matrix:
    """Return w s for these rows of a block, (n, m·p)."""
    r, wide = seen.residual[rows] * seen.weight[rows, None], seen.wide[rows]
    return (r[:, :, None] * wide[:, None, :]).reshape(len(rows), -1)


def group_codes(groups: ArrayLike, likelihood: Likelihood) -> tuple[NDArray[np.intp], int]:
    """Return every row's group by number, -1 for rows of weight 0, and the number of groups."""
    import pandas as pd

    labels = np.asarray(groups)
    if labels.ndim != 1 or len(labels) != likelihood.n_rows:
        raise ValueError(
            f"groups has the shape {labels.shape}; it holds one label for each of the "
            f"{likelihood.n_rows} rows."
        )
    weight = likelihood.objective.weight
    counted = np.ones(len(labels), dtype=bool) if weight is None else weight > 0.0
    gone = int(pd.isna(labels[counted]).sum())
    if gone:
        raise ValueError(
            f"groups has no label in {gone:,} of the {int(counted.sum()):,} rows of the fit; give "
            "each its group, or fit without these rows."
        )
    found, codes = np.unique(labels[counted], return_inverse=True)
    every = np.full(len(labels), -1)
    every[counted] = codes
    return every, len(found)
