"""Rows of several parts side by side: numbers as they are, and beside them what is mostly zero.

A category of ten thousand levels is a column of codes here, one int32 a row, and never ten thousand
columns of 0 and 1. In a block its codes become CSR entries of value 1, at most one a category and
row; other sparse columns (hashed words) may stand among them. Products of numbers are dense, those
of entries visit what is there: numbers by entries scatter rows, entries by entries are a weighted
cross-table.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.data.rows import (
    BLOCK_BYTES,
    Block,
    DenseBlock,
    Matrix,
    Rows,
    SparseBlock,
    View,
    gram,
    grams,
    height_of_block,
)
from backpass.kernels.csr import csr_csr_cross, csr_dense_cross, csr_forms
from backpass.scratch import scratch

TALLEST = 1 << 17  # rows of a block, however wide the curvature


@dataclass(frozen=True)
class Border:
    """The columns first, ..., stop - 1 of one category: no row has entries in two of them.

    Their block of the curvature is diagonal (softmax: a k by k block for each), so it is never
    formed as a matrix: they are the border of the matrix of all other columns.
    """

    first: int
    stop: int

    @property
    def n_levels(self) -> int:
        """Count the columns."""
        return self.stop - self.first

    def rest(self, n_columns: int) -> NDArray[np.intp]:
        """List the other columns of n_columns."""
        return np.delete(np.arange(n_columns), slice(self.first, self.stop))

    def without(self, view: View) -> View:
        """Return how the other columns are seen."""
        rest = self.rest(len(view.scale))
        return View(view.centre[rest], view.scale[rest], view.ones)


@dataclass(frozen=True)
class MixedColumns:
    """Where numbers and categories stand among n_columns columns.

    numbers_at: (p,), the numbers' columns. borders: the columns of each category, in order.
    of_code: for each category the column of every code, -1 for none; its last entry, which code -1
    reaches, is -1.
    """

    n_columns: int
    numbers_at: NDArray[np.intp]
    borders: tuple[Border, ...]
    of_code: tuple[NDArray[np.int32], ...]

    def of_codes(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the column of every category's 1, (m, q), -1 for none, for codes (m, q)."""
        columns = np.empty(codes.shape, np.int32)
        for place, to in enumerate(self.of_code):
            columns[:, place] = to[codes[:, place]]
        return columns


