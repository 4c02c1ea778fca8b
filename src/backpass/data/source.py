"""One way in for files: the ending says which source reads them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backpass.data.cells import MISSING_VALUES, Kind
from backpass.data.errors import DataError
from backpass.data.values import refuse_infinite

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data")


def read_table(
    path: str | os.PathLike[str],
    *,
    missing_values: tuple[str, ...] = MISSING_VALUES,
    text: Collection[str] = (),
    drop: Collection[str] = (),
    kinds: Mapping[str, Kind] | None = None,
) -> pa.Table:
    """Read a .csv, .tsv (plain, .gz, .zst) or .parquet file into a pyarrow table, whole.

    text, drop, kinds: see `read_csv`. Raises DataError naming the file and, where there is one,
    record and column.
    """
    file = Path(path)
    if not file.exists():
        raise DataError("there is no such file.", file=path)
    if not file.is_file():
        raise DataError("is not a file; give one .csv, .tsv or .parquet file.", file=path)
    endings = [ending.lower() for ending in file.suffixes]
    if endings and endings[-1] in (".gz", ".zst"):
        endings.pop()
    if endings and endings[-1] in _TEXT_ENDINGS:
        from backpass.data.csv import read_csv as read
    elif endings and endings[-1] == ".parquet":
        from backpass.data.parquet import read_parquet as read
    else:
        raise DataError(
            "has an ending that is not known; files are .csv or .tsv (plain, .gz, .zst) or "
            ".parquet.",
            file=path,
        )
    table = read(path, missing_values=missing_values, text=text, drop=drop, kinds=kinds)
    _refuse_infinities(table, path)
    return table


def _refuse_infinities(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Raise DataError where a number is infinite: only here is its record in the file known."""
    import pyarrow as pa

    for name in table.column_names:
        if pa.types.is_floating(table[name].type):
            try:
                refuse_infinite(np.asarray(table[name], dtype=np.float64), name)
            except DataError as error:
                raise error.in_file(path) from None
