"""The reference minimum of a problem: damped Newton, run until rounding stops it.

Apart from any solver under test and slow on purpose. Columns are centred (dense ones) and scaled
first, which moves no minimum since the intercept is free. Newton steps come from conjugate
gradients, preconditioned by the factorised Hessian where it is small, else by its diagonal blocks,
one per class, and on wide data by its diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from .objective import Coefficients, Objective

WIDEST_WHOLE = 1_200  # unknowns of a Hessian that is formed whole
WIDEST_BLOCK = 2_000  # columns: above that a block takes minutes to form
TENTH = 10
MOST_STEPS, MOST_PRODUCTS = 60, 600
NEAR = 1e-11  # decrement over null objective from which full Newton steps need no check


class Minimum(NamedTuple):
    """The least value found, λ²/2 (half the squared Newton decrement) there, and where it is."""

    value: float
    decrement: float
    at: Coefficients


def minimise(
    objective: Objective,
    start: Coefficients | None = None,
    watch: Callable[[str, Coefficients], None] = lambda line, at: None,
    precision: float = 0.0,
) -> Minimum:
    """Minimise until the decrement is at most precision · null objective, or rounding.

    `watch` is told of every step; what it keeps can be the start of another run.
    """
    work = _Scaled(objective)
    theta = work.scaled(_rough(objective, watch) if start is None else start)
    value = objective.value(work.given(theta))
    decrement = np.inf
    for step in range(MOST_STEPS):
        grad, proba = work.gradient(theta)
        direction = work.newton_direction(grad, proba, decrement / objective.null)
        before, decrement = decrement, -0.5 * float(np.vdot(grad, direction))
        watch(f"step {step}: {value:.12g}, decrement {decrement:.1e}", work.given(theta))
        if decrement <= precision * objective.null:
            break
        if decrement < NEAR * objective.null:
            # the objective's rounding hides progress from here on; the gradient's does not yet
            if not decrement < before / 4.0:
                break
            theta, value = theta + direction, objective.value(work.given(theta + direction))
            continue
        length, last = 1.0, value
        while (value := objective.value(work.given(theta + length * direction))) >= last:
            length /= 2.0
            if length < 1e-4:
                return Minimum(last, decrement, work.given(theta))
        theta = theta + length * direction
    return Minimum(value, decrement, work.given(theta))


def _rough(objective: Objective, watch: Callable[[str, Coefficients], None]) -> Coefficients:
    """Return the minimum on every tenth row where those determine it well, else the null model.

    The early steps, far from the minimum, are then ten times cheaper.
    """
    fewer, unknowns = objective.n_rows // TENTH, objective.n_outputs * (objective.n_columns + 1)
    if fewer >= 20 * unknowns:
        rows = slice(None, None, TENTH)
        # the same penalty per row
        tenth = Objective(objective.X[rows], objective.y[rows], objective.C * TENTH)
        if tenth.n_classes == objective.n_classes:
            return minimise(tenth, watch=watch, precision=1e-5).at
    shares = np.log(np.bincount(objective.y) / objective.n_rows)
    intercept = shares[1:] - shares[0] if objective.n_outputs == 1 else shares
    return Coefficients(np.zeros((objective.n_outputs, objective.n_columns)), intercept)


class _Scaled:
    """The objective's derivatives in centred and scaled columns, a column of ones appended."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        X = objective.X
        n, d = X.shape
        if sp.issparse(X):
            self.centre = np.zeros(d)
            self.scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
        else:
            self.centre, self.scale = X.mean(axis=0), X.std(axis=0)
        self.scale[self.scale == 0.0] = 1.0
        if sp.issparse(X):
            scaled = sp.csr_matrix(X @ sp.diags(1.0 / self.scale))
            self.Z = sp.csr_matrix(sp.hstack([scaled, np.ones((n, 1))]))
        else:
            self.Z = np.column_stack([(X - self.centre) / self.scale, np.ones(n)])
        # penalty on the scaled coefficient: (v / scale)² / 2C; none on the intercept
        self.l2 = np.append(self.scale**-2.0, 0.0) / objective.C

    def given(self, theta: NDArray) -> Coefficients:
        """Return coefficients on the given columns."""
        coef = theta[:, :-1] / self.scale
        return Coefficients(coef, theta[:, -1] - coef @ self.centre)

    def scaled(self, at: Coefficients) -> NDArray:
        """Return θ of coefficients on the given columns."""
        return np.column_stack([at.coef * self.scale, at.intercept + at.coef @ self.centre])

    def gradient(self, theta: NDArray) -> tuple[NDArray, NDArray]:
        delta, proba = self.objective.residuals(self.Z @ theta.T)
        return (self.Z.T @ delta).T + self.l2 * theta, proba

    def product(self, proba: NDArray, v: NDArray) -> NDArray:
        """Return H v; with several classes plus the common shift, so that H has no null space."""
        z = self.Z @ v.T
        if len(v) == 1:
            return (self.Z.T @ (proba * (1.0 - proba) * z)).T + self.l2 * v
        z = proba * (z - np.sum(proba * z, axis=1, keepdims=True))
        return (self.Z.T @ z).T + self.l2 * v + self._ridge * v.sum(axis=0)

    @property
    def _ridge(self) -> float:
        return self.objective.n_rows / self.objective.n_classes**2

    def newton_direction(self, grad: NDArray, proba: NDArray, progress: float) -> NDArray:
        """Solve H v = -grad by conjugate gradients, exactly enough for quadratic convergence."""
        solve = self._preconditioner(proba)
        v, r = np.zeros_like(grad), -grad
        z = solve(r)
        p, rho = z, float(np.vdot(r, z))
        enough = rho * min(1e-2, max(progress, 1e-12))
        for _ in range(MOST_PRODUCTS):
            if rho <= enough:
                break
            q = self.product(proba, p)
            a = rho / float(np.vdot(p, q))
            v, r = v + a * p, r - a * q
            z = solve(r)
            rho, last = float(np.vdot(r, z)), rho
            p = z + rho / last * p
        # the common shift changes no loss and only costs penalty: rounding must not let it grow
        return v - v.mean(axis=0) if len(v) > 1 else v

    def _preconditioner(self, proba: NDArray) -> Callable[[NDArray], NDArray]:
        n_outputs, width = proba.shape[1], self.Z.shape[1]
        extra = self._ridge if n_outputs > 1 else 0.0
        if width > WIDEST_BLOCK:
            weights = proba * (1.0 - proba)
            squares = self.Z.multiply(self.Z) if sp.issparse(self.Z) else self.Z**2
            diagonal = (squares.T @ weights).T + self.l2 + extra
            return lambda r: r / diagonal
        if n_outputs * width > WIDEST_WHOLE:
            factors = [_factor(self._block(proba, i, i, extra)) for i in range(n_outputs)]
            return lambda r: np.array([cho_solve(f, x) for f, x in zip(factors, r, strict=True)])
        whole = np.empty((n_outputs, width, n_outputs, width))
        for i, j in combinations_with_replacement(range(n_outputs), 2):
            whole[i, :, j] = whole[j, :, i] = self._block(proba, i, j, extra)
        factor = _factor(whole.reshape(n_outputs * width, -1))
        return lambda r: cho_solve(factor, r.ravel()).reshape(r.shape)

    def _block(self, proba: NDArray, i: int, j: int, extra: float) -> NDArray:
        """Return ∂²/∂θᵢ∂θⱼ, (width, width), the ridge of the common shift included."""
        weight = proba[:, i] * ((i == j) - proba[:, j])
        block = np.zeros((self.Z.shape[1],) * 2)
        for start in range(0, len(weight), 16_384):
            rows, w = self.Z[start : start + 16_384], weight[start : start + 16_384]
            if sp.issparse(rows):
                block += (rows.T @ sp.diags(w) @ rows).toarray()
            else:
                block += rows.T @ (w[:, None] * rows)
        block[np.diag_indices_from(block)] += (i == j) * self.l2 + extra
        return block


def _factor(block: NDArray) -> Any:
    # a column that is constant, or a sum of others, leaves a zero that rounding may make < 0
    block[np.diag_indices_from(block)] *= 1.0 + 1e-12
    return cho_factor(block, lower=True)
