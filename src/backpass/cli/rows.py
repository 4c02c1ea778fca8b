"""A file's rows as commands use them: columns, labels, weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backpass.cli.terminal import collected_warnings
from backpass.data.cells import MISSING_VALUES, Kind
from backpass.data.csv import refuse_absent
from backpass.data.dataset import Store, open_dataset, refuse_names
from backpass.data.errors import DataError
from backpass.data.ingest import read_into_store
from backpass.data.sources import Reading, Source, find_files, is_sparse
from backpass.data.stored import is_store
from backpass.data.stored_sparse import SparseForm, StoredSparse, read_sparse_into_store
from backpass.data.values import number_values

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TextForm:
    """How a text file is written; other formats state these things themselves.

    sparse: what is known of the columns of libsvm text; None where they are known by name.
    """

    encoding: str = "utf-8"
    decimal: str = "."
    sparse: SparseForm | None = field(default_factory=SparseForm)


def read_rows(
    path: Path,
    target: str,
    form: TextForm,
    notes: list[str],
    *,
    weight: str | None = None,
    categorical: Collection[str] = (),
    text: Collection[str] = (),
    drop: Collection[str] = (),
    missing_values: tuple[str, ...] | None = None,
    kinds: Mapping[str, Any] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> Store:
    """Read a file, a folder or a glob into a temporary store; arguments as for `read_into_store`.

    A kept store is opened as it is. Rows without a label are left out, and `notes` says so.
    """
    if is_store(path):
        options: dict[str, Any] = {"drop": tuple(drop), "categorical": tuple(categorical)}
        options["text"] = tuple(text)
        kept = open_dataset(path, target=target, weight=weight, **options).table
        _refuse_other_columns(kept, path, form.sparse, kinds or {})
        return kept
    files = find_files(path)
    if is_sparse(files):
        if form.sparse is None:
            raise DataError("is libsvm text, but the model knows its columns by name.", file=path)
        refuse_names(path, [target, weight], [*categorical, *drop])
        return read_sparse_into_store(files, None, form.sparse, on_rows)
    markers = MISSING_VALUES if missing_values is None else missing_values
    with collected_warnings(notes):
        table = read_into_store(
            Source(files, Reading(markers, form.encoding, form.decimal)),
            None,
            target=target,
            weight=weight,
            drop=drop,
            categorical=categorical,
            text=text,
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


def _refuse_other_columns(
    kept: Store, path: Path, known: SparseForm | None, kinds: Mapping[str, Kind]
) -> None:
    """Refuse a kept store whose columns are not those that a model knows."""
    if not isinstance(kept, StoredSparse):
        refuse_absent(path, kept.names, kinds)
    elif known is None:
        raise DataError("holds libsvm text, but the model knows its columns by name.", file=path)
    elif known.n_columns not in (None, kept.n_columns) or known.first_index not in (
        None,
        kept.first_index,
    ):
        raise DataError(
            f"holds libsvm text of {kept.n_columns:,} columns from index {kept.first_index}, the "
            f"model has {known.n_columns:,} from {known.first_index}; name the text, not a store.",
            file=path,
        )


@dataclass(frozen=True)
class Records:
    """Some records of a file. labels: the target's cells as text, none missing."""

    columns: pa.Table
    labels: pa.ChunkedArray


def read_records(
    path: Path,
    numbers: Sequence[int],
    target: str,
    kinds: Mapping[str, Kind],
    missing_values: tuple[str, ...],
    form: TextForm,
) -> Records:
    """Read the records with these numbers, counted from 1, in this order.

    The file is read up to the last of them. DataError names the record.
    """
    import pyarrow as pa

    source = Source(find_files(path), Reading(missing_values, form.encoding, form.decimal))
    wanted: dict[str, Kind] = {**kinds, target: "text"}
    found: dict[int, pa.Table] = {}
    before = 0
    for chunk in source.chunks(list(wanted)):
        for number in {*numbers} - {*found}:
            if before < number <= before + chunk.table.num_rows:
                record = chunk.table.slice(number - before - 1, 1)
                found[number] = _checked(source, record, wanted, target, number, path)
        before += chunk.table.num_rows
        if len(found) == len({*numbers}):
            break
    for number in numbers:
        if number not in found:
            raise DataError(f"no row {number}; there are rows 1 to {before:,}.", file=path)
    table = pa.concat_tables([found[number] for number in numbers])
    return Records(table.select(list(kinds)), table[target])


def _checked(
    source: Source, record: pa.Table, kinds: dict[str, Kind], target: str, number: int, path: Path
) -> pa.Table:
    """Return one record as a model reads it; DataError where a cell is not as it should be."""
    try:
        typed = source.typed(record, kinds)
        for name, kind in kinds.items():
            if kind in ("number", "boolean"):
                number_values(typed[name], name)
        if typed[target].null_count:
            raise DataError("has no label.", record=1, column=target)
    except DataError as error:
        raise error.further_on(number - 1).in_file(path) from None
    return typed
