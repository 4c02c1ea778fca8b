"""A fit from a block store: an encoding learned from it, and its rows in blocks, encoded as read.

Every number is the one that the same table in memory gives, bit for bit: moments are taken on a
fixed grid, and a block is encoded by the same code when it is read. What stays in memory is a
block per thread and a column's levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backpass.data.columns import Category, Column, Number, category_from, number_from
from backpass.data.errors import DataError
from backpass.data.labels import label_values
from backpass.data.mixed import MixedRows
from backpass.data.moments import GRID, Moments
from backpass.data.rows import DenseBlock, DenseRows, Rows
from backpass.data.split import StratifiedDraw
from backpass.data.store import ArrayWriter, StoredArray
from backpass.data.stored import (
    WORDS,
    StoredColumn,
    StoredTable,
    StoredText,
    read_rows,
    text_entries,
)
from backpass.data.stored_entries import EntriesWriter
from backpass.data.stored_sparse import SparseCopy, StoredSparse
from backpass.data.text_column import Text, text_from
from backpass.data.unseen import EXAMPLES, Unseen
from backpass.encoding import Codes, Encoding
from backpass.scratch import scratch
from backpass.streaming_text import StoredWords, measured_texts, text_counts, without_text

Stored = TypeVar("Stored", bound=StoredTable | StoredSparse)


@dataclass(frozen=True)
class StreamedFit:
    """What a fit reads. y: classes by number; weight: of every row, or None where all are 1."""

    stored: StoredEncoded
    encoding: Encoding
    classes: NDArray
    y: RowValues
    weight: RowValues | None


def prepare(
    table: StoredTable,
    missing: str,
    reference: Mapping[str, str] | None,
    standardize: bool = False,
) -> StreamedFit:
    """Learn columns and classes from a store; the others as in `Encoding.learn`."""
    learner = StoredLearner(table)
    encoding = Encoding.learn_from(
        learner, missing=missing, reference=reference, standardize=standardize
    )
    table = learner.learned_from
    classes, places = classes_of(table)
    y = label_numbers(table.labels, places)
    weights = table.weights
    weight = (
        None if weights is None else RowValues(table.n_rows, np.dtype(np.float64), weights.read)
    )
    return StreamedFit(StoredEncoded(table, encoding), encoding, classes, y, weight)


def label_numbers(labels: StoredArray, places: NDArray[np.int64]) -> RowValues:
    """Return the number of every row's class. places: the class of each code of the labels."""
    return RowValues(labels.n_rows, np.dtype(np.int64), lambda rows: places[labels.read(rows)])


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


def unseen_values(table: StoredTable, encoding: Encoding) -> dict[str, Unseen]:
    """Count the rows of each column whose values an encoding did not see: at most one reading."""
    strange: dict[str, NDArray[np.bool_]] = {}
    stored = {c.name: c.levels for c in table.columns if isinstance(c, StoredColumn)}
    for column in encoding.columns:
        if isinstance(column, Category):
            known = {*column.levels}
            marks = np.array([level not in known for level in stored.get(column.name, ())], bool)
            if marks.any():
                strange[column.name] = marks
    counts = {name: np.zeros(len(marks), np.int64) for name, marks in strange.items()}
    for start in range(0, table.n_rows if strange else 0, GRID):
        codes = read_rows(table.codes, slice(start, min(start + GRID, table.n_rows)))
        for name, count in counts.items():
            own = codes[:, table.place(name)]
            count += np.bincount(own[own >= 0], minlength=len(count))
    found = {}
    for name, count in counts.items():
        there = np.flatnonzero(strange[name] & (count > 0))
        examples = tuple(stored[name][code] for code in there[:EXAMPLES])
        if len(there):
            found[name] = Unseen(int(count[there].sum()), examples)
    return found


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


