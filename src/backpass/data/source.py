"""One way in for files: the ending says which source reads them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from backpass.data.cells import MISSING_VALUES, Kind
from backpass.data.errors import DataError

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
    options = {"missing_values": missing_values, "text": text, "drop": drop, "kinds": kinds}
    if endings and endings[-1] in _TEXT_ENDINGS:
        from backpass.data.csv import read_csv

        return read_csv(path, **options)  # type: ignore[arg-type]
    if endings and endings[-1] == ".parquet":
        from backpass.data.parquet import read_parquet

        return read_parquet(path, **options)  # type: ignore[arg-type]
    raise DataError(
        "has an ending that is not known; files are .csv or .tsv (plain, .gz, .zst) or .parquet.",
        file=path,
    )
