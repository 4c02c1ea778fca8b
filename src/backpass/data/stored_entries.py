"""Sparse rows in a block store: entries in three arrays, read by row number.

It is apart from `stored_sparse.py` because a table's text columns are kept in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backpass.data.errors import DataError
from backpass.data.selection import Selection
from backpass.data.store import ArrayWriter, StoredArray
from backpass.data.words import Entries

_PIECE_BYTES = 8 << 20
_MOST_ROWS = 1 << 16


@dataclass(frozen=True)
class StoredEntries:
    """Entries of rows: row i has indptr[i] to indptr[i + 1], each an index and a value.

    bounds: indices are at least the first and below the second. selection: which rows of the arrays
    these are, None for all.
    """

    values: StoredArray
    indices: StoredArray
    indptr: StoredArray
    bounds: tuple[int, int]
    selection: Selection | None = None

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.indptr.n_rows - 1 if self.selection is None else self.selection.n_rows

    @property
    def per_row(self) -> float:
        """Count the entries of a row, on average over all rows of the arrays."""
        return self.values.n_rows / max(self.indptr.n_rows - 1, 1)

    def select(self, selection: Selection) -> StoredEntries:
        """Return some of the rows, without copying any."""
        chosen = selection if self.selection is None else self.selection.within(selection)
        return replace(self, selection=chosen)

    @property
    def height(self) -> int:
        """Choose a number of rows, a power of two, that have some 8 MB of entries on average.

        A sum over a block costs as much as its columns, of which words are many: so not too few.
        """
        each = (self.values.row_bytes + self.indices.row_bytes) * self.per_row
        fit = int(_PIECE_BYTES / max(each, 1.0))
        return min(max(1 << max(fit, 1).bit_length() - 1, 64), _MOST_ROWS)

    def read(self, places: slice) -> Entries:
        """Return the rows at these places."""
        numbers = np.arange(*places.indices(self.n_rows), dtype=np.int64)
        if self.selection is not None:
            numbers = self.selection.numbers(places)
        # The end of a row is where the next one begins, which may not be among these.
        firsts = self.indptr.gather(numbers)
        lengths = self.indptr.gather(numbers + 1) - firsts
        if (lengths < 0).any() or (firsts + lengths > self.values.n_rows).any():
            raise DataError("the store's rows of entries do not follow each other; ingest again.")
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        values = np.empty(int(indptr[-1]), self.values.dtype)
        indices = np.empty(len(values), dtype=np.int32)
        breaks = 1 + np.flatnonzero(firsts[1:] != firsts[:-1] + lengths[:-1])
        for first, last in pairwise([0, *breaks.tolist(), len(numbers)] if len(numbers) else []):
            part = slice(int(indptr[first]), int(indptr[last]))
            held = slice(int(firsts[first]), int(firsts[first]) + part.stop - part.start)
            self.values.read(held, values[part])
            self.indices.read(held, indices[part])
        least, end = self.bounds
        # Compiled code uses them as places in memory, and a kept store may come from anybody.
        if len(indices) and not least <= int(indices.min()) <= int(indices.max()) < end:
            raise DataError("the store's entries have columns that it does not have; ingest again.")
        return Entries(indptr, indices, values)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[slice, Entries]]:
        """Yield the rows from start to stop, some at a time, with their places."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        for first in range(start, stop, self.height):
            places = slice(first, min(first + self.height, stop))
            yield places, self.read(places)


class EntriesWriter:
    """Appends rows of entries; `finish` gives what to read them from."""

    def __init__(self, folder: Path | None, lead: str, dtype: DTypeLike) -> None:
        self.values = ArrayWriter(folder, f"{lead}values", dtype, 0)
        self.indices = ArrayWriter(folder, f"{lead}indices", np.int32, 0)
        self.indptr = ArrayWriter(folder, f"{lead}indptr", np.int64, 0)
        self.indptr.append(np.zeros(1, np.int64))
        self._end = 0

    def append(self, lengths: NDArray[np.integer], indices: NDArray, values: NDArray) -> None:
        """Write rows at the end. lengths: the number of each row's entries."""
        self.values.append(values)
        self.indices.append(indices)
        self.indptr.append(self._end + np.cumsum(lengths, dtype=np.int64))
        self._end += len(values)

    def finish(self) -> dict[str, StoredArray]:
        """Write what is left and return the arrays, as `StoredEntries` names them."""
        return {
            "values": self.values.finish(),
            "indices": self.indices.finish(),
            "indptr": self.indptr.finish(),
        }
