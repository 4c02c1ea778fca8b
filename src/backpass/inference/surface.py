"""Maximising a log-likelihood with some combinations of coefficients held fast.

Profile intervals and tests of a smaller model ask for it, of the plain log-likelihood and of
Firth's. Newton's step for a fixed A β is the plain one, moved back to where A β is unchanged in the
metric of the information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
MOST_STEPS = 100
SMALL_DECREMENT = 1e-8  # of a maximum that others are compared with


class Surface(Protocol):
    """A log-likelihood, maybe with a prior, of β (m, p)."""

    def evaluate(self, beta: Matrix) -> tuple[float, Vector, Matrix]:
        """Return the value, its gradient (m·p,), and the information."""
        ...


@dataclass(frozen=True)
class Top:
    """The highest point found. pull: (q,), by how much the value rises with each of A β."""

    beta: Matrix
    value: float
    gradient: Vector
    information: Matrix
    pull: Vector
    n_steps: int
    reached: bool


def maximise(surface: Surface, beta: Matrix, held: Matrix, at: Vector) -> Top:
    """Maximise from β over all β' with A β' = at. held: A, (q, m·p); q = 0 holds nothing."""
    shape, flat = beta.shape, beta.reshape(-1)
    value, gradient, information = surface.evaluate(beta)
    factor = Factor(information)
    if len(held):
        flat = flat + _lift(factor, held) @ (at - held @ flat)
        value, gradient, information = surface.evaluate(flat.reshape(shape))
        factor = Factor(information)
    reached, n_steps = False, 0
    while True:
        lift = _lift(factor, held)
        pull = lift.T @ gradient
        step = factor.solve(gradient - held.T @ pull)
        rise = float(gradient @ step)
        if rise <= SMALL_DECREMENT**2:
            reached = True
            break
        if n_steps == MOST_STEPS:
            break
        higher = _search(surface, flat, step, value, rise, shape)
        if higher is None:
            reached = rise <= 1e-6 * SMALL_DECREMENT  # no step is seen to rise, nor far to go
            break
        flat, (value, gradient, information) = higher
        factor = Factor(information)
        n_steps += 1
    return Top(flat.reshape(shape), value, gradient, information, pull, n_steps, reached)


def _lift(factor: Factor, held: Matrix) -> Matrix:
    """Return H⁻¹Aᵀ (A H⁻¹ Aᵀ)⁻¹, (m·p, q): the nearest way, by H, to change A β."""
    if not len(held):
        return np.zeros((held.shape[1], 0))
    solved = factor.solve(held.T)
    return solved @ np.linalg.pinv(held @ solved)


def _search(
    surface: Surface, flat: Vector, step: Vector, value: float, rise: float, shape: tuple[int, int]
) -> tuple[Vector, tuple[float, Vector, Matrix]] | None:
    """Halve the step until the value rises by a share of what was promised; None for never."""
    rounding = 8.0 * np.finfo(np.float64).eps * abs(value)
    length = 1.0
    while length > 1e-8:
        there = flat + length * step
        try:
            found = surface.evaluate(there.reshape(shape))
        except FloatingPointError:  # a step so long that logits overflow
            length *= 0.5
            continue
        if found[0] >= value + 1e-4 * length * rise - rounding:
            return there, found
        length *= 0.5
    return None
