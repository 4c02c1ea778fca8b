"""A batch cut into slices at fixed rows, evaluated by whoever runs, added by the tree.

Where a batch is cut depends on the network's shape and the number of rows alone, never on
threads: that, one BLAS thread per slice and the tree make a sum's bits the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from backpass.batch import Batch
from backpass.runner import current_runner
from backpass.tape import Tape, tape_for
from backpass.treesum import TreeSum

Result = TypeVar("Result")
Part = Callable[
    [Tape, Batch, int], Result
]  # (tape with z[0] set, its rows, number of the first row)


@lru_cache(maxsize=1024)
def slice_rows(levels: tuple[int, ...], n_rows: int) -> int:
    """Choose the rows of a slice for a batch of n_rows, a power of two.

    Half of the batch, so that two threads have work, but within two limits of the network's shape.
    At most what puts the widest level in 4 MiB, to stay near a core. At least 128, and enough for
    some 8 million multiplications, since each slice ends in a sum over all parameters: in pieces
    of 64 rows 784→512→512→10 takes twice the time, and a small network loses by any cut.
    """
    most = _floor_power_of_two(4 * 2**20 // (8 * max(levels)))
    multiplications = sum(a * b for a, b in pairwise(levels)) or 1
    least = max(128, _floor_power_of_two(2**23 // multiplications))
    return min(max(min(_floor_power_of_two(n_rows // 2), most), least), 32768)


def count_slices(n_rows: int, levels: tuple[int, ...]) -> int:
    """Count the slices of n_rows; a batch without rows is one empty slice."""
    return max(1, -(-n_rows // slice_rows(levels, n_rows)))


def each_slice(
    owner: object,
    batch: Batch,
    levels: tuple[int, ...],
    dtype: np.dtype,
    part: Part,
    lanes: int = 1,
) -> Iterator[tuple[int, Any]]:
    """Yield (index, part(...)) of every slice, in order of arrival; tapes are kept per `owner`."""
    n_rows = len(batch.X)
    height, n_slices = slice_rows(levels, n_rows), count_slices(n_rows, levels)

    def evaluate(index: int) -> Any:
        start = index * height
        cut = batch.cut(start, min(start + height, n_rows), dtype)
        tape = tape_for(owner, levels, len(cut.X), dtype, lanes)
        tape.z[0] = cut.X if lanes == 1 else np.stack([cut.X, np.zeros_like(cut.X)])
        with np.errstate(all="ignore"):  # what overflows is found, and named, by `diagnosis`
            return part(tape, cut, start)

    # One slice needs no runner; this matters where a whole pass takes 20 µs.
    return iter([(0, evaluate(0))]) if n_slices == 1 else current_runner()(evaluate, n_slices)


def sum_slices(
    owner: object,
    batch: Batch,
    levels: tuple[int, ...],
    dtype: np.dtype,
    part: Part,
    lanes: int = 1,
) -> tuple[NDArray[np.float64], ...]:
    """Add the tuples of arrays that `part` returns, in float64 and in the order of the tree."""
    tree = TreeSum(count_slices(len(batch.X), levels))
    for index, result in each_slice(owner, batch, levels, dtype, part, lanes):
        tree.add(index, result)
    return tree.total()


def _floor_power_of_two(number: int) -> int:
    return 1 << max(number, 1).bit_length() - 1
