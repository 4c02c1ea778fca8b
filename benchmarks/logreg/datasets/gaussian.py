"""Gaussian rows with correlated columns, as they are and in units from 1e-4 to 1e4.

x_j = 0.8 x_{j-1} + 0.6 ε, so neighbouring columns correlate by 0.8; labels are drawn from the
logistic model with coefficients whose logits have standard deviation near 2. In the twin problems
column j is multiplied by 10^u, u uniform on (-4, 4): the maximum-likelihood fit is the same one,
the penalised fit is another.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .base import Dataset

SHAPES = [(1_000_000, 30), (300_000, 100), (20_000, 1_000)]


def load(small: bool, n_rows: int, n_columns: int, scaled: bool) -> tuple[NDArray, NDArray]:
    if small:
        n_rows, n_columns = n_rows // 100, min(n_columns, 50)  # so that estimates stay finite
    rng = np.random.default_rng([n_rows, n_columns])
    X = rng.normal(size=(n_rows, n_columns))
    for j in range(1, n_columns):
        X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
    coef = rng.normal(size=n_columns)
    logits = X @ coef
    logits *= 2.0 / logits.std()
    y = (rng.random(n_rows) < expit(logits - 0.5)).astype(np.int64)
    if scaled:
        X *= 10.0 ** rng.uniform(-4.0, 4.0, n_columns)
    return X, y


def dataset(n_rows: int, n_columns: int, scaled: bool) -> Dataset:
    name = f"gaussian-{n_rows}x{n_columns}" + "-scaled" * scaled
    about = "columns correlated by 0.8" + ", in units from 1e-4 to 1e4" * scaled
    make = partial(load, n_rows=n_rows, n_columns=n_columns, scaled=scaled)
    return Dataset(name, about, make, finite=True)


DATASETS = [dataset(*shape, scaled) for scaled in (False, True) for shape in SHAPES]
