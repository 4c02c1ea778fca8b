"""What coefficients mean for probabilities: marginal effects, and intervals of predictions.

The effect of column j on P(class c) is ∂π_c/∂x_j = ∑_b S_cb γ_bj with S_cb = π_c ([c=b] - π_b),
for all k classes c, over the k - 1 contrasts b. Its derivative by γ_al, for the delta method, is

    [l=j] S_ca + (S_ca γ_cj - ∑_b γ_bj (S_ca π_b + π_c S_ab)) x_l

so that sums over rows of S, of S ⊗ x and of (S_ca π_b + π_c S_ab) ⊗ x are all that it takes.

A column of 0 and 1 has no slope: what counts is π at x_j = 1 less π at x_j = 0, all other columns
as they are, but the other levels of the same category, which are 0 then. Its derivative is
S(x¹)_ca x¹_l - S(x⁰)_ca x⁰_l.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from backpass.inference.optimum import Optimum
from backpass.inference.seen import Seen

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def marginal_effects(optimum: Optimum, covariance: Matrix, at: str) -> tuple[Matrix, Matrix]:
    """Return effects (k, p) on every class, base first, and their standard errors; p: as given.

    covariance: of the given coefficients, each by its unit. at: "overall", the mean of the rows'
    effects, or "mean", the effects at the mean row. The intercept's entries mean nothing.
    """
    likelihood = optimum.likelihood
    if at == "overall":
        total = likelihood.objective.total_weight
        floats = likelihood.n_classes * likelihood.n_contrasts**2
        sums = [s / total for s in likelihood.visit(optimum.beta, _products, floats)]
    elif at == "mean":
        logits = likelihood.mean_offset()
        logits[1:] += optimum.beta @ likelihood.mean_row()
        sums = list(_products(_single(likelihood.mean_row(), logits)))
    else:
        raise ValueError(f"at is {at!r}; it is 'overall' or 'mean'.")
    scale = likelihood.scale
    back = np.linalg.inv(scale.matrix)
    slope, by_x, twice = sums[0], sums[1] @ back, sums[2] @ back
    gamma = scale.given(optimum.beta)
    effect = slope @ gamma
    k, m, p = len(slope), *gamma.shape
    of_class = np.vstack([np.zeros(p), gamma])
    jacobian = np.einsum("cal,cj->cjal", by_x, of_class) - np.einsum("cabl,bj->cjal", twice, gamma)
    columns = np.arange(p)
    jacobian[:, columns, :, columns] += slope
    flat = jacobian.reshape(k * p, m * p) * np.tile(scale.unit, m)
    variance = np.einsum("ij,jk,ik->i", flat, covariance, flat)
    return effect, np.sqrt(np.maximum(variance, 0.0)).reshape(k, p)


@dataclass(frozen=True)
class Change:
    """Column `place` going from 0 to 1, with the columns `others` at 0; places as given."""

    place: int
    others: tuple[int, ...] = ()


def discrete_changes(
    optimum: Optimum, covariance: Matrix, at: str, changes: Sequence[Change]
) -> tuple[Matrix, Matrix]:
    """Return what each change adds to the probabilities, (k, changes), and standard errors.

    Arguments as in `marginal_effects`. One pass.
    """
    likelihood = optimum.likelihood
    gamma = likelihood.scale.given(optimum.beta)
    back = np.linalg.inv(likelihood.scale.matrix)
    if at == "overall":

        def part(seen: Seen) -> tuple[NDArray, ...]:
            logits = likelihood.logits(seen.places, seen.wide, optimum.beta)
            return _changed(logits, seen.wide @ back, seen.weight, gamma, changes)

        floats = 3 * likelihood.n_classes * likelihood.n_contrasts + 2 * likelihood.n_columns
        sums = likelihood.visit(optimum.beta, part, floats)
        effect, jacobian = (s / likelihood.objective.total_weight for s in sums)
    else:
        row = likelihood.mean_row()
        logits = likelihood.mean_offset()
        logits[1:] += optimum.beta @ row
        x = (row @ back)[None, :]
        effect, jacobian = _changed(logits[None, :], x, np.ones(1), gamma, changes)
    k, q = effect.shape
    flat = jacobian.reshape(k * q, -1) * np.tile(likelihood.scale.unit, likelihood.n_contrasts)
    variance = np.einsum("ij,jk,ik->i", flat, covariance, flat)
    return effect, np.sqrt(np.maximum(variance, 0.0)).reshape(k, q)


def _changed(
    logits: Matrix, x: Matrix, weight: Vector, gamma: Matrix, changes: Sequence[Change]
) -> tuple[Matrix, NDArray]:
    """Return ∑ w (π¹ - π⁰), (k, q), and ∑ w (S¹ ⊗ x¹ - S⁰ ⊗ x⁰), (k, q, m, p), over some rows.

    x: (n, p) of the columns as given. gamma: (m, p).
    """
    n, k = logits.shape
    m, p = gamma.shape
    effect, jacobian = np.zeros((k, len(changes))), np.zeros((k, len(changes), m, p))
    for q, change in enumerate(changes):
        for value, sign in ((1.0, 1.0), (0.0, -1.0)):
            moved, shifted = x.copy(), logits.copy()
            moved[:, change.others] = 0.0
            moved[:, change.place] = value
            shifted[:, 1:] += (moved - x) @ gamma.T
            pi = softmax(shifted, axis=1)
            effect[:, q] += sign * (weight @ pi)
            S = _slopes(pi) * weight[:, None, None]
            jacobian[:, q] += sign * (S.reshape(n, -1).T @ moved).reshape(k, m, p)
    return effect, jacobian


def _slopes(pi: Matrix) -> NDArray:
    """Return S = ∂π/∂logits of the contrasts, (n, k, m)."""
    S = -pi[:, :, None] * pi[:, None, 1:]
    S[:, 1:] += pi[:, 1:, None] * np.eye(pi.shape[1] - 1)
    return S


def _products(seen: Seen) -> tuple[NDArray, ...]:
    """Return ∑ w S (k, m), ∑ w S ⊗ x̃ (k, m, p) and ∑ w (S_ca π_b + π_c S_ab) ⊗ x̃ (k, m, m, p)."""
    n, k = seen.proba.shape
    m, p = k - 1, seen.wide.shape[1]
    pi, free = seen.proba, seen.proba[:, 1:]
    weighted = seen.weight[:, None, None] * _slopes(pi)
    by_x = (weighted.reshape(n, -1).T @ seen.wide).reshape(k, m, p)
    pairs = weighted[:, :, :, None] * free[:, None, None, :]
    pairs += pi[:, :, None, None] * weighted[:, None, 1:, :]
    twice = (pairs.reshape(n, -1).T @ seen.wide).reshape(k, m, m, p)
    return weighted.sum(axis=0), by_x, twice


def _single(row: Vector, logits: Vector) -> Seen:
    """Return one row as if it were a block."""
    proba = softmax(logits)[None, :]
    return Seen(slice(0, 1), row[None, :], proba, np.zeros_like(proba), np.ones(1))


def predicted(
    optimum: Optimum, covariance: Matrix, x: Matrix, half: float, offset: Matrix | None = None
) -> tuple[Matrix, Matrix, Matrix]:
    """Return probabilities (n, k), base first, and both ends of their intervals.

    x: (n, p) of the kept columns as given, a 1 first where there is an intercept. half: the normal
    quantile. offset: as the objective's, (n, n_outputs), or None. Intervals are symmetric on the
    logit of each probability, so they stay in [0, 1].
    """
    scale = optimum.likelihood.scale
    m = optimum.likelihood.n_contrasts
    logits = np.zeros((len(x), m + 1))
    logits[:, 1:] = x @ scale.given(optimum.beta).T
    if offset is not None:
        logits += optimum.likelihood.by_class(offset)
    proba = softmax(logits, axis=1)
    seen = Seen(slice(0, len(x)), x * scale.unit, proba, np.zeros_like(proba), np.ones(len(x)))
    forms = seen.forms(covariance)
    centre, error = np.empty_like(proba), np.empty_like(proba)
    for c in range(m + 1):
        others = np.delete(logits, c, axis=1)
        top = others.max(axis=1)
        rest = np.log(np.exp(others - top[:, None]).sum(axis=1)) + top
        centre[:, c] = logits[:, c] - rest  # the logit of π_c
        share = np.delete(softmax(others, axis=1), 0, axis=1) if c else softmax(others, axis=1)
        lead = np.zeros((len(x), m))
        free = [a for a in range(m) if a + 1 != c]
        lead[:, free] = -share
        if c:
            lead[:, c - 1] = 1.0
        error[:, c] = np.sqrt(np.maximum(np.einsum("ia,iab,ib->i", lead, forms, lead), 0.0))
    return proba, expit(centre - half * error), expit(centre + half * error)
