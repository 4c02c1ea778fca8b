"""adult: 8 categorical columns one-hot and 6 numeric ones by their deviation, in CSR."""

from __future__ import annotations

import gzip

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .base import Dataset, shared, thin

NUMERIC = (0, 2, 4, 10, 11, 12)


def load(small: bool) -> tuple[sp.csr_matrix, NDArray]:
    with gzip.open(shared("adult", "adult-train.csv.gz"), "rt") as file:
        rows = [[cell.strip() for cell in line.split(",")] for line in file if line.strip()]
    cells = np.array(rows)
    columns = []
    for j in range(14):
        if j in NUMERIC:
            numbers = cells[:, j].astype(np.float64)
            columns.append(sp.csr_matrix((numbers / numbers.std())[:, None]))  # keeps the zeros
        else:
            levels, codes = np.unique(cells[:, j], return_inverse=True)
            places = (np.arange(len(codes)), codes)
            shape = (len(codes), len(levels))
            columns.append(sp.csr_matrix((np.ones(len(codes)), places), shape=shape))
    X = sp.csr_matrix(sp.hstack(columns))
    return thin(X, (cells[:, 14] == ">50K").astype(np.int64), small)


# All levels are columns, and the seven who never worked all earn little: no finite estimates.
DATASET = Dataset("adult", "one-hot, CSR", load, finite=False)
