"""What a solver is to the benchmark.

A solver is run at a ladder of settings, loosest first; each rung is a fresh fit from data in
memory. `prepare` is outside the clock and brings rows into the form that the library documents as
its own; what the library then copies or converts is inside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..objective import Coefficients


class Shape(NamedTuple):
    """What a solver needs to know to say whether it takes a problem."""

    n_rows: int
    n_columns: int
    n_classes: int
    sparse: bool
    C: float
    weighted: bool = False


class Solver(ABC):
    """One library's way to fit. Rungs are values of `knob`; `passes` is None where unknown."""

    name: str
    packages: tuple[str, ...]  # whose versions are recorded
    knob = "tol"
    ladder: Sequence[float]
    strict = 1e-9  # the rung to take where the answer counts and not the time
    every_rung = False  # climb on after the last target is met
    passes: float | None = None
    claims: dict[str, Any] | None = None  # what the library itself says of its result

    def environment(self) -> dict[str, str]:
        """Return variables without which this library would be slower than it can be here."""
        return {}

    def refuses(self, shape: Shape) -> str | None:
        """Return why this problem is not for this solver, or None."""
        return None

    def prepare(self, X: Any, y: NDArray, C: float, weight: NDArray | None = None) -> None:
        """Keep rows in the library's own input form; not timed."""
        self.X, self.y, self.C, self.weight = X, y, C, weight

    @abstractmethod
    def fit(self, rung: float) -> None:
        """Fit from scratch; this is what is timed."""

    @abstractmethod
    def coefficients(self) -> Coefficients:
        """Return the last fit's coefficients, of class 1 where there are two; not timed."""


class EstimatorSolver(Solver):
    """A solver whose library has scikit-learn's interface: say only how to make the estimator."""

    @abstractmethod
    def make(self, rung: float) -> Any:
        """Return a new, unfitted estimator."""

    def fit(self, rung: float) -> None:
        weight = {} if self.weight is None else {"sample_weight": self.weight}
        self.model = self.make(rung).fit(self.X, self.y, **weight)

    def coefficients(self) -> Coefficients:
        coef = np.atleast_2d(np.asarray(self.model.coef_, dtype=np.float64))
        return Coefficients(coef, np.atleast_1d(np.asarray(self.model.intercept_, np.float64)))


def decades(first: int, last: int) -> list[float]:
    """Return 1e-first, ..., 1e-last."""
    return [float(f"1e-{i}") for i in range(first, last + 1)]


def growing(first: int, last: int, factor: float = 1.5) -> list[float]:
    """Return whole numbers from first to last, each about `factor` times the one before."""
    numbers = [first]
    while numbers[-1] < last:
        numbers.append(max(numbers[-1] + 1, int(numbers[-1] * factor)))
    return [float(number) for number in numbers]
