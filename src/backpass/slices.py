"""A batch cut into slices at fixed rows, evaluated by whoever runs, added by the tree.

Where a batch is cut depends on the network's shape and the number of rows alone, never on
threads: that, one BLAS thread per slice and the tree make a sum's bits the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
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


@lru_cache(maxsize=256)
def slice_rows(levels: tuple[int, ...]) -> int:
    """Choose the rows of a slice: a power of two, 64 to 32768, with the widest level in 4 MiB."""
    fit = 4 * 2**20 // (8 * max(levels))
    return min(max(1 << max(fit, 1).bit_length() - 1, 64), 32768)


def count_slices(n_rows: int, levels: tuple[int, ...]) -> int:
    """Count the slices of n_rows; a batch without rows is one empty slice."""
    return max(1, -(-n_rows // slice_rows(levels)))


def each_slice(
    owner: object,
    batch: Batch,
    levels: tuple[int, ...],
    dtype: np.dtype,
    part: Part,
    lanes: int = 1,
) -> Iterator[tuple[int, Any]]:
    """Yield (index, part(...)) of every slice, in order of arrival; tapes are kept per `owner`."""
    n_rows, height = len(batch.X), slice_rows(levels)
    n_slices = count_slices(n_rows, levels)

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
) -> NDArray[np.float64]:
    """Add the float64 vectors that `part` returns, in the order of the tree."""
    n_slices = count_slices(len(batch.X), levels)
    tree = TreeSum(n_slices)
    for index, result in each_slice(owner, batch, levels, dtype, part, lanes):
        tree.add(index, result)
    return tree.total()
