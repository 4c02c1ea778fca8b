"""Some rows of a whole, by a mark for each: what a store needs to show them without copying any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 16  # marks that are turned into row numbers at a time


class Selection:
    """The rows of a whole that are marked, in its order: a byte a row, and a count per piece."""

    def __init__(self, wanted: NDArray[np.bool_]) -> None:
        self.wanted = wanted
        starts = range(0, len(wanted), PIECE)
        counts = [np.count_nonzero(wanted[start : start + PIECE]) for start in starts]
        self._before = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    @property
    def n_rows(self) -> int:
        """Count the rows that are marked."""
        return int(self._before[-1])

    def numbers(self, places: slice) -> NDArray[np.int64]:
        """Return where the rows at these places of the selection stand in the whole."""
        asked = np.arange(*places.indices(self.n_rows), dtype=np.int64)
        if not len(asked):
            return asked
        first, last = np.searchsorted(self._before, asked[[0, -1]], side="right") - 1
        cuts = np.searchsorted(asked, self._before[first : last + 2])
        found = []
        for piece, begin, end in zip(range(first, last + 1), cuts[:-1], cuts[1:], strict=True):
            start = piece * PIECE
            marked = np.flatnonzero(self.wanted[start : start + PIECE])
            found.append(start + marked[asked[begin:end] - self._before[piece]])
        return np.concatenate(found)

    def within(self, other: Selection) -> Selection:
        """Return the rows of this selection that are marked in `other`, a selection of them."""
        wanted = np.zeros(len(self.wanted), dtype=bool)
        wanted[self.wanted] = other.wanted
        return Selection(wanted)
