"""What every full-batch solver returns, and how it is told when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.linear_objective import Evaluation

Vector = NDArray[np.float64]
# θ -> whether it is certified as good enough; solvers ask where they have reason to hope for it.
Enough = Callable[[Vector], bool]


@dataclass(frozen=True)
class Outcome:
    """Where a solver stopped and why.

    reason: 'certified', 'stalled' (rounding allows no further progress) or 'max_iter'.
    curved: an evaluation at θ with its curvature, where the solver formed one there.
    """

    theta: Vector
    n_iter: int
    reason: str
    curved: Evaluation | None = None
