"""letter: 20,000 letters by 16 small integers, 26 classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Dataset, shared, thin


def load(small: bool) -> tuple[NDArray, NDArray]:
    cells = np.loadtxt(shared("letter", "letter.csv"), delimiter=",", skiprows=1, dtype=str)
    _, y = np.unique(cells[:, 0], return_inverse=True)
    return thin(cells[:, 1:].astype(np.float64), y.astype(np.int64), small)


DATASET = Dataset("letter", "16 integers, 26 classes", load, finite=True)