class StoredLearner:
    """A store to learn an encoding from. learned_from: the rows that the last `learn` saw."""

    def __init__(self, table: StoredTable) -> None:
        self.table = self.learned_from = table
        self.names, self.n_rows = table.names, table.n_rows
        self._all: dict[str, Moments | NDArray[np.int64]] | None = None

    def learn(
        self, names: list[str], indicator: bool, complete: bool
    ) -> tuple[dict[str, Column | str], int]:
        """Learn these columns from all rows, or from those without missing values in them."""
        if complete and self.missing_counts(names):
            table = complete_rows(self.table, names)
            found = survey(table)
        else:
            table, found = self.table, self._survey()
        self.learned_from = table
        if table.n_rows == 0:
            return {}, 0
        learned: dict[str, Column | str] = {}
        for column in table.columns:
            if column.name not in names:
                continue
            known = found[column.name]
            if isinstance(known, Moments):
                boolean = column.kind == "boolean"
                learned[column.name] = number_from(
                    column.name, known, table.n_rows, indicator, boolean
                )
                continue
            if isinstance(column, StoredText):
                learned[column.name] = text_from(
                    column.name, column.called, known, table.n_rows, indicator
                )
                continue
            counts = {
                level: int(count)
                for level, count in zip(column.levels, known[1:], strict=True)
                if count
            }
            own = list(column.levels) if column.own_order else None
            learned[column.name] = category_from(
                column.name, counts, table.n_rows, indicator, column.declared, own
            )
        return learned | measured_texts(table, learned), table.n_rows

    def missing_counts(self, names: list[str]) -> dict[str, int]:
        """Count the missing values of those of these columns that have any."""
        counts = {
            name: self.n_rows - known.count if isinstance(known, Moments) else int(known[0])
            for name, known in self._survey().items()
            if name in names
        }
        return {name: count for name, count in counts.items() if count}

    def _survey(self) -> dict[str, Moments | NDArray[np.int64]]:
        if self._all is None:
            self._all = survey(self.table)
        return self._all


def survey(table: StoredTable) -> dict[str, Moments | NDArray[np.int64]]:
    """Take every column's moments, or count its levels (missing first): one reading."""
    found: dict[str, Moments | NDArray[np.int64]] = {}
    plain = [column for column in table.columns if isinstance(column, StoredColumn)]
    for column in plain:
        levels = np.zeros(len(column.levels) + 1, np.int64)
        found[column.name] = levels if column.kind == "text" else Moments()
    for start in range(0, table.n_rows, GRID):
        numbers, codes = pieces(table, slice(start, min(start + GRID, table.n_rows)))
        for column in plain:
            known, place = found[column.name], table.place(column.name)
            if isinstance(known, Moments):
                values = np.ascontiguousarray(numbers[:, place])
                known.add(values[~np.isnan(values)])
            else:
                known += np.bincount(codes[:, place] + 1, minlength=len(known))
    return found | text_counts(table)


def pieces(table: StoredTable, rows: slice) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return numbers and codes of some rows, in this thread's scratch memory."""
    n_rows = len(range(*rows.indices(table.n_rows)))
    numbers = scratch("stored numbers", (n_rows, table.numbers.width))
    codes = scratch("stored codes", (n_rows, table.codes.width), np.int32)
    read_rows(table.numbers, rows, numbers)
    read_rows(table.codes, rows, codes)
    return numbers, codes


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


def _copy(table: StoredTable | StoredSparse) -> Any:
    """Begin a copy of a store's rows."""
    return SparseCopy(table) if isinstance(table, StoredSparse) else _Copy(table)


def label_counts(table: StoredTable | StoredSparse) -> NDArray[np.int64]:
    """Count the rows of each label, by its code."""
    counts = np.zeros(len(table.target.levels), dtype=np.int64)
    for start in range(0, table.n_rows, GRID):
        codes = table.labels.read(slice(start, start + GRID))
        counts += np.bincount(codes, minlength=len(counts))
    return counts


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


