"""Dropout masks by counting instead of drawing: a mask is a pure function of where it stands.

A generator's numbers depend on who asked before. Here the number of (seed, layer, epoch, row, unit)
is a hash of these five, so a run can be resumed, cut into slices and given to any thread, and the
same row gets the same mask wherever the shuffle put it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, splitmix64's step between counters
Words = NDArray[np.uint64]


def scramble(words: Words) -> Words:
    """Return splitmix64's finaliser of every word: a bijection whose output looks random."""
    mixed = words ^ (words >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def dropout_mask(
    seed: int,
    layer: int,
    epoch: int,
    rows: NDArray[np.integer],
    width: int,
    p: float,
    dtype: DTypeLike = np.float64,
) -> NDArray:
    """Return the mask of these rows, (len(rows), width): 0 with probability p, or 1/(1-p)."""
    key = np.zeros(1, dtype=np.uint64)
    for word in (seed, layer, epoch):
        key = scramble(key + GOLDEN * (np.array([word], dtype=np.uint64) + np.uint64(1)))
    row_keys = scramble(key + GOLDEN * np.asarray(rows).astype(np.uint64))
    units = GOLDEN * np.arange(1, width + 1, dtype=np.uint64)
    words = scramble(row_keys[:, None] + units)
    # 53 bits, as many as a float64 in [0, 1) holds; compared as integers, no conversion.
    kept = (words >> np.uint64(11)) >= np.uint64(round(p * 2**53))
    return kept * np.array(1.0 / (1.0 - p), dtype=dtype)
