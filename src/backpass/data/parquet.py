"""Parquet (one file) to pyarrow tables, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backpass.data.cells import trimmed
from backpass.data.errors import DataError
from backpass.data.table import refuse_bad_names

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER = 1 << 18  # bytes of a column read at a time
_BATCH = 1 << 15  # rows


class ParquetSource:
    """A Parquet file, read in batches of some thousand rows whatever its row groups are."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = Path(path)
        try:
            self.names = list(pq.read_schema(path).names)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _unreadable(path, error) from error
        refuse_bad_names(self.names, path)

    def chunks(self, wanted: list[str], missing_values: tuple[str, ...]) -> Iterator[pa.Table]:
        """Yield the rows in order, columns with the types that the file states."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # A buffer of its own makes the reader fetch a column page by page: without, it holds
            # the whole column of a row group, and a file may be one row group.
            with pq.ParquetFile(self.path, buffer_size=_BUFFER, pre_buffer=False) as file:
                for batch in file.iter_batches(_BATCH, columns=wanted, use_threads=False):
                    yield _settled(pa.Table.from_batches([batch]), missing_values)
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable(self.path, error) from error


def _unreadable(path: str | os.PathLike[str], error: Exception) -> DataError:
    return DataError(f"is not a Parquet file that can be read ({error}).", file=path)


def _settled(table: pa.Table, missing_values: tuple[str, ...]) -> pa.Table:
    """Trim text and take missing markers out, so that a csv file and its copy give the same fit."""
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        if pa.types.is_string(table[name].type) or pa.types.is_large_string(table[name].type):
            table = table.set_column(place, name, trimmed(table[name], missing_values))
    return table
