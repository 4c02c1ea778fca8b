"""The best model without columns where every row has an offset: no formula gives it.

Without offsets it predicts the shares of the classes. With them the intercepts are fitted, as R
does for the null deviance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.data.rows import DenseRows, View
from backpass.inference.likelihood import Likelihood
from backpass.inference.surface import maximise
from backpass.linear_objective import LinearObjective
from backpass.penalties import ElasticNet

Vector = NDArray[np.float64]


def null_model(
    y: NDArray,
    weight: Vector | None,
    n_outputs: int,
    offset: NDArray[np.float64],
    intercept: bool,
) -> tuple[Vector, float]:
    """Return the intercepts, (n_outputs,), 0 where there are none, and ∑ weight · loss there."""
    rows = DenseRows(np.empty((len(offset), 0)))
    view = View(np.empty(0), np.empty(0), intercept)
    free = ElasticNet(np.zeros(n_outputs * view.width), l2=0.0, l1=0.0)
    objective = LinearObjective(rows, y, weight, n_outputs, free, view, offset)
    if not intercept:
        return np.zeros(n_outputs), objective.value(np.empty(0))
    likelihood = Likelihood(objective)
    nothing = np.zeros((0, likelihood.n_parameters))
    top = maximise(likelihood, np.zeros(likelihood.shape), nothing, np.zeros(0))
    bias = likelihood.objective_place(top.beta)
    return (bias - bias.mean() if n_outputs > 1 else bias), -top.value
