"""Small convex problems that the tests of solvers share."""

import numpy as np

import backpass as bp
from backpass.objective import LinearObjective
from backpass.penalties import ElasticNet, weights_only


def linear_problem(n_classes, l2=0.0, l1=0.0, seed=0, n_rows=25, n_features=3):
    """Return a weighted logistic or softmax problem whose classes overlap."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * 10.0 ** rng.uniform(-1, 1, n_features)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_rows - n_classes)])
    n_out = 1 if n_classes == 2 else n_classes
    end = (bp.Sigmoid(), bp.BCELoss()) if n_out == 1 else (bp.LogSoftmax(), bp.NLLLoss())
    net = bp.Network([bp.Linear(n_features, n_out), end[0]], loss=end[1])
    penalty = ElasticNet(weights_only(net.layout), l2=l2, l1=l1)
    return LinearObjective(net, X, y, rng.uniform(0.2, 2.0, n_rows), penalty)
