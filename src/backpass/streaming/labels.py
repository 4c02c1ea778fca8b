"""Labels and weights of a store's rows, read where they are asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backpass.data.labels import label_values
from backpass.data.moments import GRID
from backpass.data.store import StoredArray
from backpass.data.stored import StoredTable
from backpass.data.stored_sparse import StoredSparse


class RowValues:
    """A number for every row, read where it is asked for: as much of an array as objectives use."""

    def __init__(self, n_rows: int, dtype: np.dtype, read: Callable[[slice], NDArray]) -> None:
        self.shape, self.dtype, self._read = (n_rows,), dtype, read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: slice) -> NDArray:
        return self._read(places).astype(self.dtype, copy=False)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> RowValues:
        """Return the same values, to be read as another type."""
        return RowValues(len(self), np.dtype(dtype), self._read)

    def sum(self) -> float:
        """Add all values up, in order."""
        starts = range(0, len(self), GRID)
        return float(sum(self[start : start + GRID].sum() for start in starts))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)


def label_numbers(labels: StoredArray, places: NDArray[np.int64]) -> RowValues:
    """Return the number of every row's class. places: the class of each code of the labels."""
    return RowValues(labels.n_rows, np.dtype(np.int64), lambda rows: places[labels.read(rows)])


def label_counts(table: StoredTable | StoredSparse) -> NDArray[np.int64]:
    """Count the rows of each label, by its code."""
    counts = np.zeros(len(table.target.levels), dtype=np.int64)
    for start in range(0, table.n_rows, GRID):
        codes = table.labels.read(slice(start, start + GRID))
        counts += np.bincount(codes, minlength=len(counts))
    return counts


def classes_of(table: StoredTable) -> tuple[NDArray, NDArray[np.int64]]:
    """Return the classes that occur, and for each code of the target its place among them."""
    counts = label_counts(table)
    there = np.flatnonzero(counts)
    words = [table.target.levels[code] for code in there]
    classes, inverse = np.unique(
        label_values(words, table.n_rows, table.target.name), return_inverse=True
    )
    places = np.full(len(counts), -1, dtype=np.int64)
    places[there] = inverse
    return classes, places
