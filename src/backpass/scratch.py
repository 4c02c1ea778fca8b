"""Named buffers that belong to the thread that asks for them, used again from call to call.

Block functions need a few arrays of a block's length. Asking the system for 128 KiB at each
call costs more than filling them: freed at once, they come back as fresh pages to be zeroed.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backpass.tape import aligned_empty

_mine = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray:
    """Return an array of this shape, filled with rubbish; the next call by that name reuses it."""
    kind = np.dtype(dtype)
    buffers = _mine.__dict__.setdefault("buffers", {})
    size = int(np.prod(shape, dtype=np.int64))
    held = buffers.get((name, kind))
    if held is None or len(held) < size:
        held = buffers[name, kind] = aligned_empty(size, kind)
    return held[:size].reshape(shape)
