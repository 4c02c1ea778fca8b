"""Rows of a cross-validation, in a block store: shown split by split, never copied, read in blocks.

It offers what `portions.py` does for rows in memory. What a split costs in memory is a byte a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.dataset import Dataset, Store
from backpass.data.rows import Rows as RowsInBlocks
from backpass.data.selection import Selection
from backpass.data.split import GRID
from backpass.data.stored_sparse import StoredSparse, StoredSparseRows
from backpass.estimators.beside import read_offset
from backpass.estimators.folds import Pair, Rows
from backpass.estimators.given import Given
from backpass.metrics import Scores
from backpass.streaming import StoredEncoded, classes_of, label_numbers
from backpass.tallies import Tally

MEASURES = {
    "neg_log_loss": lambda scores: -scores.log_loss,
    "accuracy": lambda scores: scores.accuracy,
    "roc_auc": lambda scores: scores.auc,
    "neg_brier_score": lambda scores: -scores.brier,
}


@dataclass(frozen=True)
class StoredPortion:
    """Some rows of a store. names: the classes; places: the class of every code of the labels."""

    table: Store
    names: NDArray
    places: NDArray[np.int64]
    offset: NDArray | None

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.table.n_rows

    @property
    def X(self) -> NDArray:
        """Stand in for the rows where a splitter wants to count them."""
        return np.empty((self.n_rows, 0))

    def labels(self) -> NDArray:
        """Return the class of every row, by number."""
        small = np.int16 if len(self.names) < 1 << 15 else np.int64
        return label_numbers(self.table.labels, self.places).astype(small)[:]

    def classes(self, rows: Rows | None = None) -> NDArray:
        """Return the classes of rows that count: those without weight do not. None: all rows."""
        portion = self if rows is None else self.take(rows)
        table, weights = portion.table, getattr(portion.table, "weights", None)
        there = np.zeros(len(self.names), dtype=bool)
        for start in range(0, table.n_rows, GRID):
            some = slice(start, min(start + GRID, table.n_rows))
            codes = table.labels.read(some)
            there[self.places[codes if weights is None else codes[weights.read(some) > 0.0]]] = True
        return self.names[there]

    def take(self, rows: Rows) -> StoredPortion:
        """Return some of the rows, each once, in the order of the data."""
        marks = np.asarray(rows)
        if marks.dtype != bool:
            marks = np.zeros(self.n_rows, dtype=bool)
            marks[rows] = True
        offset = self.offset
        if offset is not None and offset.ndim:
            offset = offset[marks]
        table = self.table.select(Selection(marks))
        return StoredPortion(table, self.names, self.places, offset)

    def under_penalty(self, model: Any) -> dict[str, Any]:
        """Return parameters of fits under a penalty: all levels have coefficients."""
        return {"reference": None}

    def without_incomplete(self, splits: Sequence[Pair], model: Any) -> Sequence[Pair]:
        """Return the splits: which rows are left out of a fit is seen when it reads them."""
        return splits

    def given(self, model: Any) -> Given:
        """Let a LogisticRegression read these rows, learning columns from them."""
        return model._read(Dataset(None, self.table, {}), None, None, self.offset)

    def score(self, model: Any, scoring: str) -> float:
        """Score a fitted model; larger is better. Rows that it cannot place do not count."""
        tally, offset = Tally(len(self.names)), self.offset
        weights = getattr(self.table, "weights", None)
        for some, usable, block in self._blocks(model):
            added = offset
            if offset is not None:
                own = offset[some] if offset.ndim else offset
                added = read_offset(own, len(usable), len(self.names))
            log_proba = model.log_proba_of_block(block, added)[usable]
            y = self.places[self.table.labels.read(some)[usable]]
            tally.add(y, log_proba, None if weights is None else weights.read(some)[usable])
        scores: Scores = tally.scores()
        return float(MEASURES[scoring](scores))

    def _blocks(self, model: Any) -> Iterator[tuple[slice, NDArray[np.bool_], Any]]:
        """Yield places of rows, which of them the model takes, and the rows as it sees them."""
        rows: RowsInBlocks
        if isinstance(self.table, StoredSparse):
            rows, encoded = StoredSparseRows(self.table), None
        else:
            encoded = StoredEncoded(self.table, model.encoding_)
            rows = encoded.rows()
        for some in rows.cuts(1):
            count = len(range(*some.indices(rows.n_rows)))
            usable = np.ones(count, dtype=bool) if encoded is None else encoded.usable(some)
            if usable.any():
                yield some, usable, rows.block(some)


def stored_portion(dataset: Dataset, offset: Any, scoring: Any) -> StoredPortion:
    """Return the rows of a dataset; ValueError for a scoring that needs all rows in memory."""
    if not isinstance(scoring, str) or scoring not in MEASURES:
        raise ValueError(
            f"scoring is {scoring!r}, but a dataset's rows are scored block by block; it is one of "
            f"{', '.join(map(repr, MEASURES))}."
        )
    table = dataset.table
    names, places = table.classes() if isinstance(table, StoredSparse) else classes_of(table)
    added = None if offset is None else np.asarray(offset, dtype=np.float64)
    return StoredPortion(table, names, places, added)
