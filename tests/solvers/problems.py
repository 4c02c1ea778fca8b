"""Small convex problems that the tests of solvers share."""

import numpy as np

from backpass.bordered import Bordered
from backpass.data.rows import DenseRows, View
from backpass.linear_objective import LinearObjective
from backpass.penalties import ElasticNet


def on_given_columns(X, y, weight, n_outputs, l2=0.0, l1=0.0, bias=True):
    """Return an objective whose u is θ: columns are neither centred nor scaled."""
    d = X.shape[1]
    view = View(np.zeros(d), np.ones(d), ones=bias)
    scale = np.concatenate([np.ones(n_outputs * d), np.zeros(n_outputs * int(bias))])
    penalty = ElasticNet(scale, l2=l2, l1=l1)
    return LinearObjective(DenseRows(X), y, weight, n_outputs, penalty, view)


def linear_problem(n_classes, l2=0.0, l1=0.0, seed=0, n_rows=25, n_features=3):
    """Return a weighted logistic or softmax problem whose classes overlap."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * 10.0 ** rng.uniform(-1, 1, n_features)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)])
    weight = rng.uniform(0.2, 2.0, n_rows)
    return on_given_columns(X, y, weight, 1 if n_classes == 2 else n_classes, l2, l1)


def bordered(k=2, n_levels=6, width=3, seed=0, units=True):
    """Return a positive definite H with a block-diagonal part, and it as a matrix."""
    rng = np.random.default_rng(seed)
    # Rows of one level each, so that levels have no products with each other.
    n_rows, size = 400, k * (n_levels + width)
    order = rng.permutation(size).reshape(k, n_levels + width)
    levels = np.ascontiguousarray(order[:, :n_levels].T)
    rest = order[:, n_levels:].reshape(-1)
    whole = np.zeros((size, size))
    for _ in range(n_rows):
        level, x = rng.integers(n_levels), rng.normal(size=width)
        bend = np.cov(rng.normal(size=(k, 5))).reshape(k, k)
        row = np.zeros((k, size))
        for a in range(k):
            row[a, levels[level, a]] = 1.0
            row[a, rest.reshape(k, width)[a]] = x
        whole += row.T @ bend @ row
    whole += 0.1 * np.eye(size)
    if units:
        unit = 10.0 ** rng.uniform(-3, 3, size)
        whole *= np.outer(unit, unit)
    D = np.stack([whole[np.ix_(own, own)] for own in levels])
    B = np.stack([whole[np.ix_(own, rest)] for own in levels])
    return Bordered(levels, rest, D, B, whole[np.ix_(rest, rest)]), whole
