"""A Tape: the z and δ of one pass, in memory that is allocated once and used again.

A tape belongs to one worker at a time; networks and layers hold none. The microscope reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64  # bytes: a cache line and an AVX-512 register


def aligned_empty(size: int, dtype: np.dtype) -> NDArray:
    """Allocate a flat array whose first entry stands on a 64-byte boundary.

    NumPy promises 16 bytes; BLAS and SIMD kernels choose paths, and so bits, by alignment.
    """
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Tape:
    """z[L] and delta[L] for n_rows rows; z[0] is the input, set by each pass.

    widths: values per row of every level, the input first. lanes: 1, or 2 where each value has its
    derivative along a direction beside it; an array is then (2, n_rows, width).
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_rows: int,
        dtype: np.dtype,
        lanes: int = 1,
        input_delta: bool = False,
    ) -> None:
        self.widths, self.n_rows, self.dtype, self.lanes = tuple(widths), n_rows, dtype, lanes
        self.input_delta = input_delta or len(self.widths) == 1
        self.loss = np.empty(n_rows, dtype)
        step = ALIGNMENT // dtype.itemsize
        sizes = [-(-lanes * n_rows * width // step) * step for width in widths[1:]]
        # For compiled code: the levels' widths, and where levels 1, 2, ... start.
        self.level_widths = np.array(self.widths, dtype=np.int64)
        self.offsets = np.cumsum([0, *sizes], dtype=np.int64)
        self.z_flat = aligned_empty(int(self.offsets[-1]), dtype)
        self.delta_flat = self.z_flat[:0]
        self.z: list[NDArray] = [self.z_flat[:0], *self._cut(self.z_flat)]
        self.delta: list[NDArray] = []

    def allocate_delta(self) -> None:
        """Make room for δ, unless there is: a pass for the cost alone goes without.

        δ of the input has room only where it was asked for: nothing below it needs it.
        """
        if self.delta:
            return
        self.delta_flat = aligned_empty(len(self.z_flat), self.dtype)
        size = self._size(self.widths[0]) if self.input_delta else 0
        below = aligned_empty(size, self.dtype)
        self.delta = [
            self._shaped(below, self.widths[0]) if self.input_delta else below,
            *self._cut(self.delta_flat),
        ]

    def squares(self) -> float:
        """Sum the squares of all z and δ: inf or nan where one of them is, at BLAS speed.

        Large finite values overflow too (from 1e154 on, in float32 from 1e19), so a caller who
        sees inf looks closely before it complains.
        """
        return float(self.z_flat.dot(self.z_flat)) + float(self.delta_flat.dot(self.delta_flat))

    def _cut(self, flat: NDArray) -> list[NDArray]:
        starts = self.offsets[:-1].tolist()
        return [
            self._shaped(flat[start : start + self._size(width)], width)
            for start, width in zip(starts, self.widths[1:], strict=True)
        ]

    def _size(self, width: int) -> int:
        return self.lanes * self.n_rows * width

    def _shaped(self, flat: NDArray, width: int) -> NDArray:
        lead = (self.n_rows,) if self.lanes == 1 else (self.lanes, self.n_rows)
        return flat.reshape(*lead, width)


_scratch = threading.local()
_KEPT = 4  # tapes per network and thread: the full part and the remainder, for two kinds of pass


def tape_for(
    owner: object, widths: Sequence[int], n_rows: int, dtype: np.dtype, lanes: int
) -> Tape:
    """Return this thread's tape for such a pass of `owner`, from the last few used or a new one."""
    try:
        tapes = _scratch.tapes
    except AttributeError:
        tapes = _scratch.tapes = WeakKeyDictionary()
    mine = tapes.setdefault(owner, {})
    key = (widths, n_rows, lanes)
    tape = mine.get(key)
    if tape is None:
        while len(mine) >= _KEPT:
            del mine[next(iter(mine))]
        tape = mine[key] = Tape(widths, n_rows, dtype, lanes)
    return tape
