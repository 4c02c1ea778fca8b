"""Truncated Newton: steps by conjugate gradients on exact Hessian products, for any width.

A product H·v is one read of the data and forms no matrix. Each Newton equation is solved only as
far as its step is worth: to a residual of min(½, √‖∇‖) times the gradient, in the norm of the
preconditioner (Eisenstat & Walker 1996), which is the fixed matrix of `preconditioned.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from backpass.linear_objective import Evaluation
from backpass.solvers.outcome import Outcome, Vector
from backpass.solvers.preconditioned import Solve
from backpass.solvers.steps import line_search

MOST_PRODUCTS = 200  # a Newton step


class WithProducts(Protocol):
    """What the method asks of an objective."""

    def evaluate(self, u: Vector, stride: int = 1, curvature: bool = False) -> Evaluation: ...
    def hessian_product(self, u: Vector, v: Vector) -> Vector: ...


def minimise(
    objective: WithProducts,
    u: Vector,
    solve: Solve,
    enough: Callable[[Evaluation], bool],
    max_iter: int,
) -> Outcome:
    """Minimise from u; enough(evaluation) is asked at every step: let it refuse for nothing."""

    def evaluate(u: Vector, first: bool = True) -> Evaluation:
        return objective.evaluate(u)

    here, first_size = evaluate(u), 0.0
    for n_iter in range(max_iter + 1):
        if enough(here):
            return Outcome(here.u, n_iter, "certified")
        if n_iter == max_iter:
            break
        size = float(np.sqrt(here.gradient @ solve(here.gradient)))
        first_size = first_size or size
        share = min(0.5, np.sqrt(size / first_size)) if size > 0.0 else 0.5
        there = line_search(evaluate, here, _newton_step(objective, here, solve, share))
        if there is None:
            return Outcome(here.u, n_iter, "stalled")
        here = there
    return Outcome(here.u, max_iter, "max_iter")


def _newton_step(objective: WithProducts, here: Evaluation, solve: Solve, share: float) -> Vector:
    """Solve H step = -∇ by conjugate gradients until the residual is `share` of the gradient."""
    step, residual = np.zeros_like(here.u), -here.gradient
    towards = solve(residual)
    direction, energy = towards, float(residual @ towards)
    enough = share * share * energy
    for _ in range(MOST_PRODUCTS):
        product = objective.hessian_product(here.u, direction)
        bend = float(direction @ product)
        if not bend > 0.0:  # rounding is all that is left along it
            break
        length = energy / bend
        step += length * direction
        residual -= length * product
        towards = solve(residual)
        before, energy = energy, float(residual @ towards)
        if energy <= enough:
            break
        direction = towards + energy / before * direction
    return step if step.any() else solve(-here.gradient)
