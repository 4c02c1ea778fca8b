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

    NumPy promises 16 bytes; BLAS and SIMD kernels choose other paths, with other bits, by alignment.
    """
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Tape:
    """z[L] and delta[L] for n_rows rows; z[0] is the input, set by each pass.

    widths: values per row of every level, the input first. lanes: 1, or 2 where each value is followed
    by its derivative along a direction; then an array is (2, n_rows, width) instead of (n_rows, width).
    """

    def __init__(self, widths: Sequence[int], n_rows: int, dtype: np.dtype, lanes: int = 1) -> None:
        self.widths, self.n_rows, self.dtype, self.lanes = tuple(widths), n_rows, dtype, lanes
        self.loss = np.empty(n_rows, dtype)
        step = ALIGNMENT // dtype.itemsize
        sizes = [-(-lanes * n_rows * width // step) * step for width in widths[1:]]
        self.offsets = np.cumsum([0, *sizes])
        self.z_flat = aligned_empty(int(self.offsets[-1]), dtype)
        self.z: list[NDArray] = [np.empty(0), *self._cut(self.z_flat)]
        self._delta: list[NDArray] | None = None
        self.delta_flat: NDArray = self.z_flat[:0]

    @property
    def delta(self) -> list[NDArray]:
        """δ per level, allocated when first asked for: a pass for the cost alone has none."""
        if self._delta is None:
            self.delta_flat = aligned_empty(len(self.z_flat), self.dtype)
            below = self._shaped(
                aligned_empty(self._size(self.widths[0]), self.dtype), self.widths[0]
            )
            self._delta = [below, *self._cut(self.delta_flat)]
        return self._delta

    def all_finite(self) -> bool:
        """Tell cheaply whether z and δ are free of inf and nan; False may be a false alarm.

        One dot product with itself visits everything at BLAS speed. Values above 1e154 overflow
        in it, so a caller looks closely before it complains.
        """
        return bool(
            np.isfinite(self.z_flat.dot(self.z_flat))
            and np.isfinite(self.delta_flat.dot(self.delta_flat))
        )

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
    key = (len(widths), widths[0], n_rows, lanes)
    tape = mine.get(key)
    if tape is None:
        while len(mine) >= _KEPT:
            del mine[next(iter(mine))]
        tape = mine[key] = Tape(widths, n_rows, dtype, lanes)
    return tape
