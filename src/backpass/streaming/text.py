"""Free text of a block store: what is learned from its counts, and rows with words in them.

It is apart from `rows.py` because words are entries of a sparse matrix, not columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.data.columns import Column
from backpass.data.errors import DataError
from backpass.data.mixed import MixedRows
from backpass.data.rows import height_of_block
from backpass.data.stored import StoredTable
from backpass.data.text_column import Text, TextRows
from backpass.data.word_rows import WordRows
from backpass.data.words import N_PLACES
from backpass.encoding import Encoding


def text_counts(table: StoredTable) -> dict[str, NDArray[np.int64]]:
    """Count the rows that have each place of every text column, missing texts first: one reading.

    Counts are whole numbers, so they are the same however the rows are cut.
    """
    if table.words is None:
        return {}
    counts = np.zeros(len(table.texts) * N_PLACES, np.int64)
    for _, entries in table.words.pieces():
        counts += np.bincount(entries.places, minlength=len(counts))
    by_column = counts.reshape(-1, N_PLACES)
    return {text.name: by_column[place] for place, text in enumerate(table.texts)}


def measured_texts(
    table: StoredTable, learned: Mapping[str, Column | str]
) -> dict[str, Column | str]:
    """Add mean and deviation of every word's tf-idf to the columns of free text: one reading."""
    texts = {name: text for name, text in learned.items() if isinstance(text, Text)}
    if table.words is None or not texts:
        return {}
    rows = TextRows([texts.get(text.name) for text in table.texts])
    total, squares = np.zeros(rows.width), np.zeros(rows.width)
    for _, entries in table.words.pieces():
        encoded = rows.encoded(entries)
        total += np.bincount(encoded.indices, encoded.data, rows.width)
        squares += np.bincount(encoded.indices, np.square(encoded.data), rows.width)
    mean = total / table.n_rows
    # Values are from 0 to 1, so the difference of squares loses nothing that matters.
    deviation = np.sqrt(np.maximum(squares / table.n_rows - np.square(mean), 0.0))
    found: dict[str, Column | str] = {}
    place = 0
    for text in table.texts:
        if text.name in texts:
            own = texts[text.name]
            first, place = place + own.indicator, place + len(own.coef_names)
            found[text.name] = replace(
                own,
                mean=tuple(mean[first:place].tolist()),
                deviation=tuple(deviation[first:place].tolist()),
            )
    return found


def without_text(table: StoredTable, places: slice, names: list[str]) -> NDArray[np.bool_]:
    """Mark the rows, (m,), where one of these columns of free text has none."""
    gone = np.zeros(places.stop - places.start, dtype=bool)
    marks = [place * N_PLACES for place, text in enumerate(table.texts) if text.name in names]
    if table.words is None or not marks:
        return gone
    for piece, entries in table.words.pieces(places.start, places.stop):
        where = np.flatnonzero(np.isin(entries.places, marks))
        rows = np.searchsorted(entries.ends, where, side="right") - 1
        gone[piece.start - places.start + rows] = True
    return gone


class StoredWords(WordRows):
    """Rows of a store with free text, encoded block by block as they are read."""

    def __init__(self, table: StoredTable, encoding: Encoding, plain: MixedRows) -> None:
        known = {text.name: text for text in encoding.texts}
        plain_ones = set(known) - {text.name for text in table.texts}
        if plain_ones or table.words is None:
            raise DataError(
                "is no free text in the store, but was at the fit; ingest the data again.",
                column=min(plain_ones, default=None),
            )
        self._texts = TextRows([known.get(text.name) for text in table.texts], list(known))
        self._counts = table.words
        super().__init__(plain, self._texts.width)

    @property
    def row_width(self) -> float:
        return super().row_width + self._counts.per_row

    def height(self, least: int, n_rows: int) -> int:
        # A block ends in a sum of as many numbers as there are columns; of long texts it has fewer.
        most = self._counts.height
        return height_of_block(most, max(least, min(self.n_columns // 2, most)), n_rows)

    def words(self, places: slice) -> sparse.csr_array:
        return self._texts.encoded(self._counts.read(places))
