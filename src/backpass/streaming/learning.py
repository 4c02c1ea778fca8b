"""An encoding and the classes, learned from a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.data.columns import Column, category_from, number_from
from backpass.data.moments import GRID, Moments
from backpass.data.stored import StoredColumn, StoredTable, StoredText
from backpass.data.text_column import text_from
from backpass.encoding import Encoding
from backpass.streaming.copies import complete_rows
from backpass.streaming.labels import RowValues, classes_of, label_numbers
from backpass.streaming.pieces import pieces
from backpass.streaming.rows import StoredEncoded
from backpass.streaming.text import measured_texts, text_counts


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
