"""`open_dataset` and `ingest`: files of any size, read in blocks and never whole.

What a fit reads is a block store (`store.py`). For files it is made when it is first needed, with
no name, so nothing stays behind; `ingest` makes one to keep.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backpass.data.cells import MISSING_VALUES
from backpass.data.errors import DataError
from backpass.data.ingest import read_into_store, refuse_two_readings
from backpass.data.sources import Reading, Source, find_files, is_sparse
from backpass.data.stored import StoredTable, is_store, open_stored, read_meta
from backpass.data.stored_sparse import (
    LABEL,
    StoredSparse,
    open_sparse,
    read_sparse_into_store,
)

Store = StoredTable | StoredSparse


class Dataset:
    """Rows of one or more files, or of a store; made by `open_dataset`, taken by `fit`.

    A temporary store lies in the system's folder for such files (TMPDIR chooses another) and needs
    about 8 bytes per number, 4 per text and 8 per different word of a free text. `close` lets go of
    it; so does the end of the process.
    """

    def __init__(
        self, source: Source | list[Path] | None, table: Store | None, options: dict[str, Any]
    ) -> None:
        self._source, self._table, self._options = source, table, options

    @property
    def table(self) -> Store:
        """Return the store, reading the files into a temporary one if there is none yet."""
        if self._table is None:
            self._table = self._read(None)
        return self._table

    def _read(self, folder: Path | None) -> Store:
        if self._source is None:
            raise ValueError("this dataset was closed; open it again.")
        if isinstance(self._source, Source):
            return read_into_store(self._source, folder, **self._options)
        return read_sparse_into_store(self._source, folder)

    @property
    def n_rows(self) -> int:
        """Count the rows that have a label."""
        return self.table.n_rows

    @property
    def column_names(self) -> list[str]:
        """Name the columns beside target and weight; those of libsvm text are x and an index."""
        return self.table.names

    @property
    def target(self) -> str:
        """Name the column of classes."""
        if self._source is not None:
            return str(self._options.get("target", LABEL))
        return LABEL if isinstance(self.table, StoredSparse) else self.table.target.name

    @property
    def path(self) -> Path | None:
        """Name the first file, or the folder of a store; None for rows that are in neither."""
        if self._source is not None:
            return self._source.files[0] if isinstance(self._source, Source) else self._source[0]
        return None if self._table is None else self._table.folder

    def close(self) -> None:
        """Let go of the files."""
        if self._table is not None:
            for array in self._table.arrays().values():
                for shard in array.shards:
                    shard.file.close()
        self._source = self._table = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._source is None and self._table is None:
            return "<Dataset, closed>"
        size = "" if self._table is None else f", {self.n_rows:,} rows"
        return f"<Dataset of {self.path}{size}, target {self.target!r}>"


def open_dataset(
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    weight: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    text: Sequence[str] = (),
    missing_values: Sequence[str] = MISSING_VALUES,
    encoding: str = "utf-8",
    decimal: str = ".",
) -> Dataset:
    """Open a table in files for fits that read it in blocks.

    Parameters
    ----------
    path : a .csv, .tsv, .libsvm, .svm (plain, .gz, .zst), .parquet, .npy or .npz file, a folder or
        a glob of such files, or a folder that `ingest` made.
    target : the column of classes. Rows without a label are left out. For a store, for libsvm
        text and for an .npz file with an array y it is known.
    weight : the column of row weights.
    drop : columns to leave out.
    categorical : columns that are categories whatever they hold.
    text : columns of free text, whose words become tf-idf, one column for each of 262,144 buckets
        that words are hashed to.
    missing_values : texts that stand for a missing value; the empty one always does.
    encoding : of the bytes of text files, such as "cp1252".
    decimal : "," where numbers are written 1,5.

    Raises DataError, here for what the headers show, in `fit` for what the cells do, naming file,
    record and column.
    """
    place = Path(path)
    if is_store(place):
        table = _open_store(place)
        _refuse_other(place, table, target, weight, [*drop, *categorical, *text])
        table.verify()
        return Dataset(None, table, {})
    files = find_files(path)
    if is_sparse(files):
        refuse_names(place, [target, weight], [*drop, *categorical, *text])
        return Dataset(files, None, {})
    if decimal not in (".", ","):
        raise ValueError(f"decimal is {decimal!r}; it is '.' or ','.")
    source = Source(files, Reading(tuple(missing_values), encoding, decimal))
    target = source.target if target is None else target
    if target is None:
        raise ValueError("open_dataset needs target=, the column of classes.")
    weights = [] if weight is None else [weight]
    others = {"target": [target], "weight": weights, "categorical": categorical, "drop": drop}
    source.refuse_absent([*(name for names in others.values() for name in names), *text])
    refuse_two_readings(source.files[0], text, others)
    options = {
        "target": target,
        "weight": weight,
        "drop": tuple(drop),
        "categorical": tuple(categorical),
        "text": tuple(text),
    }
    return Dataset(source, None, options)


def implied_target(path: Path) -> str | None:
    """Name the target where its format does: a store, libsvm text, an .npz file with an array y."""
    if is_store(path):
        return _open_store(path).target.name
    files = find_files(path)
    return LABEL if is_sparse(files) else Source(files, Reading(MISSING_VALUES)).target


def ingest(source: Any, store: str | os.PathLike[str], **options: Any) -> Dataset:
    """Convert files once to a block store that `open_dataset` opens at once; return it opened.

    source: a Dataset, or a path, with the options of `open_dataset`. store: the folder to make. It
    is written beside and renamed at the end: after Ctrl-C or an error there is no half of one.
    """
    folder = Path(store)
    if folder.exists():
        raise FileExistsError(
            17, "is there already; remove it, or name another folder", str(folder)
        )
    dataset = source if isinstance(source, Dataset) else open_dataset(source, **options)
    if dataset._source is None:
        raise DataError("is a block store already; copy the folder.", file=dataset.table.folder)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        table = dataset._read(beside)
        table.write_meta(beside)
        beside.chmod(0o777 & ~_umask())
        os.rename(beside, folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Dataset(None, replace(table, folder=folder), {})


def _open_store(folder: Path) -> Store:
    plain = read_meta(folder)
    if plain.get("kind") == "sparse":
        return open_sparse(folder, plain)
    return open_stored(folder, plain)


def refuse_names(place: Path, given: Sequence[str | None], columns: Sequence[str]) -> None:
    """Refuse names of columns for libsvm text, which has none. given: target and weight."""
    names = [name for name in given if name]
    if names not in ([], [LABEL]) or columns:
        name = [*(n for n in names if n != LABEL), *columns][0]
        raise DataError(
            f"is libsvm text, whose columns have no names, so there is no '{name}'; its target is "
            f"called '{LABEL}'.",
            file=place,
        )


def _refuse_other(
    place: Path, table: Store, target: str | None, weight: str | None, columns: list[str]
) -> None:
    """Refuse options that would make another store of the same source."""
    if isinstance(table, StoredSparse):
        refuse_names(place, [target, weight], columns)
        return
    for asked, has, name in (
        (target, table.target.name, "target"),
        (weight, table.weight_name, "weight"),
    ):
        if asked is not None and asked != has:
            raise DataError(
                f"is a block store with {name} '{has}', not '{asked}'; ingest the source again.",
                file=place,
            )
    if columns:
        raise DataError(
            f"is a block store; '{columns[0]}' can be dropped or declared when the source is "
            "ingested.",
            file=place,
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
