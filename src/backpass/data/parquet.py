"""Parquet (one file) to a pyarrow table."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from backpass.data.cells import MISSING_VALUES, Kind, trimmed
from backpass.data.csv import refuse_absent
from backpass.data.errors import DataError
from backpass.data.table import refuse_bad_names
from backpass.data.values import as_words

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(
    path: str | os.PathLike[str],
    *,
    missing_values: tuple[str, ...] = MISSING_VALUES,
    text: Collection[str] = (),
    drop: Collection[str] = (),
    kinds: Mapping[str, Kind] | None = None,
) -> pa.Table:
    """Read a Parquet file; the arguments mean what they mean to `read_csv`.

    Columns keep the types that the file states. Text is trimmed and missing markers become null, so
    that a csv file and its Parquet copy give the same fit.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        refuse_bad_names(names, path)
        refuse_absent(path, names, [*(drop if kinds is None else kinds), *text])
        wanted = [
            name
            for name in names
            if (name not in drop if kinds is None else name in kinds or name in text)
        ]
        table = pq.read_table(path, columns=wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"is not a Parquet file that can be read ({error}).", file=path) from error
    for place, name in enumerate(wanted):
        if pa.types.is_string(table[name].type):
            table = table.set_column(place, name, trimmed(table[name], missing_values))
        elif name in text:
            table = table.set_column(place, name, as_words(table[name]))
    return table
