"""A curvature with one large category: block-diagonal for its levels, a border for all else.

No row has two levels of one category, so the curvature of its L columns is diagonal (for softmax a
k by k block for each), and the whole is

    H = [ D   B ]      D: (L, k, k), one block a level
        [ Bᵀ  E ]      B: (L, k, R), E: (R, R), R = k · r̃ unknowns of all other columns.

It takes memory of L · R + R² numbers where the matrix would take L², and by its Schur complement
S = E - Bᵀ D⁻¹ B a factorisation takes L · R² operations where Cholesky's takes L³ / 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Bordered:
    """H, of unknowns as an objective lays them out.

    levels: (L, k), rest: (R,), class by class: where the unknowns of D and of E stand in u.
    """

    levels: NDArray[np.intp]
    rest: NDArray[np.intp]
    D: NDArray[np.float64]
    B: NDArray[np.float64]
    E: Matrix

    @classmethod
    def of_pairs(
        cls,
        parts: tuple[NDArray, NDArray, NDArray],
        levels: NDArray[np.intp],
        rest: NDArray[np.intp],
        pair: NDArray[np.intp],
    ) -> Bordered:
        """Lay out sums by class pairs: (P, L), (P, L, r̃) and (P, r̃, r̃); pair: (k, k), p of a, b."""
        diagonal, across, inner = parts
        k, width = len(pair), inner.shape[1]
        D = np.ascontiguousarray(diagonal[pair].transpose(2, 0, 1))
        B = np.empty((len(levels), k, k, width))
        for a, b in np.ndindex(k, k):
            B[:, a, b] = across[pair[a, b]]
        E = inner[pair].transpose(0, 2, 1, 3).reshape(k * width, k * width)
        return cls(levels, rest, D, B.reshape(-1, k, k * width), E)

    def __len__(self) -> int:
        return self.levels.size + self.rest.size

    def __matmul__(self, v: Vector) -> Vector:
        """Return H v."""
        out, inner, outer = np.empty(len(self)), v[self.levels], v[self.rest]
        out[self.levels] = np.einsum("lab,lb->la", self.D, inner) + self.B @ outer
        out[self.rest] = np.tensordot(inner, self.B, axes=2) + self.E @ outer
        return out

    @property
    def diagonal(self) -> Vector:
        """Return the diagonal of H, as u is laid out."""
        out = np.empty(len(self))
        out[self.levels] = np.einsum("laa->la", self.D)
        out[self.rest] = np.diag(self.E)
        return out

    def plus_diagonal(self, ridge: Vector) -> Bordered:
        """Return H + diag(ridge)."""
        D, E = self.D.copy(), self.E.copy()
        np.einsum("laa->la", D)[...] += ridge[self.levels]
        E[np.diag_indices_from(E)] += ridge[self.rest]
        return replace(self, D=D, E=E)

    def within(self, free: NDArray[np.bool_]) -> Bordered:
        """Return H with the rows and columns that are not free, (n_unknowns,), those of 1."""
        inner, outer = free[self.levels].astype(np.float64), free[self.rest].astype(np.float64)
        masked = replace(
            self,
            D=self.D * inner[:, :, None] * inner[:, None, :],
            B=self.B * inner[:, :, None] * outer,
            E=self.E * np.outer(outer, outer),
        )
        return masked.plus_diagonal(np.where(free, 0.0, 1.0))

    def plus_common_shift(self, amount: float, free: NDArray[np.bool_]) -> Bordered:
        """Return H + amount · N Nᵀ, N one unit vector of equal entries in all classes a column.

        free: (n_unknowns,), the unknowns of the columns that are shifted so.
        """
        k = self.levels.shape[1]
        share = np.full((k, k), amount / k)
        D = self.D + share * free[self.levels][:, :, None]
        columns = np.diag(free[self.rest].reshape(k, -1)[0].astype(np.float64))
        return replace(self, D=D, E=self.E + np.kron(share, columns))


class BorderedFactor:
    """Factorises H as `Factor` does a matrix: scaled to a unit diagonal, null directions left out.

    What is left of a column of E beside the levels may be rounding alone, where it is constant
    within each: it is taken for 0, by the size that the column had.
    """

    def __init__(self, matrix: Bordered) -> None:
        self.levels, self.rest = matrix.levels, matrix.rest
        self._D = matrix.D
        diagonal = matrix.diagonal
        unit = np.where(diagonal > 0.0, np.sqrt(np.maximum(diagonal, 0.0)), 1.0)
        self.unit_inner, self.unit = unit[self.levels], unit[self.rest]
        n_levels, k = self.levels.shape
        scaled = matrix.D / (self.unit_inner[:, :, None] * self.unit_inner[:, None, :])
        self._root, whole = _inverse_roots(scaled)
        # A⁻¹ = T Tᵀ for each level's A, so with W = Tᵀ B the complement is E - Wᵀ W.
        W = matrix.B / self.unit_inner[:, :, None]
        W /= self.unit
        W = self._root.transpose(0, 2, 1) @ W
        flat = W.reshape(n_levels * k, -1)
        inner = matrix.E / np.outer(self.unit, self.unit) - flat.T @ flat
        self._W = W
        nothing = np.diag(inner) <= 64.0 * EPS * max(len(inner), 8)
        inner[nothing], inner[:, nothing] = 0.0, 0.0
        self.complement = Factor(inner)
        self.full_rank = whole and self.complement.full_rank

    def solve(self, right: Vector) -> Vector:
        """Return H⁻¹ · right, (n_unknowns,)."""
        out = np.empty(len(right))
        inner, outer = right[self.levels] / self.unit_inner, right[self.rest] / self.unit
        half = np.einsum("lac,la->lc", self._root, inner)  # Tᵀ of the levels' part
        left = self.complement.solve(outer - np.tensordot(half, self._W, axes=2))
        half -= self._W @ left
        out[self.levels] = np.einsum("lac,lc->la", self._root, half) / self.unit_inner
        out[self.rest] = left / self.unit
        return out

    @cached_property
    def inverse_norm(self) -> float:
        """Bound the largest eigenvalue of H⁻¹ from above; it needs full rank.

        H = Lᵀ diag(D, S) L with L = [I M; 0 I], M = D⁻¹B, so ‖H⁻¹‖ <= ‖L⁻¹‖² max(‖D⁻¹‖, ‖S⁻¹‖), and
        ‖L⁻¹‖ is (m + √(m² + 4)) / 2 for m = ‖M‖.
        """
        M = self._root @ self._W
        M /= self.unit_inner[:, :, None]
        M = (M * self.unit).reshape(-1, len(self.unit))
        m = np.sqrt(max(np.linalg.eigvalsh(M.T @ M)[-1], 0.0)) if len(self.unit) else 0.0
        of_levels = np.linalg.eigvalsh(self._D).min(initial=np.inf)
        if not of_levels > 0.0:
            return np.inf
        of_rest = np.linalg.norm(self.complement.inverse() / np.outer(self.unit, self.unit))
        return (0.5 * (m + np.hypot(m, 2.0))) ** 2 * max(1.0 / of_levels, float(of_rest))

    def forms(self, level: NDArray[np.intp], size: Vector, others: Matrix) -> Vector:
        """Return ∑_a (x ⊗ e_a)ᵀ H⁻¹ (x ⊗ e_a) of rows x, over the classes a.

        level: (m,), the row's level, -1 for none; size: (m,), its entry; others: (m, r̃).
        """
        k, width = self.levels.shape[1], others.shape[1]
        there = level >= 0
        found = np.zeros(len(level))
        for a in range(k):
            q = np.zeros((len(level), k * width))
            q[:, a * width : (a + 1) * width] = others / self.unit[a * width : (a + 1) * width]
            entry = size[there] / self.unit_inner[level[there], a]
            half = entry[:, None] * self._root[level[there], a]  # Tᵀ of the levels' part
            q[there] -= np.einsum("ic,icj->ij", half, self._W[level[there]])
            found += np.einsum("ij,ij->i", q, self.complement.solve(q.T).T)
            found[there] += np.square(half).sum(axis=1)
        return found


def _inverse_roots(scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Return T, T Tᵀ = A⁺, of symmetric A (L, k, k), and whether all of them have rank k."""
    k = scaled.shape[1]
    if k == 1:
        values, vectors = scaled[:, 0], np.ones_like(scaled)
    else:
        values, vectors = np.linalg.eigh(scaled)
    kept = values > 8.0 * k * EPS
    root = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return vectors * root[:, None, :], bool(kept.all())
