"""Rows that matter: scores, leverage, and what leaving a row out would do to the estimates.

Leaving row i out takes s_i from the scores and (I ⊗ x̃) S (I ⊗ x̃)ᵀ from the information A⁻¹, so one
Newton step moves the estimates by -A (I ⊗ x̃) (1 - S V)⁻¹ r, with V_ab = x̃ᵀ A_ab x̃. For two classes
it is -A x̃ r / (1 - h), h = s V. Source: Pregibon (1981); Lesaffre & Albert (1989).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backpass.inference.covariance import row_scores
from backpass.inference.optimum import Optimum
from backpass.inference.seen import Seen

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def score_rows(optimum: Optimum) -> Iterator[tuple[slice, Matrix]]:
    """Yield (places, w s) block by block: scores by the given columns' coefficients, (n, m·p)."""
    likelihood = optimum.likelihood
    m, p = likelihood.shape
    back = np.linalg.inv(likelihood.scale.matrix)
    for seen in likelihood.stream(optimum.beta, floats=2 * m * p):
        scores = row_scores(seen, np.arange(len(seen.wide))).reshape(-1, m, p)
        yield seen.places, (scores @ back).reshape(-1, m * p)


def leverage(optimum: Optimum) -> Vector:
    """Return the trace of w S V for every row, (n,): it sums to the number of estimates."""

    def part(seen: Seen) -> Vector:
        forms = seen.forms(optimum.inverse)
        return seen.weight * np.einsum("iab,iba->i", seen.bend, forms)

    likelihood = optimum.likelihood
    return likelihood.each(optimum.beta, part, likelihood.form_floats)


def cooks_distance(optimum: Optimum) -> Vector:
    """Return Δᵀ A⁻¹ Δ / P for the Δ of leaving each row out, (n,)."""

    def part(seen: Seen) -> Vector:
        forms = seen.forms(optimum.inverse)
        pull = _pull(seen.residual, seen.bend, forms, seen.weight)
        return np.einsum("ia,iab,ib->i", pull, forms, pull)

    likelihood = optimum.likelihood
    found = likelihood.each(optimum.beta, part, likelihood.form_floats)
    return found / likelihood.n_parameters


def influence(optimum: Optimum) -> Iterator[tuple[slice, Matrix]]:
    """Yield (places, changes of the estimates without each row) block by block, (n, m·p)."""
    likelihood = optimum.likelihood
    m, p = likelihood.shape
    T = likelihood.scale.matrix
    for seen in likelihood.stream(optimum.beta, likelihood.form_floats + m * p):
        pull = _pull(seen.residual, seen.bend, seen.forms(optimum.inverse), seen.weight)
        moves = (pull[:, :, None] * seen.wide[:, None, :]).reshape(len(pull), -1)
        changes = -(moves @ optimum.inverse).reshape(-1, m, p) @ T.T
        yield seen.places, changes.reshape(-1, m * p)


def _pull(residual: Matrix, bend: NDArray, forms: NDArray, weight: Vector) -> Matrix:
    """Return (1 - w S V)⁻¹ w r, (n, m)."""
    m = residual.shape[1]
    left = np.eye(m) - weight[:, None, None] * np.einsum("iab,ibc->iac", bend, forms)
    return np.linalg.solve(left, (weight[:, None] * residual)[:, :, None])[:, :, 0]
