"""The forms in which an objective's curvature is summed up over blocks: a matrix, or bordered.

The curvature is ∑ S_i ⊗ x̃_i x̃_iᵀ, S_i a row's bend: a number for a sigmoid, w (diag(π) - π πᵀ) for
a softmax, which is a weight for every pair of classes a <= b. A form asks a block for its sums
under these weights, and lays their total out as u is: weights, class by class, then biases.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backpass.bordered import Bordered, BorderedFactor
from backpass.data.mixed import Border, MixedBlock, MixedRows
from backpass.data.rows import Block, Rows, View
from backpass.factor import Factor
from backpass.scratch import scratch

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
MATRIX_UP_TO = 2000  # unknowns
BORDERED_BYTES = 48 * 2**20  # of one curvature that is bordered: up to ten are held at once
DOUBLE = np.dtype(np.float64)
RowForms = Callable[[Block], Vector]


class Form(ABC):
    """How the curvature of k outputs over the columns that `view` sees is held."""

    def __init__(self, view: View, n_outputs: int) -> None:
        self.view, self.n_outputs = view, n_outputs

    @abstractmethod
    def part(self, block: Block, weights: Matrix) -> tuple[tuple[NDArray, ...], float]:
        """Return the sums over a block that the curvature is made of, and max ‖x̃_i‖².

        weights: (m, k (k + 1) / 2), of every row and pair of classes.
        """

    @abstractmethod
    def whole(self, made: list[NDArray], ridge: Vector) -> Matrix | Bordered:
        """Return the curvature that sums over all blocks make, plus diag(ridge)."""

    @abstractmethod
    def row_forms(self, factor: Factor | BorderedFactor) -> RowForms:
        """Return block -> ∑_a x̃_iᵀ (H⁻¹)_aa x̃_i of its rows, (m,), over the classes a."""


class AsMatrix(Form):
    """A matrix, (n_parameters, n_parameters)."""

    def part(self, block: Block, weights: Matrix) -> tuple[tuple[NDArray, ...], float]:
        if self.n_outputs == 1:
            matrix, longest = block.gram(self.view, np.sqrt(weights[:, 0]), DOUBLE)
        else:
            matrix, longest = block.grams(self.view, weights)
        return (matrix,), longest

    def whole(self, made: list[NDArray], ridge: Vector) -> Matrix:
        full = made[0] if self.n_outputs == 1 else np.take(made[0], self._places)
        full[np.diag_indices_from(full)] += ridge
        return full

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """Say where in the sums by pairs of classes each entry of a curvature stands."""
        k, wide = self.n_outputs, self.view.width
        sums = np.arange(k * (k + 1) // 2 * wide**2).reshape(-1, wide, wide)
        by_class = sums[pair_table(k)].transpose(0, 2, 1, 3).reshape(k * wide, k * wide)
        back = np.argsort(class_order(self.view, k))
        return by_class[np.ix_(back, back)]

    def row_forms(self, factor: Factor | BorderedFactor) -> RowForms:
        assert isinstance(factor, Factor)
        k, wide, order = self.n_outputs, self.view.width, class_order(self.view, self.n_outputs)
        by_class = factor.inverse()[np.ix_(order, order)].reshape(k, wide, k, wide)
        middle = np.einsum("aiaj->ij", by_class)
        return lambda block: block.forms(self.view, middle)


class OfColumns(AsMatrix):
    """A matrix over some of the columns, where that over all is too wide.

    places: where its unknowns stand in u.
    """

    def __init__(self, view: View, n_outputs: int, columns: NDArray[np.intp]) -> None:
        super().__init__(view.chosen(columns), n_outputs)
        self.columns = columns
        d = len(view.scale)
        weights = (d * np.arange(n_outputs)[:, None] + columns).reshape(-1)
        biases = n_outputs * d + np.arange(n_outputs * int(view.ones))
        self.places = np.concatenate([weights, biases])

    def part(self, block: Block, weights: Matrix) -> tuple[tuple[NDArray, ...], float]:
        return super().part(block.chosen(self.columns), weights)

    def whole(self, made: list[NDArray], ridge: Vector) -> Matrix:
        return super().whole(made, ridge[self.places])


class WithBorder(Form):
    """Block-diagonal for the columns of one category, which border the matrix of all others."""

    def __init__(self, view: View, n_outputs: int, border: Border) -> None:
        super().__init__(view, n_outputs)
        self.border = border

    def part(self, block: Block, weights: Matrix) -> tuple[tuple[NDArray, ...], float]:
        assert isinstance(block, MixedBlock)
        *made, longest = block.bordered_grams(self.view, weights, self.border)
        return tuple(made), longest

    def whole(self, made: list[NDArray], ridge: Vector) -> Bordered:
        k, wide = self.n_outputs, self.view.width
        by_class = class_order(self.view, k).reshape(k, wide)
        levels = np.ascontiguousarray(by_class[:, self.border.first : self.border.stop].T)
        rest = by_class[:, self.border.rest(wide)].reshape(-1)
        parts = (made[0], made[1], made[2])
        return Bordered.of_pairs(parts, levels, rest, pair_table(k)).plus_diagonal(ridge)

    def row_forms(self, factor: Factor | BorderedFactor) -> RowForms:
        assert isinstance(factor, BorderedFactor)
        first, seen = self.border.first, self.border.without(self.view)

        def forms(block: Block) -> Vector:
            assert isinstance(block, MixedBlock)
            entries, rest = block.split(self.border)
            level, size = np.full(len(block), -1), np.zeros(len(block))
            there = np.diff(entries.indptr) > 0
            level[there] = entries.indices
            size[there] = entries.data / self.view.scale[first + entries.indices]
            others, _ = rest.standardised(seen, np.ones(len(block)), DOUBLE)
            return factor.forms(level, size, others)

        return forms


def chosen_form(rows: Rows, view: View, n_outputs: int) -> Form:
    """Return the form for these rows: bordered where a matrix is too wide and a border is not.

    D, B and E of `Bordered` have to fit.
    """
    border = rows.largest if isinstance(rows, MixedRows) else None
    if n_outputs * view.width > MATRIX_UP_TO and border is not None:
        k, others = n_outputs, view.width - border.n_levels
        size = border.n_levels * k * k * (1 + others) + (k * others) ** 2
        if 8 * size <= BORDERED_BYTES:
            return WithBorder(view, n_outputs, border)
    return AsMatrix(view, n_outputs)


def class_order(view: View, n_outputs: int) -> NDArray[np.intp]:
    """Return where (class a, column j of x̃) stands in u, class by class."""
    k, d = n_outputs, len(view.scale)
    weight = np.arange(k * d).reshape(k, d)
    if not view.ones:
        return weight.reshape(-1)
    return np.hstack([weight, k * d + np.arange(k)[:, None]]).reshape(-1)


def class_pairs(proba: Matrix, weight: Vector) -> Matrix:
    """Return w (diag(π) - π πᵀ)_ab of every row, (m, k (k + 1) / 2), for the pairs a <= b."""
    from backpass.kernels.head import softmax_bends

    n_rows, k = proba.shape
    pairs = scratch("class pairs", (n_rows, k * (k + 1) // 2))
    softmax_bends(proba, weight, pairs)
    return pairs


def pair_table(k: int) -> NDArray[np.intp]:
    """Return the place of a pair of classes among those a <= b, (k, k)."""
    table = np.empty((k, k), dtype=np.intp)
    upper = np.triu_indices(k)
    table[upper] = np.arange(len(upper[0]))
    table.T[upper] = table[upper]
    return table
