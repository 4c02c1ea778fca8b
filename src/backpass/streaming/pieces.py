"""Numbers and codes of a store's rows, as they stand in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backpass.data.stored import StoredColumn, StoredTable, read_rows
from backpass.scratch import scratch

if TYPE_CHECKING:
    import pyarrow as pa


def pieces(table: StoredTable, rows: slice) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return numbers and codes of some rows, in this thread's scratch memory."""
    n_rows = len(range(*rows.indices(table.n_rows)))
    numbers = scratch("stored numbers", (n_rows, table.numbers.width))
    codes = scratch("stored codes", (n_rows, table.codes.width), np.int32)
    read_rows(table.numbers, rows, numbers)
    read_rows(table.codes, rows, codes)
    return numbers, codes


def as_cells(table: StoredTable, names: Sequence[str], rows: slice) -> pa.Table:
    """Return some rows of some columns as a table, as they were before they were stored."""
    import pyarrow as pa

    numbers, codes = pieces(table, rows)
    columns = {column.name: column for column in table.columns}
    cells = {}
    for name in names:
        column, place = columns[name], table.place(name)
        if column.kind == "text":
            assert isinstance(column, StoredColumn)
            own = pa.array(codes[:, place], mask=codes[:, place] < 0)
            levels = pa.array(column.levels, pa.string())
            cells[name] = pa.DictionaryArray.from_arrays(own, levels).cast(pa.string())
        else:
            values = pa.array(numbers[:, place], from_pandas=True)
            cells[name] = values.cast(pa.bool_()) if column.kind == "boolean" else values
    return pa.table(cells)
