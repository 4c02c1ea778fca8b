"""A table in a block store: which columns it has, and where their values stand.

Columns of numbers (and booleans) share one matrix, columns of text share one of codes, each in the
table's order; a code is the place of a text among those of its column, as they came. Columns of
free text share one sparse matrix of counts by bucket (`words.py`). What a model makes of them
(means, sorted levels, policies for missing values) is not settled here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.cells import Kind
from backpass.data.errors import DataError
from backpass.data.selection import Selection
from backpass.data.store import StoredArray, open_array, verify
from backpass.data.stored_entries import StoredEntries
from backpass.data.text_column import buckets
from backpass.data.words import N_PLACES, READING

FORMAT = 1
META = "meta.json"
_ARRAYS = ("numbers", "codes", "labels")
WORDS = "words_"  # leads the names of the arrays of free text
_ENTRIES = {"values": np.int32, "indices": np.int32, "indptr": np.int64}


@dataclass(frozen=True)
class StoredColumn:
    """One column. kind: "number", "boolean" or "text"; levels: the texts by code.

    own_order: the levels stand as their maker ordered them. declared: a category by the user's
    word.
    """

    name: str
    kind: str
    levels: tuple[str, ...] = ()
    own_order: bool = False
    declared: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "levels": list(self.levels),
            "own_order": self.own_order,
            "declared": self.declared,
        }

    @classmethod
    def from_document(cls, plain: Any, where: str) -> StoredColumn:
        """Read what `to_document` returned."""
        return cls(
            **document.fields(
                plain,
                where,
                name=document.text,
                kind=document.one_of("number", "boolean", "text"),
                levels=document.items(document.text),
                own_order=document.flag,
                declared=document.flag,
            )
        )


@dataclass(frozen=True)
class StoredText:
    """A column of free text. buckets: those that hold words; words: what each is called."""

    name: str
    buckets: tuple[int, ...]
    words: tuple[str, ...]
    kind: Kind = "words"

    @property
    def called(self) -> dict[int, str]:
        """Say what each bucket is called."""
        return dict(zip(self.buckets, self.words, strict=True))

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "reading": READING,
            "buckets": list(self.buckets),
            "words": list(self.words),
        }

    @classmethod
    def from_document(cls, plain: Any, where: str) -> StoredText:
        """Read what `to_document` returned."""
        got = document.fields(
            plain,
            where,
            name=document.text,
            kind=document.one_of("words"),
            reading=document.one_of(READING),
            buckets=buckets,
            words=document.items(document.text),
        )
        del got["reading"]
        if len(got["words"]) != len(got["buckets"]):
            raise document.DocumentError(f"{where}.words needs one for each of its buckets.")
        return cls(**got)


def _column_from(plain: Any, where: str) -> StoredColumn | StoredText:
    if type(plain) is dict and plain.get("kind") == "words":
        return StoredText.from_document(plain, where)
    return StoredColumn.from_document(plain, where)


@dataclass(frozen=True)
class StoredTable:
    """Columns, labels and weights of the labelled rows of a source; folder None: no names, kept by
    nobody but this process. n_unlabelled: rows left out."""

    columns: tuple[StoredColumn | StoredText, ...]
    target: StoredColumn
    weight_name: str | None
    n_unlabelled: int
    numbers: StoredArray
    codes: StoredArray
    labels: StoredArray
    weights: StoredArray | None
    folder: Path | None
    missing_values: tuple[str, ...]
    words: StoredEntries | None = None

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.labels.n_rows

    @property
    def names(self) -> list[str]:
        """Name the columns, in the table's order."""
        return [column.name for column in self.columns]

    def place(self, name: str) -> int:
        """Return where a column stands in `numbers`, for text in `codes`, or among the texts."""
        own = next(column for column in self.columns if column.name == name)
        return [c.name for c in self.columns if _home(c) == _home(own)].index(name)

    @property
    def texts(self) -> list[StoredText]:
        """List the columns of free text."""
        return [column for column in self.columns if isinstance(column, StoredText)]

    def arrays(self) -> dict[str, StoredArray]:
        """Return the arrays by name."""
        if self.words is None:
            return self.by_row()
        return self.by_row() | {WORDS + name: getattr(self.words, name) for name in _ENTRIES}

    def by_row(self) -> dict[str, StoredArray]:
        """Return the arrays that have an entry for each row."""
        held = {name: getattr(self, name) for name in _ARRAYS}
        return held if self.weights is None else held | {"weights": self.weights}

    def select(self, selection: Selection) -> StoredTable:
        """Return some of the rows, without copying any."""
        chosen: dict[str, Any] = {k: a.select(selection) for k, a in self.by_row().items()}
        words = None if self.words is None else self.words.select(selection)
        return replace(self, folder=None, words=words, **chosen)

    def verify(self) -> None:
        """Compare every shard of a kept store with its checksum; DataError where one differs."""
        verify_arrays(self.arrays(), self.folder)

    def write_meta(self, folder: Path) -> None:
        """Write the description that `open_stored` reads."""
        described = {
            "format": FORMAT,
            "kind": "table",
            "columns": [column.to_document() for column in self.columns],
            "target": self.target.to_document(),
            "weight_name": self.weight_name,
            "n_unlabelled": self.n_unlabelled,
            "missing_values": list(self.missing_values),
            "arrays": {name: array_document(array) for name, array in self.arrays().items()},
        }
        write_meta(folder, described)


