"""A CSR matrix in a block store: libsvm text, decoded once, and its rows in blocks.

It stands apart from `stored.py` because sparse rows have no columns by name, no categories and no
missing values, and so no encoding; what they share is the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.data import document
from backpass.data.errors import DataError
from backpass.data.labels import label_values
from backpass.data.libsvm import SparsePiece, read_libsvm
from backpass.data.rows import SparseBlock, SparseRows
from backpass.data.selection import Selection
from backpass.data.store import ArrayWriter, StoredArray
from backpass.data.stored import (
    META,
    StoredColumn,
    array_document,
    open_arrays,
    verify_arrays,
    write_meta,
)
from backpass.data.stored_entries import EntriesWriter, StoredEntries

LABEL = "label"  # what the target of libsvm text is called
_DTYPES = {"values": np.float64, "indices": np.int32, "indptr": np.int64, "labels": np.int32}
_HEIGHT = 4096  # rows that are copied at a time


@dataclass(frozen=True)
class StoredSparse:
    """Rows in CSR form, (n_rows, n_columns).

    first_index: what column 0 is called in the file, 0 or 1, and in `indices`. levels: the labels
    by code, as texts. selection: which rows of the arrays, None for all.
    """

    n_columns: int
    first_index: int
    levels: tuple[str, ...]
    values: StoredArray
    indices: StoredArray
    indptr: StoredArray
    labels: StoredArray
    folder: Path | None
    selection: Selection | None = None

    # What a table may have and these rows have not: weights, names, rows without a label.
    weights: ClassVar[None] = None
    weight_name: ClassVar[None] = None
    columns: ClassVar[tuple[()]] = ()
    n_unlabelled: ClassVar[int] = 0

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.labels.n_rows

    @property
    def names(self) -> list[str]:
        """Name the columns as the file counts them: x0, x1, ... or x1, x2, ..."""
        return [f"x{j + self.first_index}" for j in range(self.n_columns)]

    @property
    def target(self) -> StoredColumn:
        """Describe the labels as a table describes its target."""
        return StoredColumn(LABEL, "text", self.levels)

    def arrays(self) -> dict[str, StoredArray]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in _DTYPES}

    def select(self, selection: Selection) -> StoredSparse:
        """Return some of the rows, without copying any."""
        chosen = selection if self.selection is None else self.selection.within(selection)
        labels = self.labels.select(selection)
        return replace(self, labels=labels, folder=None, selection=chosen)

    def verify(self) -> None:
        """Compare every shard of a kept store with its checksum; DataError where one differs."""
        verify_arrays(self.arrays(), self.folder)

    def write_meta(self, folder: Path) -> None:
        """Write the description that `open_sparse` reads."""
        described = {
            "format": 1,
            "kind": "sparse",
            "n_columns": self.n_columns,
            "first_index": self.first_index,
            "levels": list(self.levels),
            "arrays": {name: array_document(array) for name, array in self.arrays().items()},
        }
        write_meta(folder, described)

    def classes(self) -> tuple[NDArray, NDArray[np.int64]]:
        """Return the classes, and for each code of the labels its place among them."""
        labels = label_values(list(self.levels), self.n_rows, "label")
        if labels.dtype.kind == "U":
            labels = np.array([float(level) for level in self.levels])
        classes, places = np.unique(labels, return_inverse=True)
        return classes, places.astype(np.int64)


@dataclass(frozen=True)
class SparseForm:
    """What a model knows of the columns of libsvm text: their number, and what the first is called.

    n_columns None: as many as there are; first_index None: 0 if an index is 0, else 1.
    """

    n_columns: int | None = None
    first_index: int | None = None

    def settled(self, files: list[Path]) -> SparseForm:
        """Return a form that knows where indices count from, by looking at all files if need be."""
        if self.first_index is not None:
            return self
        pieces = (piece for file in files for piece in read_libsvm(file))
        zero = any(len(piece.indices) and piece.indices.min() == 0 for piece in pieces)
        return replace(self, first_index=0 if zero else 1)

    def fitted(self, piece: SparsePiece) -> SparsePiece:
        """Return rows without the entries of columns that are not known."""
        if self.n_columns is None or self.first_index is None:
            return piece
        places = piece.indices - self.first_index
        known = (places >= 0) & (places < self.n_columns)
        if known.all():
            return piece
        ends = np.cumsum(piece.lengths)
        lengths = np.diff(np.concatenate([[0], np.cumsum(known)])[np.concatenate([[0], ends])])
        return SparsePiece(piece.labels, lengths, piece.indices[known], piece.values[known])

    def matrix(self, piece: SparsePiece) -> sparse.csr_matrix:
        """Return rows as a matrix with the columns of the model; the form is settled."""
        assert self.first_index is not None and self.n_columns is not None
        known = self.fitted(piece)
        ends = np.concatenate([[0], np.cumsum(known.lengths)])
        entries = (known.values, known.indices - self.first_index, ends)
        return sparse.csr_matrix(entries, shape=(len(known.labels), self.n_columns))


def read_sparse_into_store(
    files: list[Path],
    folder: Path | None,
    form: SparseForm = SparseForm(),
    on_rows: Callable[[int], None] = lambda count: None,
) -> StoredSparse:
    """Read libsvm files to their end. on_rows: told how many rows were read so far.

    Indices count from 0 if one of them is 0, else from 1: a question about all files together,
    where readers that answer it piece by piece shift some rows and not others. A model that is to
    read further files has it answered by `form`; columns that it does not know are left out.
    """
    if form.n_columns is not None:
        form = form.settled(files)
    entries = EntriesWriter(folder, "", np.float64)
    label_codes = ArrayWriter(folder, "labels", np.int32, 0)
    levels: dict[float, int] = {}
    least, most, n_rows = 1, 0, 0
    for file in files:
        for piece in map(form.fitted, read_libsvm(file)):
            entries.append(piece.lengths, piece.indices, piece.values)
            different, codes = np.unique(piece.labels, return_inverse=True)
            to = np.array([levels.setdefault(v, len(levels)) for v in different.tolist()])
            label_codes.append(to[codes])
            if len(piece.indices):
                least = min(least, int(piece.indices.min()))
                most = max(most, int(piece.indices.max()))
            n_rows += len(piece.labels)
            on_rows(n_rows)
    arrays: dict[str, Any] = {**entries.finish(), "labels": label_codes.finish()}
    if not (arrays["values"].n_rows if form.n_columns is None else n_rows):
        raise DataError("holds no values.", file=files[0])
    words = tuple(str(int(v)) if v == int(v) else repr(v) for v in levels)
    first = least if form.first_index is None else form.first_index
    width = most + 1 - first if form.n_columns is None else form.n_columns
    return StoredSparse(width, first, words, **arrays, folder=folder)


def open_sparse(folder: Path, plain: dict[str, Any]) -> StoredSparse:
    """Open a kept store from the description that `write_meta` wrote."""
    try:
        got = document.fields(
            plain,
            "store",
            format=document.count,
            kind=document.one_of("sparse"),
            n_columns=document.count,
            first_index=document.count,
            levels=document.items(document.text),
            arrays=document.anything,
        )
        arrays: dict[str, Any] = open_arrays(folder, got.pop("arrays"), _DTYPES)
        if any(arrays[name].dtype != dtype for name, dtype in _DTYPES.items()):
            raise document.DocumentError("store.arrays has a wrong dtype.")
    except document.DocumentError as error:
        raise DataError(f"{META}: {error} Ingest the data again.", file=folder) from None
    del got["format"], got["kind"]
    n_rows, n_values = arrays["labels"].n_rows, arrays["values"].n_rows
    if arrays["indptr"].n_rows != n_rows + 1 or arrays["indices"].n_rows != n_values:
        raise DataError("the store's arrays do not fit each other; ingest again.", file=folder)
    return StoredSparse(**got, **arrays, folder=folder)


class SparseCopy:
    """Some rows of a sparse store, on their way to a temporary one."""

    def __init__(self, table: StoredSparse) -> None:
        self.table, self._end = table, 0
        self.writers = {name: ArrayWriter(None, name, kind, 0) for name, kind in _DTYPES.items()}
        self.writers["indptr"].append(np.zeros(1, np.int64))

    def append(self, rows: slice, wanted: NDArray[np.bool_]) -> None:
        """Copy those of these rows that are wanted."""
        for start in range(rows.start, rows.stop, _HEIGHT):
            some = slice(start, min(start + _HEIGHT, rows.stop))
            kept = wanted[some.start - rows.start : some.stop - rows.start]
            ends = self.table.indptr.read(slice(some.start, some.stop + 1))
            lengths, part = np.diff(ends), slice(int(ends[0]), int(ends[-1]))
            of_kept = np.repeat(kept, lengths)
            for name in ("values", "indices"):
                self.writers[name].append(getattr(self.table, name).read(part)[of_kept])
            self.writers["indptr"].append(self._end + np.cumsum(lengths[kept]))
            self._end += int(lengths[kept].sum())
            self.writers["labels"].append(self.table.labels.read(some)[kept])

    def finish(self) -> StoredSparse:
        """Return the store."""
        made: dict[str, Any] = {name: writer.finish() for name, writer in self.writers.items()}
        return replace(self.table, folder=None, **made)


class StoredSparseRows(SparseRows):
    """Rows of a sparse store, read block by block."""

    def __init__(self, table: StoredSparse) -> None:
        self.table = table
        self.n_rows, self.n_columns = table.n_rows, table.n_columns
        parts = (table.values, table.indices, table.indptr)
        bounds = (table.first_index, table.first_index + table.n_columns)
        self.entries = StoredEntries(*parts, bounds, table.selection)

    @property
    def row_width(self) -> float:
        return self.entries.per_row

    def block(self, places: slice) -> SparseBlock:
        read = self.entries.read(places)
        columns = read.places - self.table.first_index
        return SparseBlock(read.ends, columns, read.values, self.n_columns)

    def refuse_nonfinite(self, places: slice) -> None:
        """There is nothing to refuse: a store holds finite numbers."""
