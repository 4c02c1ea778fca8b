"""L-BFGS with a preconditioner, where a curvature matrix is too large or too dear to form.

The first inverse is that of one fixed matrix, b · ∑ w x̃ x̃ᵀ + penalty in every class, with b the
bend of the null model. Some rows determine it well enough, and float32 products do; where even
that is too wide, its diagonal. Pairs of differences learn the rest. A step is one gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor
from backpass.linear_objective import Evaluation
from backpass.solvers.outcome import Outcome, Vector
from backpass.solvers.steps import Pair, line_search, new_pair, two_loops

MOST_PAIRS = 40
Solve = Callable[[Vector], Vector]


class Smooth(Protocol):
    """What the method asks of an objective."""

    def evaluate(self, u: Vector, stride: int = 1, curvature: bool = False) -> Evaluation: ...


def minimise(
    objective: Smooth,
    u: Vector,
    solve: Solve,
    enough: Callable[[Evaluation], bool],
    max_iter: int,
) -> Outcome:
    """Minimise from u; enough(evaluation) is asked at every step: let it refuse for nothing."""

    def evaluate(u: Vector, first: bool = True) -> Evaluation:
        return objective.evaluate(u)

    here, pairs = evaluate(u), list[Pair]()
    for n_iter in range(max_iter + 1):
        if enough(here):
            return Outcome(here.u, n_iter, "certified")
        if n_iter == max_iter:
            break
        there = line_search(evaluate, here, -two_loops(solve, pairs, here.gradient))
        if there is None and pairs:
            pairs = []  # what the pairs say may be wrong from here on; the fixed matrix is not
            there = line_search(evaluate, here, -solve(here.gradient))
        if there is None:
            return Outcome(here.u, n_iter, "stalled")
        pairs = [*pairs[-MOST_PAIRS + 1 :], *new_pair(here, there)]
        here = there
    return Outcome(here.u, max_iter, "max_iter")


def fixed_inverse(
    gram: NDArray[np.float64], bend: float, penalty: Vector, n_outputs: int, order: NDArray[np.intp]
) -> Solve:
    """Return what solves (bend · gram + penalty of a class) x = g, class by class.

    gram: (d̃, d̃), or its diagonal (d̃,). penalty: the diagonal of its curvature, as u is laid out,
    the same in every class. order: where (class a, column j) stands in u.
    """
    width = len(gram)
    ridge = penalty[order].reshape(n_outputs, width)[0]
    back = np.argsort(order)
    if gram.ndim == 1:
        diagonal = bend * gram + ridge
        diagonal[diagonal <= 0.0] = 1.0  # a column of zeros, and no penalty: it does not matter
        return lambda grad: (grad[order].reshape(n_outputs, width) / diagonal).reshape(-1)[back]
    factor = Factor(bend * gram + np.diag(ridge))
    return lambda grad: factor.solve(grad[order].reshape(n_outputs, width).T).T.reshape(-1)[back]
