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
from backpass.runner import current_runner, serial
from backpass.tape import Tape, tape_for
from backpass.treesum import TreeSum

Result = TypeVar("Result")
Part = Callable[
    [Tape, Batch, int], Result
]  # (tape with z[0] set, its rows, number of the first row)


@lru_cache(maxsize=1024)
def slice_rows(levels: tuple[int, ...], n_rows: int, shared: bool) -> int:
    """Choose the rows of a slice for a batch of n_rows, a power of two.

    At most what puts the widest level in 4 MiB, to stay near a core. Where threads share a batch,
    half of it, so that two have work; but at least 128 rows, and enough for some 8 million
    multiplications, since each slice ends in a sum over all parameters: in pieces of 64 rows
    784→512→512→10 takes twice the time, and a small network loses by any cut.
    """
    most = _floor_power_of_two(4 * 2**20 // (8 * max(levels)))
    multiplications = sum(a * b for a, b in pairwise(levels)) or 1
    least = max(128, _floor_power_of_two(2**23 // multiplications))
    wanted = min(_floor_power_of_two(n_rows // 2), most) if shared else most
    return min(max(wanted, least), 32768)


def cuts(n_rows: int, levels: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows of a slice and the number of slices; without rows it is one empty slice."""
    height = slice_rows(levels, n_rows, shared=current_runner() is not None)
    return height, max(1, -(-n_rows // height))


def each_slice(
    owner: object,
    batch: Batch,
    levels: tuple[int, ...],
    dtype: np.dtype,
    part: Part,
    lanes: int = 1,
) -> Iterator[tuple[int, Any]]:
    """Yield (index, part(...)) of every slice, in order of arrival; tapes are kept per `owner`.

    Inside `reproducible()` its runner evaluates the slices. Outside, this thread does, one after
    another, under the caller's BLAS setting; slices are larger then, as only memory asks for them.
    """
    n_rows = len(batch.X)
    height, n_slices = cuts(n_rows, levels)

    def evaluate(index: int) -> Any:
        start = index * height
        with np.errstate(all="ignore"):  # what overflows is found, and named, by `diagnosis`
            cut = batch.cut(start, min(start + height, n_rows), dtype)
            tape = tape_for(owner, levels, len(cut.X), dtype, lanes)
            tape.z[0] = cut.X if lanes == 1 else np.stack([cut.X, np.zeros_like(cut.X)])
            try:
                return part(tape, cut, start)
            finally:
                tape.z[0] = tape.z_flat[:0]  # a tape is kept, the caller's X is not

    if n_slices == 1:  # no runner is needed; this matters where a whole pass takes 20 µs
        return iter([(0, evaluate(0))])
    return (current_runner() or serial)(evaluate, n_slices)


def sum_slices(
    owner: object,
    batch: Batch,
    levels: tuple[int, ...],
    dtype: np.dtype,
    part: Part,
    lanes: int = 1,
) -> tuple[NDArray[np.float64], ...]:
    """Add the tuples of arrays that `part` returns, in float64 and in the order of the tree."""
    tree = TreeSum(cuts(len(batch.X), levels)[1])
    for index, result in each_slice(owner, batch, levels, dtype, part, lanes):
        tree.add(index, result)
    return tree.total()


def _floor_power_of_two(number: int) -> int:
    return 1 << max(number, 1).bit_length() - 1