def _home(column: StoredColumn | StoredText) -> str:
    """Name the matrix that a column's values stand in."""
    return {"text": "codes", "words": "words"}.get(column.kind, "numbers")


def text_entries(arrays: Mapping[str, StoredArray], n_texts: int) -> StoredEntries | None:
    """Make the entries of so many text columns from the arrays values, indices and indptr."""
    if not n_texts:
        return None
    parts = (arrays["values"], arrays["indices"], arrays["indptr"])
    return StoredEntries(*parts, (0, n_texts * N_PLACES))


def verify_arrays(arrays: dict[str, StoredArray], folder: Path | None) -> None:
    """Compare the shards of a kept store with their checksums; DataError where one differs."""
    if folder is not None:
        for name, array in arrays.items():
            verify(array, name, folder)


def write_meta(folder: Path, described: dict[str, Any]) -> None:
    """Write a store's description, to the disk."""
    with open(folder / META, "w", encoding="utf-8") as file:
        json.dump(described, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def array_document(array: StoredArray) -> dict[str, Any]:
    return {
        "dtype": array.dtype.str,
        "width": array.width,
        "shard_rows": array.shard_rows,
        "shards": [[shard.n_rows, shard.crc32] for shard in array.shards],
    }


def is_store(path: Path) -> bool:
    """Say whether a folder is a block store."""
    return (path / META).is_file()


def read_meta(folder: Path) -> dict[str, Any]:
    """Read the description of a kept store; DataError where it is damaged or of another format."""
    try:
        plain = document.parse((folder / META).read_text(encoding="utf-8"))
    except (document.DocumentError, UnicodeDecodeError) as error:
        raise DataError(f"{META}: {error} Ingest the data again.", file=folder) from None
    if type(plain) is not dict or plain.get("format") != FORMAT:
        found = plain.get("format") if type(plain) is dict else None
        raise DataError(
            f"{META} has format {found!r}, not {FORMAT}; ingest the data again.", file=folder
        )
    return plain


def open_stored(folder: Path, plain: dict[str, Any]) -> StoredTable:
    """Open a kept store by its description; DataError where its files do not fit it."""
    try:
        got = document.fields(
            plain,
            "store",
            format=document.count,
            kind=document.one_of("table"),
            columns=document.items(_column_from),
            target=StoredColumn.from_document,
            weight_name=document.optional(document.text),
            n_unlabelled=document.count,
            missing_values=document.items(document.text),
            arrays=document.anything,
        )
        n_texts = [_home(column) for column in got["columns"]].count("words")
        names = [*_ARRAYS, *["weights"] * (got["weight_name"] is not None)]
        names += [WORDS + name for name in _ENTRIES if n_texts]
        arrays = open_arrays(folder, got.pop("arrays"), names)
    except document.DocumentError as error:
        raise DataError(f"{META}: {error} Ingest the data again.", file=folder) from None
    del got["format"], got["kind"]
    _refuse_uneven(got["columns"], arrays, folder)
    words = {name: arrays.pop(WORDS + name) for name in _ENTRIES if n_texts}
    opened: dict[str, Any] = {"weights": None, "words": text_entries(words, n_texts), **arrays}
    return StoredTable(**got, **opened, folder=folder)


def open_arrays(folder: Path, plain: Any, names: Iterable[str]) -> dict[str, StoredArray]:
    """Open arrays by their descriptions."""
    described = document.fields(plain, "store.arrays", **dict.fromkeys(names, _array))
    return {name: open_array(folder, name, **one) for name, one in described.items()}


def _array(plain: Any, where: str) -> dict[str, Any]:
    got = document.fields(
        plain,
        where,
        dtype=document.one_of("<f8", "<i4", "<i8"),
        width=document.count,
        shard_rows=document.count,
        shards=document.items(document.items(document.count)),
    )
    if any(len(shard) != 2 for shard in got["shards"]):
        raise document.DocumentError(f"{where}.shards holds pairs of rows and checksum.")
    full = [shard[0] for shard in got["shards"][:-1]]
    if any(rows != got["shard_rows"] for rows in full):
        raise document.DocumentError(f"{where}.shards: all but the last have shard_rows rows.")
    return got


def _refuse_uneven(
    columns: tuple[StoredColumn | StoredText, ...], arrays: dict[str, StoredArray], folder: Path
) -> None:
    homes = [_home(column) for column in columns]
    n_rows = arrays["labels"].n_rows
    for name in ("numbers", "codes"):
        array, width = arrays[name], homes.count(name)
        if array.width != width or (width and array.n_rows != n_rows):
            raise DataError(
                f"the store's {name} are not those of {n_rows:,} rows and {width} columns; ingest "
                "the data again.",
                file=folder,
            )
    found = {name: arrays[WORDS + name] for name in _ENTRIES if "words" in homes}
    dtypes = all(array.dtype == _ENTRIES[name] for name, array in found.items())
    if found and not (
        dtypes
        and found["indptr"].n_rows == n_rows + 1
        and found["values"].n_rows == found["indices"].n_rows
    ):
        raise DataError("the store's words do not fit each other; ingest again.", file=folder)


def read_rows(array: StoredArray, places: slice, out: NDArray | None = None) -> NDArray[Any]:
    """Return some rows of an array that has columns; none has nothing to read."""
    if array.width:
        return array.read(places, out)
    return np.empty((0, 0), array.dtype)
