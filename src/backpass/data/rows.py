"""Rows in blocks: what a full-batch evaluation reads, whatever the storage.

Block i of n rows at stride s is every s-th row of [i·B·s, (i+1)·B·s). B is a function of shapes
alone, so cuts, and with them the last bits of sums, are the same for any number of threads, in
memory or streamed. A stride spreads a subsample over the whole data, so sorted rows do no harm.
Every storage offers the same few products: XW, Xᵀδ, and X̃ written out for Xᵀdiag(s)X. No source
copies X: a block is a view where X is float64 in C order, else a converted copy of B rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.kernels.csr import (
    csr_forms,
    csr_gram,
    csr_moments,
    csr_norms,
    csr_pull,
    csr_times,
    has_duplicates,
)
from backpass.kernels.head import standardise
from backpass.scratch import scratch

Matrix = NDArray[np.float64]
BLOCK_BYTES = 4 * 2**20
PRODUCTS_UP_TO = 64  # columns; up to it all x̃_a x̃_b of a row are written out for many weights


@dataclass(frozen=True)
class View:
    """How a solver sees the columns: (x - centre) / scale, then a column of ones for the intercept.

    It conditions the solver's numbers and moves no optimum. Sparse rows have centre 0.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    ones: bool

    @property
    def width(self) -> int:
        """Count the columns of X̃."""
        return len(self.scale) + int(self.ones)

    def chosen(self, columns: NDArray[np.intp]) -> View:
        """Return how it sees some of the columns."""
        return View(self.centre[columns], self.scale[columns], self.ones)