class MixedRows(Rows):
    """Numbers and categories of a table, wherever they are stored; numbers may be centred."""

    expands = True

    def __init__(self, n_rows: int, columns: MixedColumns) -> None:
        self.n_rows, self.n_columns, self.columns = n_rows, columns.n_columns, columns
        self.may_centre = np.zeros(self.n_columns, dtype=bool)
        self.may_centre[columns.numbers_at] = True

    @abstractmethod
    def read(self, places: slice) -> tuple[Matrix, NDArray[np.int32]]:
        """Return the numbers, (m, p), and the column of every category's 1, (m, q); -1 for none."""

    @property
    def row_width(self) -> float:
        return len(self.columns.numbers_at) + len(self.columns.borders)

    @property
    def largest(self) -> Border | None:
        """Return the category with most columns."""
        return max(self.columns.borders, key=lambda border: border.n_levels, default=None)

    def height(self, least: int, n_rows: int) -> int:
        # An entry of CSR takes about as much as two numbers.
        numbers = len(self.columns.numbers_at) + 2 * len(self.columns.borders)
        fit = min(BLOCK_BYTES // (8 * max(numbers, 1)), 32768)
        return height_of_block(max(fit, 64), min(least, TALLEST), n_rows)

    def block(self, places: slice) -> MixedBlock:
        numbers, columns = self.read(places)
        there = columns >= 0
        ends = np.zeros(len(numbers) + 1, dtype=np.int64)
        np.cumsum(np.count_nonzero(there, axis=1), out=ends[1:])
        indices = columns[there]
        entries = SparseBlock(ends, indices, np.ones(len(indices)), self.n_columns)
        return MixedBlock(aligned(numbers), self.columns.numbers_at, entries)


class MixedTable(MixedRows):
    """Numbers, (n_rows, p) float64, and codes of categories, (n_rows, q) int32, in memory."""

    def __init__(self, numbers: Matrix, codes: NDArray[np.int32], columns: MixedColumns) -> None:
        super().__init__(len(numbers), columns)
        self.numbers, self.codes = numbers, codes

    def read(self, places: slice) -> tuple[Matrix, NDArray[np.int32]]:
        columns = self.columns.of_codes(self.codes[places])
        return self.numbers[places], columns

    def refuse_nonfinite(self, places: slice) -> None:
        """There is nothing to refuse: encoded numbers are finite, and missing ones filled."""


def aligned(numbers: Matrix) -> Matrix:
    """Return an array in C order that begins at a multiple of 64 bytes, or a copy that does.

    Where an array begins decides which instructions BLAS sums its ends with, and so the last bits.
    """
    if numbers.flags.c_contiguous and numbers.ctypes.data % 64 == 0:
        return numbers
    copy = scratch("aligned", numbers.shape)
    np.copyto(copy, numbers)
    return copy


@dataclass(frozen=True)
class MixedBlock(Block):
    """Numbers, (m, p), of the columns `numbers_at`, and entries of others, in CSR over all."""

    numbers: Matrix
    numbers_at: NDArray[np.intp]
    entries: SparseBlock

    def __len__(self) -> int:
        return len(self.numbers)

    def times(self, weight: Matrix, out: Matrix) -> None:
        self.entries.times(weight, out)
        out += self.numbers @ weight[:, self.numbers_at].T

    def pull(self, delta: Matrix) -> Matrix:
        pulled = self.entries.pull(delta)
        pulled[:, self.numbers_at] = DenseBlock(self.numbers).pull(delta)
        return pulled

    def moments(self, weight: NDArray) -> tuple[NDArray, NDArray]:
        mean, about = self.entries.moments(weight)
        own = DenseBlock(self.numbers).moments(weight)
        mean[self.numbers_at], about[self.numbers_at] = own
        return mean, about

    def gram(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide, _ = self._numbers(view, root)
        weight = np.square(root)
        found = self._joined(view, gram(wide), self._cross(view, root, wide), weight)
        return found, self._longest(view)

    def grams(self, view: View, weights: Matrix) -> tuple[NDArray, float]:
        wide, _ = self._numbers(view, np.ones(len(self)))
        found = np.empty((weights.shape[1], view.width, view.width))
        for p, own in enumerate(grams(wide, weights)):
            weight = np.ascontiguousarray(weights[:, p])
            found[p] = self._joined(view, own, self._cross(view, weight, wide), weight)
        return found, self._longest(view)

    def bordered_grams(
        self, view: View, weights: Matrix, border: Border
    ) -> tuple[NDArray, NDArray, NDArray, float]:
        """Return the same in three parts: (P, L), the diagonal of the border's columns; (P, L, r̃),
        their products with the others; (P, r̃, r̃), those of the others; and max ‖x̃_i‖²."""
        level, rest = self.split(border)
        seen, n_pairs = border.without(view), weights.shape[1]
        wide, _ = rest._numbers(seen, np.ones(len(self)))
        inner, _ = rest.grams(seen, weights)
        diagonal = np.empty((n_pairs, border.n_levels))
        across = np.zeros((n_pairs, border.n_levels, seen.width))
        at = rest._numbers_at(seen)
        first = (*level.parts, 1.0 / view.scale[border.first : border.stop])
        for p in range(n_pairs):
            weight = np.ascontiguousarray(weights[:, p])
            by_entry = np.repeat(weight, np.diff(level.indptr))
            diagonal[p] = np.bincount(level.indices, by_entry, border.n_levels) * first[3] ** 2
            scattered = np.zeros((border.n_levels, wide.shape[1]))
            csr_dense_cross(*first, weight, wide, scattered)
            csr_csr_cross(*first, weight, *rest.entries.parts, 1.0 / seen.scale, across[p])
            across[p][:, at] += scattered
        return diagonal, across, inner, self._longest(view)

    def split(self, border: Border) -> tuple[SparseBlock, MixedBlock]:
        """Return the border's entries, one a row at most, and a block of all other columns."""
        entries = self.entries
        inside = (entries.indices >= border.first) & (entries.indices < border.stop)
        row = np.repeat(np.arange(len(self)), np.diff(entries.indptr))

        def taken(these: NDArray, indices: NDArray, n_columns: int) -> SparseBlock:
            ends = np.zeros(len(self) + 1, dtype=np.int64)
            np.cumsum(np.bincount(row[these], minlength=len(self)), out=ends[1:])
            return SparseBlock(ends, indices, entries.data[these], n_columns)

        rest = border.rest(entries.n_columns)
        place = np.full(entries.n_columns, -1)
        place[rest] = np.arange(len(rest))
        level = taken(inside, entries.indices[inside] - border.first, border.n_levels)
        others = taken(~inside, place[entries.indices[~inside]], len(rest))
        return level, MixedBlock(self.numbers, place[self.numbers_at], others)

    def chosen(self, columns: NDArray[np.intp]) -> MixedBlock:
        place = np.full(self.entries.n_columns, -1)
        place[columns] = np.arange(len(columns))
        at = place[self.numbers_at]
        numbers = np.ascontiguousarray(self.numbers[:, at >= 0])
        return MixedBlock(numbers, at[at >= 0], self.entries.chosen(columns))

    def forms(self, view: View, matrix: Matrix) -> NDArray[np.float64]:
        wide, _ = self._numbers(view, np.ones(len(self)))
        at = self._numbers_at(view)
        found = np.einsum("ij,ij->i", wide @ matrix[np.ix_(at, at)], wide)
        cross = np.ascontiguousarray(matrix[: self.entries.n_columns, at])
        csr_forms(*self.entries.parts, 1.0 / view.scale, matrix, cross, wide, found)
        return found

    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        return DenseBlock(self.written_out()).standardised(view, root, dtype)

    def written_out(self) -> Matrix:
        full = self.entries.written_out()
        full[:, self.numbers_at] = self.numbers
        return full

    # Parts of x̃: the numbers with the column of ones, and the entries.

    def _numbers(self, view: View, root: NDArray) -> tuple[NDArray, float]:
        at = self.numbers_at
        seen = View(view.centre[at], view.scale[at], view.ones)
        return DenseBlock(self.numbers).standardised(seen, root, np.dtype(np.float64))

    def _numbers_at(self, view: View) -> NDArray[np.intp]:
        """Return where the columns of `_numbers` stand in x̃."""
        return np.append(self.numbers_at, len(view.scale)) if view.ones else self.numbers_at

    def _longest(self, view: View) -> float:
        at = self.numbers_at
        numbers = np.square((self.numbers - view.centre[at]) / view.scale[at]).sum(axis=1)
        return float((self.entries.norms(view) + numbers).max(initial=0.0))

    def _cross(self, view: View, weight: NDArray, wide: NDArray) -> Matrix:
        """Return ∑ weight_i x̃_entries wide_iᵀ, (d, p̃)."""
        cross = np.zeros((self.entries.n_columns, wide.shape[1]))
        csr_dense_cross(*self.entries.parts, 1.0 / view.scale, weight, wide, cross)
        return cross

    def _joined(self, view: View, numbers: Matrix, cross: Matrix, weight: NDArray) -> Matrix:
        """Lay the products of numbers and those with entries into the products of entries."""
        found = self.entries.products(view, weight)
        at, d = self._numbers_at(view), self.entries.n_columns
        found[:d, at] = cross
        found[at, :d] = cross.T
        found[np.ix_(at, at)] = numbers
        return found
