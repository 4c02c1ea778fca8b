"""spambase: 57 raw columns with heavy tails, in very different units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Dataset, shared


def load(small: bool) -> tuple[NDArray, NDArray]:
    table = np.loadtxt(shared("spambase", "spambase_esl_split.csv.gz"), delimiter=",", skiprows=1)
    X = np.ascontiguousarray(table[:, 1:-1])  # the first column says which rows a book tested on
    return X, table[:, -1].astype(np.int64)  # small as it is


DATASET = Dataset("spambase", "raw columns", load, finite=True)
