"""A file's rows as commands use them: columns, labels, weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.cells import MISSING_VALUES
from backpass.data.columns import as_category
from backpass.data.dataset import open_dataset
from backpass.data.errors import DataError
from backpass.data.ingest import read_into_store
from backpass.data.source import read_table
from backpass.data.sources import Reading, Source, find_files, is_sparse
from backpass.data.stored import StoredTable, is_store
from backpass.data.values import number_values

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TextForm:
    """How a text file is written; other formats state these things themselves."""

    encoding: str = "utf-8"
    decimal: str = "."


def read_rows(
    path: Path,
    target: str,
    form: TextForm,
    notes: list[str],
    *,
    weight: str | None = None,
    categorical: Collection[str] = (),
    drop: Collection[str] = (),
    missing_values: tuple[str, ...] | None = None,
    kinds: Mapping[str, Any] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> StoredTable:
    """Read a file, a folder or a glob into a temporary store; arguments as for `read_into_store`.

    A kept store is opened as it is. Rows without a label are left out, and `notes` says so.
    """
    if is_store(path):
        options: dict[str, Any] = {"drop": tuple(drop), "categorical": tuple(categorical)}
        kept = open_dataset(path, target=target, weight=weight, **options).table
        if isinstance(kept, StoredTable):
            return kept
    files = find_files(path)
    if is_sparse(files):
        raise DataError(
            "is libsvm text, whose columns have no names; fit it in Python: "
            "LogisticRegression().fit(backpass.open_dataset(path)).",
            file=path,
        )
    markers = MISSING_VALUES if missing_values is None else missing_values
    table = read_into_store(
        Source(files, Reading(markers, form.encoding, form.decimal)),
        None,
        target=target,
        weight=weight,
        drop=drop,
        categorical=categorical,
        kinds=kinds,
        on_rows=on_rows,
    )
    if table.n_unlabelled:
        notes.append(
            f"{path.name}: {table.n_unlabelled:,} rows have no '{target}' and are left out."
        )
    if table.n_rows == 0:
        raise DataError("has no labels.", file=path, column=target)
    return table


@dataclass(frozen=True)
class LabelledRows:
    """Rows that have a label. labels: the target's cells as text; weight: (n_rows,) or None."""

    columns: pa.Table
    labels: pa.ChunkedArray
    weight: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()

    def take(self, rows: NDArray) -> LabelledRows:
        """Return some of the rows, by number or by mask."""
        where = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            columns=self.columns.take(where),
            labels=self.labels.take(where),
            weight=None if self.weight is None else self.weight[where],
        )


def read_labelled(
    path: Path,
    target: str,
    *,
    weight: str | None = None,
    categorical: Collection[str] = (),
    drop: Collection[str] = (),
    missing_values: tuple[str, ...] | None = None,
    kinds: Mapping[str, Any] | None = None,
) -> LabelledRows:
    """Read a file; rows without a label are left out, and `notes` says so."""
    markers = MISSING_VALUES if missing_values is None else missing_values
    if kinds is not None and weight is not None:
        kinds = {**kinds, weight: "number"}
    table = read_table(
        path, missing_values=markers, text=[target, *categorical], drop=drop, kinds=kinds
    )
    try:
        weights = None if weight is None else _weights(table, weight)
        labels = table[target]
        table = table.drop_columns([target] if weight is None else [target, weight])
        for name in categorical:
            place = table.column_names.index(name)
            table = table.set_column(place, name, as_category(table[name]))
    except DataError as error:
        raise error.in_file(path) from None
    rows = LabelledRows(table, labels, weights)
    if labels.null_count == 0:
        return rows
    has_label = np.asarray(labels.is_valid())
    note = f"{path.name}: {labels.null_count:,} rows have no '{target}' and are left out."
    return replace(rows.take(has_label), notes=(note,))


def _weights(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return the weight column; DataError names the first record whose weight is none."""
    values = number_values(table[name], name)
    wrong = ~(values >= 0.0)
    if wrong.any():
        record = int(wrong.argmax())
        came = "a missing weight" if np.isnan(values[record]) else f"{values[record]:g}"
        raise DataError(f"{came}; weights are numbers, 0 or more.", record=record + 1, column=name)
    if not values.any():
        raise DataError("all weights are 0; at least one row must count.", column=name)
    return values
