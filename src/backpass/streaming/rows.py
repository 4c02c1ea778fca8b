"""Rows of a store as a fit takes them, encoded block by block as they are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.data.columns import Category, Number
from backpass.data.errors import DataError
from backpass.data.mixed import MixedRows
from backpass.data.moments import GRID
from backpass.data.rows import DenseBlock, DenseRows, Rows
from backpass.data.stored import StoredColumn, StoredTable, read_rows
from backpass.data.text_column import Text
from backpass.data.unseen import EXAMPLES, Unseen
from backpass.encoding import Codes, Encoding, side_by_side
from backpass.scratch import scratch
from backpass.streaming.pieces import pieces
from backpass.streaming.text import StoredWords, without_text


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
        return Codes(
            side_by_side(columns, len(numbers), np.float64),
            side_by_side(categories, len(numbers), np.int32),
        )

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
