"""A table in a block store: which columns it has, and where their values stand.

Columns of numbers (and booleans) share one matrix, columns of text share one of codes, each in the
table's order; a code is the place of a text among those of its column, as they came. What a model
makes of them (means, sorted levels, policies for missing values) is not settled here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.errors import DataError
from backpass.data.selection import Selection
from backpass.data.store import StoredArray, open_array, verify

FORMAT = 1
META = "meta.json"
_ARRAYS = ("numbers", "codes", "labels", "weights")


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
class StoredTable:
    """Columns, labels and weights of the labelled rows of a source; folder None: no names, kept by
    nobody but this process. n_unlabelled: rows left out."""

    columns: tuple[StoredColumn, ...]
    target: StoredColumn
    weight_name: str | None
    n_unlabelled: int
    numbers: StoredArray
    codes: StoredArray
    labels: StoredArray
    weights: StoredArray | None
    folder: Path | None
    missing_values: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return self.labels.n_rows

    @property
    def names(self) -> list[str]:
        """Name the columns, in the table's order."""
        return [column.name for column in self.columns]

    def place(self, name: str) -> int:
        """Return where a column stands in `numbers` or, for text, in `codes`."""
        own = next(column for column in self.columns if column.name == name)
        alike = [c.name for c in self.columns if (c.kind == "text") == (own.kind == "text")]
        return alike.index(name)

    def arrays(self) -> dict[str, StoredArray]:
        """Return the arrays by name."""
        held = {name: getattr(self, name) for name in _ARRAYS}
        return {name: array for name, array in held.items() if array is not None}

    def select(self, selection: Selection) -> StoredTable:
        """Return some of the rows, without copying any."""
        chosen: dict[str, Any] = {k: a.select(selection) for k, a in self.arrays().items()}
        return replace(self, folder=None, **chosen)

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
            columns=document.items(StoredColumn.from_document),
            target=StoredColumn.from_document,
            weight_name=document.optional(document.text),
            n_unlabelled=document.count,
            missing_values=document.items(document.text),
            arrays=document.anything,
        )
        names = _ARRAYS[: 3 + (got["weight_name"] is not None)]
        arrays = open_arrays(folder, got.pop("arrays"), names)
    except document.DocumentError as error:
        raise DataError(f"{META}: {error} Ingest the data again.", file=folder) from None
    del got["format"], got["kind"]
    _refuse_uneven(got["columns"], arrays, folder)
    opened: dict[str, Any] = {"weights": None, **arrays}
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
    columns: tuple[StoredColumn, ...], arrays: dict[str, StoredArray], folder: Path
) -> None:
    n_text = sum(column.kind == "text" for column in columns)
    n_rows = arrays["labels"].n_rows
    for name, width in (("numbers", len(columns) - n_text), ("codes", n_text)):
        array = arrays[name]
        if array.width != width or (width and array.n_rows != n_rows):
            raise DataError(
                f"the store's {name} are not those of {n_rows:,} rows and {width} columns; ingest "
                "the data again.",
                file=folder,
            )


def read_rows(array: StoredArray, places: slice, out: NDArray | None = None) -> NDArray[Any]:
    """Return some rows of an array that has columns; none has nothing to read."""
    if array.width:
        return array.read(places, out)
    return np.empty((0, 0), array.dtype)
