"""The minimum of a quadratic with an L1 term: coordinate descent and subspaces, by turns.

Sweeps over the coordinates find which of them are 0 and the others' signs, long before they find
the minimum where columns are alike. For given signs the minimum is the solution of a linear
system: so after some sweeps one moves there, but no coordinate beyond 0, and sweeps again until
both have nothing left to do. Nothing here reads data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.bordered import Bordered, BorderedFactor
from backpass.factor import Factor
from backpass.solvers.outcome import Vector
from backpass.solvers.pairs import DiagonalAndPairs

Matrix = NDArray[np.float64]
Quadratic = Matrix | Bordered | DiagonalAndPairs
SWEEPS = 4  # before each move in a subspace
MOST_ROUNDS = 200
# The diagonal's share that is added to a system, which may be singular: it costs a round more.
RIDGE = 1e-9
LEVEL = 1e-10  # the share of a slope that counts as 0


def descend(H: Quadratic, grad: Vector, theta: Vector, kink: Vector) -> Vector:
    """Return the step d that minimises ⟨grad, d⟩ + ½ dᵀ H d + ∑ kink · |θ + d|."""
    step = np.zeros_like(theta)
    for _ in range(MOST_ROUNDS):
        step = _swept(H, grad, theta, kink, step)
        step, done = _moved(H, grad, theta, kink, step)
        if done:
            break
    return step


def decrease(H: Quadratic, grad: Vector, theta: Vector, step: Vector, kink: Vector) -> float:
    """Return -(⟨grad, d⟩ + ∑ kink (|θ + d| - |θ|)) of the minimising step d, at least 0.

    At the minimum it is dᵀHd + ∑ (kink |θ| + slope · θ) over the θ that reach 0 or pass it, a sum
    of terms >= 0; as it is defined it would be a difference of numbers that cancel.
    """
    product = H @ step
    reached = np.sign(theta + step) != np.sign(theta)
    terms = (kink * np.abs(theta) + (grad + product) * theta)[reached]
    return max(float(step @ product), 0.0) + float(np.maximum(terms, 0.0).sum())


def _swept(H: Quadratic, grad: Vector, theta: Vector, kink: Vector, step: Vector) -> Vector:
    """Return what some sweeps make of a step."""
    from backpass.kernels.coordinate import bordered_sweep, coordinate_sweep, pairs_sweep

    if isinstance(H, Bordered):
        given, pull = np.stack([grad, theta, kink, step]), (H @ step)[H.rest]
        levels, rest = given[:, H.levels], given[:, H.rest]
        for _ in range(SWEEPS):
            bordered_sweep(H.D, H.B, H.E, levels, rest, pull)
        step[H.levels], step[H.rest] = levels[3], rest[3]
    elif isinstance(H, DiagonalAndPairs):
        pull = H.W.T @ step
        for _ in range(SWEEPS):
            pairs_sweep(H.diagonal, H.W, H.WM, grad, theta, kink, step, pull)
    else:
        pull = H @ step
        for _ in range(SWEEPS):
            coordinate_sweep(H, grad, theta, kink, step, pull)
    return step


def _moved(
    H: Quadratic, grad: Vector, theta: Vector, kink: Vector, step: Vector
) -> tuple[Vector, bool]:
    """Move to the minimum over all that is not 0, its signs kept; tell if it is that over all.

    As far as the first coordinate that reaches 0 the quadratic falls; that one stays there and the
    others go on, so this ends. Were it left to sweeps at once, they would move it back again.
    """
    signs = np.sign(theta + step)
    free = (signs != 0.0) | (kink == 0.0)
    while True:
        slope = grad + H @ step
        move = _solve_within(H, free, np.where(free, -(slope + kink * signs), 0.0))
        place = theta + step
        crosses = (kink > 0.0) & (signs * (place + move) < 0.0)
        if not crosses.any():
            break
        reach = np.where(crosses, place / np.where(crosses, -move, 1.0), np.inf)
        first = reach == reach.min()
        step = np.where(first, -theta, step + reach.min() * move)
        signs[first], free = 0.0, free & ~first
    step = step + move
    slope = np.abs(grad + H @ step + kink * signs)
    level = LEVEL * (np.abs(grad) + kink).max(initial=0.0)
    return step, bool((slope <= np.where(free, 0.0, kink) + level).all())


def _solve_within(H: Quadratic, free: NDArray[np.bool_], right: Vector) -> Vector:
    """Solve the free rows and columns of H for a right side; 0 elsewhere."""
    if isinstance(H, DiagonalAndPairs):
        return H.solve_within(free, right)
    if isinstance(H, Bordered):
        masked = H.within(free)
        return BorderedFactor(masked.plus_diagonal(RIDGE * masked.diagonal)).solve(right)
    found = np.zeros_like(right)
    if free.any():
        within = H[np.ix_(free, free)]
        within[np.diag_indices_from(within)] *= 1.0 + RIDGE
        found[free] = Factor(within).solve(right[free])
    return found


def sweep(
    curvature: Matrix, grad: Vector, theta: Vector, kink: Vector, step: Vector, pull: Vector
) -> float:
    """Minimise over each coordinate of step in turn: the definition of the twins in `kernels/`."""
    largest = 0.0
    for j, bend in enumerate(np.diag(curvature)):
        if bend <= 0.0:
            continue
        wanted = theta[j] + step[j] - (grad[j] + pull[j]) / bend
        shrunk = np.sign(wanted) * np.maximum(np.abs(wanted) - kink[j] / bend, 0.0)
        change = shrunk - theta[j] - step[j]
        step[j] += change
        pull += change * curvature[j]
        largest = max(largest, float(bend * change**2))
    return largest
