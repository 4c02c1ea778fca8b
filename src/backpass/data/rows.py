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

from backpass.kernels.head import standardise
from backpass.scratch import scratch

Matrix = NDArray[np.float64]
BLOCK_BYTES = 4 * 2**20


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


class Block(ABC):
    """Some rows, (m, d), and the products that objectives are made of."""

    @abstractmethod
    def times(self, weight: Matrix, out: Matrix) -> None:
        """Write X Wᵀ, (m, k), for W (k, d), to out."""

    @abstractmethod
    def pull(self, delta: Matrix) -> Matrix:
        """Return δᵀ X, (k, d), for δ (m, k): a sum over rows."""

    @abstractmethod
    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        """Return root_i · x̃_i, (m, d̃), in this thread's scratch memory, and max ‖x̃_i‖²."""


class Rows(ABC):
    """A data matrix in blocks of `height` rows; n_rows and n_columns are of the whole.

    may_centre: whether columns may be centred, which would fill a sparse matrix.
    """

    may_centre = True

    def __init__(self, X: Any) -> None:
        self.X = X
        self.n_rows, self.n_columns = X.shape

    @abstractmethod
    def height(self, least: int) -> int:
        """Choose B, a power of two, at least about `least` rows."""

    @abstractmethod
    def block(self, places: slice) -> Block:
        """Return the rows at these places."""

    @abstractmethod
    def refuse_nonfinite(self, places: slice) -> None:
        """Raise ValueError for the first value at these places that is inf or nan."""

    def cuts(self, stride: int, least: int = 1) -> list[slice]:
        """List the places of every block at this stride."""
        step = self.height(least) * stride
        return [
            slice(start, min(start + step, self.n_rows), stride)
            for start in range(0, self.n_rows, step)
        ]

    def count(self, stride: int) -> int:
        """Count the rows of the subsample at this stride: blocks start at multiples of it."""
        return len(range(0, self.n_rows, stride))

    def sample(self, stride: int) -> Matrix:
        """Return the subsample at this stride, written out; for measuring columns."""
        view = View(np.zeros(self.n_columns), np.ones(self.n_columns), ones=False)
        root = np.ones(self.count(stride))
        block = self.block(slice(0, self.n_rows, stride))
        return block.standardised(view, root, np.dtype(np.float64))[0].copy()


class DenseRows(Rows):
    """A 2-D array of numbers of any type and order, a memory map too."""

    def height(self, least: int) -> int:
        fit = max(BLOCK_BYTES // (8 * max(self.n_columns, 1)), least, 1)
        return min(max(1 << fit.bit_length() - 1, 64), 32768)

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

    def times(self, weight: Matrix, out: Matrix) -> None:
        if len(weight) == 1:
            np.dot(self.x, weight[0], out=out[:, 0])
        else:
            np.matmul(self.x, weight.T, out=out)

    def pull(self, delta: Matrix) -> Matrix:
        return delta[:, 0].dot(self.x)[None, :] if delta.shape[1] == 1 else delta.T @ self.x

    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide = scratch("standardised", (len(self.x), view.width), dtype)
        longest = standardise(self.x, view.centre, 1.0 / view.scale, root, view.ones, wide)
        return wide, longest


class SparseRows(Rows):
    """A CSR matrix of numbers; blocks are views of it where its rows are consecutive."""

    may_centre = False

    def height(self, least: int) -> int:
        return max(8192, 1 << (least - 1).bit_length())

    def block(self, places: slice) -> SparseBlock:
        if places.step not in (None, 1):
            return SparseBlock(self.X[places].astype(np.float64, copy=False))
        start, stop, _ = places.indices(self.n_rows)
        first, last = self.X.indptr[start], self.X.indptr[stop]
        data = self.X.data[first:last].astype(np.float64, copy=False)
        where = self.X.indptr[start : stop + 1] - first
        parts = (data, self.X.indices[first:last], where)
        return SparseBlock(sparse.csr_matrix(parts, shape=(stop - start, self.n_columns)))

    def refuse_nonfinite(self, places: slice) -> None:
        first, last = self.X.indptr[places.start], self.X.indptr[places.stop]
        bad = ~np.isfinite(self.X.data[first:last])
        if bad.any():
            place = int(first + bad.argmax())
            row = int(np.searchsorted(self.X.indptr, place, side="right")) - 1
            raise ValueError(nonfinite(row, int(self.X.indices[place]), self.X.data[place]))


@dataclass(frozen=True)
class SparseBlock(Block):
    """Rows in CSR form."""

    x: Any

    def times(self, weight: Matrix, out: Matrix) -> None:
        out[...] = self.x @ weight.T

    def pull(self, delta: Matrix) -> Matrix:
        return np.ascontiguousarray((self.x.T @ delta).T)

    def standardised(self, view: View, root: NDArray, dtype: np.dtype) -> tuple[NDArray, float]:
        wide = scratch("standardised", (self.x.shape[0], view.width), dtype)
        longest = standardise(
            self.x.toarray(), view.centre, 1.0 / view.scale, root, view.ones, wide
        )
        return wide, longest


def nonfinite(row: int, column: int, value: float) -> str:
    """Say where a value is inf or NaN, and what to do."""
    name = "NaN" if np.isnan(value) else "inf" if value > 0 else "-inf"
    return (
        f"Input X contains {name}: row {row}, column {column}; expected finite numbers. Drop the "
        "row, fill the value in, or set missing='indicator' or 'drop'."
    )
