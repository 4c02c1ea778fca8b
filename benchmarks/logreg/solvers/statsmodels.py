"""statsmodels: IRLS for two classes, Newton for more; unpenalised, small data only."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objective import Coefficients
from .base import Shape, Solver, growing


class Statsmodels(Solver):
    """GLM(Binomial) or MNLogit on a design matrix with its constant, as its users write it."""

    name = "statsmodels"
    packages = ("statsmodels",)
    knob = "maxiter"
    ladder = growing(2, 60)
    strict = 100.0
    most_entries = 5_000_000  # of X

    def refuses(self, shape: Shape) -> str | None:
        if np.isfinite(shape.C):
            return "no L2 penalty with standard solvers"
        if shape.sparse:
            return "dense only"
        if shape.weighted and shape.n_classes > 2:
            return "no weights with several classes"
        if shape.n_rows * shape.n_columns > self.most_entries:
            return "small data only: it keeps several copies of X"
        return None

    def prepare(self, X: Any, y: NDArray, C: float, weight: NDArray | None = None) -> None:
        super().prepare(X, y, C, weight)
        self.design = np.column_stack([np.ones(len(X)), X])

    def fit(self, rung: float) -> None:
        import statsmodels.api as sm

        with warnings.catch_warnings():
            # being stopped by the cap is the plan here
            warnings.filterwarnings("ignore", message=".*(did not|failed to) converge.*")
            if self.y.max() == 1:
                family = sm.families.Binomial()
                model = sm.GLM(self.y, self.design, family=family, freq_weights=self.weight)
                result = model.fit(maxiter=int(rung), tol=1e-14)
                self.params = np.asarray(result.params)[None, :]
            else:
                result = sm.MNLogit(self.y, self.design).fit(
                    method="newton", maxiter=int(rung), tol=1e-14, disp=0
                )
                params = np.asarray(result.params).T
                self.params = np.vstack([np.zeros(params.shape[1]), params])  # first class: 0

    def coefficients(self) -> Coefficients:
        return Coefficients(self.params[:, 1:].copy(), self.params[:, 0].copy())


SOLVER = Statsmodels()
