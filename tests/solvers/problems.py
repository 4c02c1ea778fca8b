"""Small convex problems that the tests of solvers share."""

import numpy as np

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