class StoredEncoded:
    """Rows of a store, encoded block by block as they are read."""

    def __init__(self, table: StoredTable, encoding: Encoding) -> None:
        self.table, self.encoding = table, encoding
        self._places = [table.place(column.name) for column in encoding.columns]
        self._codes = {
            column.name: _recoding(table, column)
            for column in encoding.columns
            if isinstance(column, Category)
        }
        # Then the stored matrix is the encoded one, as it stands.
        self.as_it_is = not encoding.standardize and all(
            isinstance(column, Number) and column.varies and not column.indicator
            for column in encoding.columns
        )
        self.as_it_is &= self._places == list(range(table.numbers.width))

    def usable(self, places: slice) -> NDArray[np.bool_]:
        """Mark the rows that the model takes: where values may not be missing, none is."""
        numbers, stored = pieces(self.table, places)
        usable = np.ones(len(numbers), dtype=bool)
        for column, place in zip(self.encoding.columns, self._places, strict=True):
            if self.encoding.takes_missing(column):
                continue
            if isinstance(column, Text):
                usable &= ~without_text(self.table, places, [column.name])
            elif isinstance(column, Category):
                usable &= self._codes[column.name][stored[:, place]] >= 0
            else:
                usable &= ~np.isnan(numbers[:, place])
        return usable

    def codes(self, places: slice) -> Codes:
        """Encode some rows, categories as codes of the encoding."""
        numbers, stored = pieces(self.table, places)
        columns: list[NDArray[np.float64]] = []
        categories: list[NDArray[np.int32]] = []
        for column, place in zip(self.encoding.columns, self._places, strict=True):
            if isinstance(column, Category):
                categories.append(self._codes[column.name][stored[:, place]])
            elif isinstance(column, Number):
                value = numbers[:, place]
                columns += self.encoding.number_columns(column, value, np.isnan(value))
        return Codes(_matrix(columns, len(numbers), float), _matrix(categories, len(numbers), int))

    def rows(self) -> Rows:
        """Return the rows as a fit takes them: categories stay codes; numbers alone are dense."""
        if self.encoding.texts:
            return StoredWords(self.table, self.encoding, StoredMixed(self))
        return StoredMixed(self) if self._codes else StoredNumbers(self)

    def written_out(self, places: slice = slice(None)) -> NDArray[np.float64]:
        """Return rows as one array, for a fit that needs them in any order.

        Raises DataError where there is free text, whose words are too many columns for that.
        """
        if self.encoding.texts:
            raise DataError(
                "is free text; a network's rows are written out, and words are tens of thousands "
                "of columns. Fit a logistic regression, without hidden layers.",
                column=self.encoding.texts[0].name,
            )
        start, stop, _ = places.indices(self.table.n_rows)
        out = np.empty((stop - start, len(self.encoding.coef_names)))
        for first in range(start, stop, GRID):
            some = slice(first, min(first + GRID, stop))
            self.encoding.expand(self.codes(some), out[first - start : some.stop - start])
        return out


class StoredNumbers(DenseRows):
    """Rows of a store that become numbers alone."""

    def __init__(self, stored: StoredEncoded) -> None:
        self.stored = stored
        self.n_rows, self.n_columns = stored.table.n_rows, len(stored.encoding.coef_names)

    def block(self, places: slice) -> DenseBlock:
        if not self.stored.as_it_is:
            return DenseBlock(self.stored.codes(places).numbers)
        n_rows = len(range(*places.indices(self.n_rows)))
        out = scratch("rows", (n_rows, self.n_columns))
        return DenseBlock(self.stored.table.numbers.read(places, out))

    def refuse_nonfinite(self, places: slice) -> None:
        """There is nothing to refuse: a store holds finite numbers, and missing ones are filled."""


class StoredMixed(MixedRows):
    """Rows of a store with categories, which stay codes."""

    def __init__(self, stored: StoredEncoded) -> None:
        super().__init__(stored.table.n_rows, stored.encoding.mixed_columns)
        self.stored = stored

    def read(self, places: slice) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        codes = self.stored.codes(places)
        return codes.numbers, self.columns.of_codes(codes.categories)

    def refuse_nonfinite(self, places: slice) -> None:
        """There is nothing to refuse: a store holds finite numbers, and missing ones are filled."""


def _recoding(table: StoredTable, column: Category) -> NDArray[np.int32]:
    """Return the encoding's code of every stored code; the last entry, of -1, is for missing."""
    stored = next(c for c in table.columns if c.name == column.name)
    if not isinstance(stored, StoredColumn):
        raise DataError(
            "is free text in the store, but was a category at the fit; ingest the data again.",
            column=column.name,
        )
    levels = stored.levels
    place = {level: code for code, level in enumerate(column.levels)}
    fallback = len(column.levels) if column.own_category else -1
    return np.array([*(place.get(level, fallback) for level in levels), fallback], dtype=np.int32)


def _matrix(columns: list[Any], n_rows: int, kind: type) -> NDArray:
    out = np.empty((n_rows, len(columns)), np.float64 if kind is float else np.int32)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out