class Block(ABC):
    """Some rows, (m, d), and the products that objectives are made of."""

    @abstractmethod
    def times(self, weight: Matrix, out: Matrix) -> None:
        """Write X Wᵀ, (m, k), for W (k, d), to out."""

    @abstractmethod
    def pull(self, delta: Matrix) -> Matrix:
        """Return δᵀ X, (k, d), for δ (m, k): a sum over rows."""

    @abstractmethod
    def gram(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        """Return ∑ root_i² x̃_i x̃_iᵀ, (d̃, d̃), with products in `dtype`, and max ‖x̃_i‖²."""

    def grams(self, view: View, weights: Matrix) -> tuple[NDArray, float]:
        """Return ∑ weights_ip x̃_i x̃_iᵀ, (P, d̃, d̃), for weights (m, P) ≷ 0, and max ‖x̃_i‖²."""
        wide, longest = self.standardised(view, np.ones(len(weights)), np.dtype(np.float64))
        return grams(wide, weights), longest

    def forms(self, view: View, matrix: Matrix) -> NDArray[np.float64]:
        """Return x̃_iᵀ M x̃_i of every row, (m,), for a symmetric M (d̃, d̃)."""
        wide, _ = self.standardised(view, np.ones(len(self)), np.dtype(np.float64))
        return np.einsum("ij,ij->i", wide @ matrix, wide)

    @abstractmethod
    def chosen(self, columns: NDArray[np.intp]) -> Block:
        """Return the same rows over some columns, ascending, alone."""

    def __matmul__(self, right: Matrix) -> Matrix:
        """Return X R, (m, k), for R (d, k)."""
        out = np.empty((len(self), right.shape[1]))
        self.times(np.ascontiguousarray(right.T), out)
        return out

    @abstractmethod
    def written_out(self) -> Matrix:
        """Return X as an array, (m, d)."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def moments(self, weight: NDArray) -> tuple[NDArray, NDArray]:
        """Return, by column, the weighted mean, and √∑ w (x - mean)² (weights are not all 0)."""

    @abstractmethod
    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        """Return root_i · x̃_i, (m, d̃), in this thread's scratch memory, and max ‖x̃_i‖²."""


class Rows(ABC):
    """A data matrix in blocks of `height` rows; n_rows and n_columns are of the whole.

    may_centre: whether columns may be centred, which would fill a sparse matrix; or which may,
    (n_columns,). expands: whether writing rows out as numbers takes more memory than they do.
    """

    may_centre: bool | NDArray[np.bool_] = True
    expands = False

    def __init__(self, X: Any) -> None:
        self.X = X
        self.n_rows, self.n_columns = X.shape

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_rows, n_columns)."""
        return self.n_rows, self.n_columns

    @property
    def row_width(self) -> float:
        """Count the numbers of a row that a product visits, on average."""
        return self.n_columns

    @abstractmethod
    def height(self, least: int, n_rows: int) -> int:
        """Choose B, a power of two, at least about `least` rows; n_rows: of the (sub)sample."""

    @abstractmethod
    def block(self, places: slice) -> Block:
        """Return the rows at these places."""

    @abstractmethod
    def refuse_nonfinite(self, places: slice) -> None:
        """Raise ValueError for the first value at these places that is inf or nan."""

    def cuts(self, stride: int, least: int = 1) -> list[slice]:
        """List the places of every block at this stride."""
        step = self.height(least, self.count(stride)) * stride
        return [
            slice(start, min(start + step, self.n_rows), stride)
            for start in range(0, self.n_rows, step)
        ]

    def __matmul__(self, right: Matrix) -> Matrix:
        """Return X R, (n_rows, k), for R (d, k)."""
        out = np.empty((self.n_rows, right.shape[1]))
        for places in self.cuts(1):
            out[places] = self.block(places) @ right
        return out

    def __getitem__(self, places: slice) -> Matrix:
        """Return the rows at these places as an array, (m, n_columns)."""
        return self.block(places).written_out()

    def count(self, stride: int) -> int:
        """Count the rows of the subsample at this stride: blocks start at multiples of it."""
        return len(range(0, self.n_rows, stride))


class DenseRows(Rows):
    """A 2-D array of numbers of any type and order, a memory map too."""

    def height(self, least: int, n_rows: int) -> int:
        fit = BLOCK_BYTES // (8 * max(self.n_columns, 1))
        return height_of_block(min(max(fit, 64), 32768), least, n_rows)

    def block(self, places: slice) -> DenseBlock:
        rows = self.X[places]
        if rows.dtype == np.float64 and rows.flags.c_contiguous and rows.flags.aligned:
            return DenseBlock(rows)
        copy = scratch("rows", rows.shape)
        np.copyto(copy, rows)
        return DenseBlock(copy)

    def refuse_nonfinite(self, places: slice) -> None:
        bad = ~np.isfinite(self.X[places])
        if bad.any():
            row, column = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            row += places.start
            raise ValueError(nonfinite(row, column, self.X[row, column]))


@dataclass(frozen=True)
class DenseBlock(Block):
    """Rows as a C-ordered float64 array."""

    x: Matrix

    def __len__(self) -> int:
        return len(self.x)

    def times(self, weight: Matrix, out: Matrix) -> None:
        if len(weight) == 1:
            np.dot(self.x, weight[0], out=out[:, 0])
        else:
            np.matmul(self.x, weight.T, out=out)

    def pull(self, delta: Matrix) -> Matrix:
        return delta[:, 0].dot(self.x)[None, :] if delta.shape[1] == 1 else delta.T @ self.x

    def written_out(self) -> Matrix:
        return self.x

    def chosen(self, columns: NDArray[np.intp]) -> DenseBlock:
        return DenseBlock(np.ascontiguousarray(self.x[:, columns]))

    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide = scratch("standardised", (len(self.x), view.width), dtype)
        longest = standardise(self.x, view.centre, 1.0 / view.scale, root, view.ones, wide)
        return wide, longest

    def gram(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide, longest = self.standardised(view, root, dtype)
        return gram(wide), longest

    def moments(self, weight: NDArray) -> tuple[NDArray, NDArray]:
        total = weight.sum()
        mean = weight @ self.x / total
        # The mean of the shifted column repairs the rounding of the first one, also at 1e8 ± 1.
        mean += weight @ (self.x - mean) / total
        # Divided by its largest value first, a column of 1e200 or 1e-200 can be squared.
        largest = np.abs(self.x - mean).max(axis=0, initial=0.0)
        unit = np.where(largest > 0.0, largest, 1.0)
        return mean, unit * np.sqrt(weight @ np.square((self.x - mean) / unit))


def gram(wide: NDArray) -> NDArray:
    """Return XᵀX, (d, d); NumPy sees that both factors are one and asks BLAS for half the work."""
    return wide.T @ wide


def grams(wide: Matrix, weights: Matrix) -> NDArray[np.float64]:
    """Return ∑ weights_ip x̃_i x̃_iᵀ, (P, d̃, d̃), symmetric to the bit.

    As one product, weightsᵀ (all x̃_a x̃_b), it is some ten times faster than one by one, where
    rows are short.
    """
    d = wide.shape[1]
    found = np.empty((weights.shape[1], d, d))
    if d <= PRODUCTS_UP_TO:
        a, b = np.triu_indices(d)
        found[:, a, b] = weights.T @ (wide[:, a] * wide[:, b])
        found[:, b, a] = found[:, a, b]
        return found
    for p, weight in enumerate(weights.T):
        one = wide.T @ (weight[:, None] * wide)
        np.add(one, one.T, out=found[p])
    found *= 0.5
    return found


class SparseRows(Rows):
    """A CSR matrix of numbers; blocks are views of it where its rows are consecutive."""

    may_centre = False
    expands = True

    def __init__(self, X: Any) -> None:
        # Entries may stand in any order, but twice in one place only as their sum: squares differ.
        twice = not X.has_canonical_format and has_duplicates(X.indptr, X.indices, X.shape[1])
        super().__init__(X.tocsr(copy=True) if twice else X)
        if twice:
            self.X.sum_duplicates()

    def height(self, least: int, n_rows: int) -> int:
        # A block ends in a sum of as many numbers as there are columns.
        return height_of_block(8192, max(least, min(self.n_columns // 2, 8192)), n_rows)

    @property
    def row_width(self) -> float:
        return self.X.nnz / max(self.n_rows, 1)

    def block(self, places: slice) -> SparseBlock:
        X = self.X if places.step in (None, 1) else self.X[places]
        start, stop = (places.start, places.stop) if X is self.X else (0, X.shape[0])
        first, last = X.indptr[start], X.indptr[stop]
        data = X.data[first:last].astype(np.float64, copy=False)
        where = X.indptr[start : stop + 1] - first
        return SparseBlock(where, X.indices[first:last], data, self.n_columns)

    def refuse_nonfinite(self, places: slice) -> None:
        first, last = self.X.indptr[places.start], self.X.indptr[places.stop]
        bad = ~np.isfinite(self.X.data[first:last])
        if bad.any():
            place = int(first + bad.argmax())
            row = int(np.searchsorted(self.X.indptr, place, side="right")) - 1
            raise ValueError(nonfinite(row, int(self.X.indices[place]), self.X.data[place]))


@dataclass(frozen=True)
class SparseBlock(Block):
    """Rows in CSR form; entry e of row i has indptr[i] <= e < indptr[i + 1]."""

    indptr: NDArray
    indices: NDArray
    data: Matrix
    n_columns: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def parts(self) -> tuple[NDArray, NDArray, Matrix]:
        """Return the three arrays as kernels take them."""
        return self.indptr, self.indices, self.data

    def times(self, weight: Matrix, out: Matrix) -> None:
        csr_times(*self.parts, np.ascontiguousarray(weight.T), out)

    def pull(self, delta: Matrix) -> Matrix:
        pulled = np.zeros((self.n_columns, delta.shape[1]))
        csr_pull(*self.parts, delta, pulled)
        return np.ascontiguousarray(pulled.T)

    def gram(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        found = self.products(view, np.square(root))
        return found, float(self.norms(view).max(initial=0.0))

    def written_out(self) -> Matrix:
        parts = (self.data, self.indices, self.indptr)
        return sparse.csr_array(parts, shape=(len(self), self.n_columns)).toarray()

    def chosen(self, columns: NDArray[np.intp]) -> SparseBlock:
        place = np.full(self.n_columns, -1)
        place[columns] = np.arange(len(columns))
        first, last = self.indptr[0], self.indptr[-1]
        indices = place[self.indices[first:last]]
        kept = indices >= 0
        ends = np.append(0, np.cumsum(kept))[self.indptr - first]
        return SparseBlock(ends, indices[kept], self.data[first:last][kept], len(columns))

    def products(self, view: View, weight: NDArray) -> Matrix:
        """Return ∑ weight_i x̃_i x̃_iᵀ, (d̃, d̃); weights may be negative."""
        found = np.zeros((view.width, view.width))
        csr_gram(*self.parts, 1.0 / view.scale, weight, view.ones, found)
        return found + found.T

    def forms(self, view: View, matrix: Matrix) -> NDArray[np.float64]:
        rest = np.ones((len(self), int(view.ones)))
        found = np.full(len(self), matrix[-1, -1] if view.ones else 0.0)
        cross = np.ascontiguousarray(matrix[: self.n_columns, self.n_columns :])
        csr_forms(*self.parts, 1.0 / view.scale, matrix, cross, rest, found)
        return found

    def norms(self, view: View) -> NDArray[np.float64]:
        """Return ‖x̃_i‖² of every row, (m,)."""
        norms = np.empty(len(self))
        csr_norms(*self.parts, 1.0 / view.scale, norms)
        return norms + float(view.ones)

    def moments(self, weight: NDArray) -> tuple[NDArray, NDArray]:
        total = weight.sum()
        unit, mean, squares = np.zeros((3, self.n_columns))
        csr_moments(self.indptr, self.indices, self.data, weight, unit, mean, squares)
        mean /= total
        central = np.maximum(squares - total * np.square(mean), 0.0)  # about the mean, zeros too
        return unit * mean, unit * np.sqrt(central)

    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide = scratch("standardised", (len(self), view.width), dtype)
        full = self.written_out()
        longest = standardise(full, view.centre, 1.0 / view.scale, root, view.ones, wide)
        return wide, longest


def height_of_block(most: int, least: int, n_rows: int) -> int:
    """Choose a block's rows, a power of two: at most `most`, and at least `least`.

    Where rows are few, a quarter of them and 1024 at least, so that two threads find equal work.
    """
    height = max(min(most, max(n_rows // 4, 1024)), least, 1)
    return 1 << height.bit_length() - 1


def nonfinite(row: int, column: int, value: float) -> str:
    """Say where a value is inf or NaN, and what to do."""
    name = "NaN" if np.isnan(value) else "inf" if value > 0 else "-inf"
    return (
        f"Input X contains {name}: row {row}, column {column}; expected finite numbers. Drop the "
        "row, fill the value in, or set missing='indicator' or 'drop'."
    )
