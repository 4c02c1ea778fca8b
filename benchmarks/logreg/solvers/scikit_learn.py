"""scikit-learn's four deterministic solvers, from C order float64 or CSR."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import EstimatorSolver, Shape, decades

MOST_ITERATIONS = 1_000_000  # tol alone decides


class ScikitLearn(EstimatorSolver):
    """LogisticRegression(solver=...); its C is ours, its tol bounds the mean loss's gradient."""

    packages = ("scikit-learn",)
    ladder = decades(1, 12)

    def __init__(self, solver: str) -> None:
        self.solver, self.name = solver, f"scikit-learn {solver}"

    def make(self, rung: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=self.C, solver=self.solver, tol=rung, max_iter=MOST_ITERATIONS)


class Liblinear(ScikitLearn):
    """liblinear penalises the intercept, and takes no C=inf: given the nearest equivalents.

    The intercept b enters as scale · v with the penalty v²/2C = b²/(2 · scale² · C).
    A larger scale costs more in conditioning than it gains: with 1e4 it stops short of 1e-9 on the
    Gaussian problems, with 1e3 only where the intercept is large.
    """

    intercept_scaling, largest_C = 1e3, 1e10

    def __init__(self) -> None:
        super().__init__("liblinear")

    def refuses(self, shape: Shape) -> str | None:
        return "two classes only" if shape.n_classes > 2 else None

    def make(self, rung: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(
            C=min(self.C, self.largest_C),
            solver="liblinear",
            tol=rung,
            max_iter=MOST_ITERATIONS,
            intercept_scaling=self.intercept_scaling,
        )


class NewtonCholesky(ScikitLearn):
    """Forms the whole Hessian: refuses what it cannot hold."""

    largest_unknowns = 12_000

    def __init__(self) -> None:
        super().__init__("newton-cholesky")

    def refuses(self, shape: Shape) -> str | None:
        n_outputs = 1 if shape.n_classes == 2 else shape.n_classes
        unknowns = n_outputs * (shape.n_columns + 1)
        if unknowns > self.largest_unknowns:
            gigabytes = np.float64(unknowns) ** 2 * 8 / 1e9
            return f"its Hessian would take {gigabytes:.0f} GB"
        return None


SOLVERS = [
    ScikitLearn("lbfgs"),
    ScikitLearn("newton-cg"),
    NewtonCholesky(),
    Liblinear(),
]
