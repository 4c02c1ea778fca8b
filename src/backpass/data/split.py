"""Rows set aside for testing, the same ones for the same seed, in memory or as they pass by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
GRID = 1 << 16  # rows that are drawn from at a time, in memory too, so that all draws agree


class StratifiedDraw:
    """Draws, of every class, `share` of its rows (rounded), each set of so many equally likely.

    counts: rows of each class. Never the last row of a class: one that is not fitted cannot be
    predicted. Rows come by in pieces of GRID: how many of a piece are drawn is hypergeometric.
    """

    def __init__(self, counts: NDArray[np.integer], share: float, seed: int) -> None:
        self._left = np.asarray(counts, dtype=np.int64).copy()
        rounded = np.array([round(share * int(count)) for count in self._left], dtype=np.int64)
        self._wanted = np.minimum(rounded, np.maximum(self._left - 1, 0))
        self._rng = np.random.default_rng(seed)

    @property
    def n_held(self) -> int:
        """Count the rows still to be drawn."""
        return int(self._wanted.sum())

    def next(self, classes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Mark the drawn ones among the next rows; classes: the number of each row's class."""
        held = np.zeros(len(classes), dtype=bool)
        for k in range(len(self._left)):
            rows = np.flatnonzero(classes == k)
            if not len(rows):
                continue
            wanted, left = self._wanted[k], self._left[k]
            here = int(self._rng.hypergeometric(wanted, left - wanted, len(rows)))
            held[self._rng.permutation(rows)[:here]] = True
            self._wanted[k] -= here
            self._left[k] -= len(rows)
        return held


def stratified_split(y: NDArray, share: float, seed: int) -> tuple[Rows, Rows]:
    """Return the rows to fit on and the rows held out, each in the order of the data."""
    _, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    draw = StratifiedDraw(counts, share, seed)
    held = [draw.next(classes[start : start + GRID]) for start in range(0, len(y), GRID)]
    marked = np.concatenate(held) if held else np.zeros(0, dtype=bool)
    return np.flatnonzero(~marked), np.flatnonzero(marked)
