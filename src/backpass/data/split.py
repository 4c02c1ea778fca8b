"""Rows set aside for testing, the same ones for the same seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def stratified_split(y: NDArray, share: float, seed: int) -> tuple[Rows, Rows]:
    """Return the rows to fit on and the rows held out, each in the order of the data.

    Of every class, `share` of its rows (rounded) is held out, but never the last one: a class that
    is not fitted cannot be predicted.
    """
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        n_held = min(round(share * len(rows)), len(rows) - 1)
        held[rng.permutation(rows)[:n_held]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
