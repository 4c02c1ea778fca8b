"""A model measured on labelled rows of a file, the trivial model beside it, block by block."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.cli.saved import column_names
from backpass.cli.words import counted
from backpass.data.dataset import Store
from backpass.data.errors import DataError
from backpass.data.labels import places_of_levels
from backpass.data.stored import StoredTable
from backpass.data.stored_sparse import StoredSparse, StoredSparseRows
from backpass.data.unseen import unseen_words
from backpass.encoding import Encoding
from backpass.formula import Design
from backpass.metrics import trivial_log_proba
from backpass.streaming import StoredEncoded, as_cells, unseen_values
from backpass.tallies import Tally

_HEIGHT = 8192  # rows; fewer where there are many columns


def measured(
    model: Any,
    table: Store,
    shares: NDArray[np.float64] | None,
    notes: list[str],
    path: Path,
) -> tuple[Tally, Tally | None]:
    """Return the model's tally and that of the classes' shares, if they are known.

    Rows that the model cannot place (missing or unseen values, where it takes none) are left
    out of both, and `notes` gains a sentence on it. DataError names the file.
    """
    tally, trivial = Tally(len(model.classes_)), Tally(len(model.classes_))
    try:
        column = table.target.name
        places, note = places_of_levels(table.target.levels, model.classes_, column)
        if note:
            notes.append(f"{path.name}, {note}")
        for rows, usable, log_proba in log_probabilities(model, table):
            y = places[table.labels.read(rows)[usable]]
            weight = None if table.weights is None else table.weights.read(rows)[usable]
            tally.add(y, log_proba, weight)
            if shares is not None:
                trivial.add(y, trivial_log_proba(shares, len(y)), weight)
        if tally.n_rows == 0:
            raise DataError("no row is without missing or unseen values; nothing to measure.")
    except DataError as error:
        raise error.in_file(path) from None
    if isinstance(table, StoredTable) and isinstance(model.encoding_, Encoding):
        unseen = unseen_values(table, model.encoding_)
        if unseen:
            notes.append(f"{path.name}: {unseen_words(unseen, table.n_rows)}")
    lost = table.n_rows - tally.n_rows
    if lost:
        notes.append(
            f"{path.name}: {counted(lost, 'row')} with missing or unseen values left out "
            f"of the measures, {tally.n_rows:,} kept."
        )
    return tally, None if shares is None else trivial


def log_probabilities(
    model: Any, table: Store
) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[np.float64]]]:
    """Yield places of rows, which of them the model takes, and the log-probabilities of these."""
    if isinstance(table, StoredSparse):
        sparse = StoredSparseRows(table)
        height = min(_HEIGHT, sparse.height(1, sparse.n_rows))
        for start in range(0, table.n_rows, height):
            rows = slice(start, min(start + height, table.n_rows))
            log_proba = model.log_proba_of_block(sparse.block(rows))
            yield rows, np.ones(len(log_proba), dtype=bool), log_proba
        return
    if model.encoding_ is None:
        yield from _of_plain_numbers(model, table)
        return
    if isinstance(model.encoding_, Design):
        yield from _of_formula(model, table)
        return
    stored = StoredEncoded(table, model.encoding_)
    encoded = stored.rows()
    height = min(_HEIGHT, encoded.height(1, encoded.n_rows))
    for start in range(0, table.n_rows, height):
        rows = slice(start, min(start + height, table.n_rows))
        usable = stored.usable(rows)
        if usable.any():
            yield rows, usable, model.log_proba_of_block(encoded.block(rows))[usable]


def _of_formula(
    model: Any, table: StoredTable
) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[np.float64]]]:
    """Do the same for a model that makes its columns of the table's by a formula."""
    design = model.encoding_
    for start in range(0, table.n_rows, _HEIGHT):
        rows = slice(start, min(start + _HEIGHT, table.n_rows))
        cells = as_cells(table, design.column_names, rows)
        usable = design.usable_rows(cells)
        if usable.any():
            yield rows, usable, model.predict_log_proba(cells.filter(usable))


def _of_plain_numbers(
    model: Any, table: StoredTable
) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[np.float64]]]:
    """Do the same for a model that knows no encoding, only names and their order."""
    bare = copy.copy(model)  # of rows that have no names
    bare.__dict__.pop("feature_names_in_", None)
    order = [table.place(name) for name in column_names(model)]
    for start in range(0, table.n_rows, _HEIGHT):
        rows = slice(start, min(start + _HEIGHT, table.n_rows))
        x = table.numbers.read(rows)[:, order]
        usable = ~np.isnan(x).any(axis=1)
        if usable.any():
            yield rows, usable, bare.predict_log_proba(x if usable.all() else x[usable])


def as_input(model: Any, table: Any) -> Any:
    """Return a table as the model takes it: one fitted on plain numbers wants them in its order."""
    if model.encoding_ is not None:
        return table
    if hasattr(model, "feature_names_in_"):
        return table.select(list(model.feature_names_in_)).to_pandas()
    return table.select(column_names(model)).to_pandas().to_numpy()
