"""Numbers and codes of a store's rows, as they stand in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.data.stored import StoredTable, read_rows
from backpass.scratch import scratch


def pieces(table: StoredTable, rows: slice) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return numbers and codes of some rows, in this thread's scratch memory."""
    n_rows = len(range(*rows.indices(table.n_rows)))
    numbers = scratch("stored numbers", (n_rows, table.numbers.width))
    codes = scratch("stored codes", (n_rows, table.codes.width), np.int32)
    read_rows(table.numbers, rows, numbers)
    read_rows(table.codes, rows, codes)
    return numbers, codes
