"""One fixed binary tree of additions: a sum with the same bits in whatever order parts arrive.

Floating-point addition is not associative: the order of additions decides the last bits. Here the
order is a function of the number of parts alone. Node (level, j) covers parts
[j·2^level, (j+1)·2^level); the left operand is the one with the smaller index, and a node
whose right half lies beyond the end passes its left half up unchanged. The rounding error
grows with log2(n_parts), not n_parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Part = tuple[NDArray[np.floating], ...]


class TreeSum:
    """Adds n_parts tuples of arrays along the canonical tree; `add` may be called in any order.

    Every part is a tuple of the same shapes; sums are float64 whatever the parts are. Arrays that
    are added belong to the tree from then on: sums are formed in the left operand where it is
    float64. At most log2(n_parts) + 1 tuples are held when parts arrive in order.
    """

    def __init__(self, n_parts: int) -> None:
        self.n_parts = n_parts
        self._waiting: dict[tuple[int, int], Part] = {}

    def add(self, index: int, part: Part, level: int = 0) -> None:
        """Take in node (level, index), a part when level is 0, and merge upwards where possible."""
        while self._width(level) > 1:
            sibling = index ^ 1
            if sibling < self._width(level):
                other = self._waiting.pop((level, sibling), None)
                if other is None:
                    self._waiting[level, index] = part
                    return
                left, right = (part, other) if index < sibling else (other, part)
                part = tuple(map(_sum, left, right))
            level, index = level + 1, index // 2
        self._waiting[level, index] = part

    def total(self) -> tuple[NDArray[np.float64], ...]:
        """Return the sums; ValueError where a part has not been added."""
        if len(self._waiting) != 1 or self._width(next(iter(self._waiting))[0]) != 1:
            raise ValueError(f"not all of {self.n_parts} parts were added.")
        (whole,) = self._waiting.values()
        return tuple(array.astype(np.float64, copy=False) for array in whole)

    def _width(self, level: int) -> int:
        """Count the nodes of one level."""
        return -(-self.n_parts >> level)


def _sum(left: NDArray, right: NDArray) -> NDArray[np.float64]:
    """Add two arrays in float64, in place where the left one has room for it."""
    out = left if left.dtype == np.float64 else None
    return np.add(left, right, out=out, dtype=np.float64)
