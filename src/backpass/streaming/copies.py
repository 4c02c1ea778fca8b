"""Some rows of a store as a store of their own: those held out, those without missing values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from backpass.data.moments import GRID
from backpass.data.split import StratifiedDraw
from backpass.data.store import ArrayWriter
from backpass.data.stored import WORDS, StoredTable, text_entries
from backpass.data.stored_entries import EntriesWriter
from backpass.data.stored_sparse import SparseCopy, StoredSparse
from backpass.streaming.labels import label_counts
from backpass.streaming.pieces import pieces
from backpass.streaming.text import without_text

Stored = TypeVar("Stored", bound=StoredTable | StoredSparse)


def hold_out(table: Stored, share: float, seed: int) -> tuple[Stored, Stored]:
    """Copy the rows to fit on, and those held out by class, to temporary stores."""
    draw = StratifiedDraw(label_counts(table), share, seed)
    kept, held = _copy(table), _copy(table)
    for start in range(0, table.n_rows, GRID):
        rows = slice(start, min(start + GRID, table.n_rows))
        drawn = draw.next(table.labels.read(rows))
        kept.append(rows, ~drawn)
        held.append(rows, drawn)
    return kept.finish(), held.finish()


def complete_rows(table: StoredTable, names: list[str]) -> StoredTable:
    """Copy the rows that have a value in every one of these columns to a temporary store."""
    named = [column for column in table.columns if column.name in names]
    numbers_of = [
        table.place(column.name) for column in named if column.kind in ("number", "boolean")
    ]
    codes_of = [table.place(column.name) for column in named if column.kind == "text"]
    kept = _Copy(table)
    for start in range(0, table.n_rows, GRID):
        rows = slice(start, min(start + GRID, table.n_rows))
        numbers, codes = pieces(table, rows)
        whole = np.ones(len(numbers), dtype=bool)
        whole &= ~np.isnan(numbers[:, numbers_of]).any(axis=1)
        whole &= (codes[:, codes_of] >= 0).all(axis=1)
        whole &= ~without_text(table, rows, names)
        kept.append(rows, whole)
    return kept.finish()


def _copy(table: StoredTable | StoredSparse) -> Any:
    """Begin a copy of a store's rows."""
    return SparseCopy(table) if isinstance(table, StoredSparse) else _Copy(table)


class _Copy:
    """Some rows of a store, on their way to a temporary one."""

    def __init__(self, table: StoredTable) -> None:
        self.table = table
        self.writers = {
            name: ArrayWriter(None, name, array.dtype, array.width)
            for name, array in table.by_row().items()
        }
        self.words = EntriesWriter(None, WORDS, np.int32)

    def append(self, rows: slice, wanted: NDArray[np.bool_]) -> None:
        """Copy those of these rows that are wanted."""
        for name, array in self.table.by_row().items():
            if array.n_rows:
                self.writers[name].append(array.read(rows)[wanted])
        if self.table.words is not None:
            for places, entries in self.table.words.pieces(rows.start, rows.stop):
                kept = entries.take(wanted[places.start - rows.start : places.stop - rows.start])
                self.words.append(np.diff(kept.ends), kept.places, kept.values)

    def finish(self) -> StoredTable:
        """Return the store."""
        made: dict[str, Any] = {name: writer.finish() for name, writer in self.writers.items()}
        made["words"] = text_entries(self.words.finish(), len(self.table.texts))
        return replace(self.table, folder=None, **made)
