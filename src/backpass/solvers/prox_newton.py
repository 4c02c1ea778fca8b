"""Proximal Newton steps, for penalties with a kink and a moderate number of unknowns.

Each step minimises the quadratic model of the smooth part plus the L1 term itself, by coordinate
descent on the curvature matrix: many cheap sweeps that read no data, then one look at the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.bordered import Bordered
from backpass.penalties import ElasticNet
from backpass.solvers.outcome import Enough, Outcome, Vector

Matrix = NDArray[np.float64]
SUFFICIENT = 1e-4  # the share of the predicted decrease that a step must bring
MOST_SWEEPS = 2000


class KinkedAndCurved(Protocol):
    """What proximal Newton steps ask of an objective."""

    penalty: ElasticNet

    def smooth_value(self, theta: Vector) -> float: ...
    def smooth_value_and_gradient(self, theta: Vector) -> tuple[float, Vector]: ...
    def curvature(self, theta: Vector, definite: bool) -> Matrix | Bordered: ...


def minimise(
    objective: KinkedAndCurved, theta: Vector, enough: Enough, max_iter: int, promising: float
) -> Outcome:
    """Minimise smooth part + l1 · ∑ |a θ| from θ.

    promising: the predicted decrease below which `enough`, which costs passes, is asked.
    Steps are halved until the objective falls (Lee, Sun & Saunders 2014); where rounding lets no
    step lower it, the method ends as 'stalled'.
    """
    kink = objective.penalty.l1 * objective.penalty.scale
    within_rounding = 0
    for n_iter in range(max_iter):
        value, grad = objective.smooth_value_and_gradient(theta)
        value += float(kink @ np.abs(theta))
        curvature = objective.curvature(theta, definite=False)
        step = descend(curvature, grad, theta, kink)
        predicted = float(grad @ step + kink @ (np.abs(theta + step) - np.abs(theta)))
        if -predicted <= promising and enough(theta):
            return Outcome(theta, n_iter, "certified")
        # Below this the objective cannot tell better from worse, but the step, which comes from the
        # finer gradient, can; two such steps are worth taking, more would turn in circles.
        rounding = 8.0 * np.finfo(np.float64).eps * abs(value)
        within_rounding += int(-predicted <= rounding)
        length = 1.0
        while not _falls(
            objective, kink, theta + length * step, value + rounding, length * predicted
        ):
            length *= 0.5
            if length < 1e-10:
                break
        if length < 1e-10 or within_rounding > 2:
            return Outcome(theta, n_iter, "stalled")
        theta = theta + length * step
    return Outcome(theta, max_iter, "certified" if enough(theta) else "max_iter")


def descend(curvature: Matrix | Bordered, grad: Vector, theta: Vector, kink: Vector) -> Vector:
    """Return the step d that minimises ⟨grad, d⟩ + ½ dᵀ H d + ∑ kink · |θ + d|."""
    if isinstance(curvature, Bordered):
        return _descend_bordered(curvature, grad, theta, kink)
    from backpass.kernels.coordinate import coordinate_sweep

    step, pull = np.zeros_like(theta), np.zeros_like(theta)
    _repeat(lambda: coordinate_sweep(curvature, grad, theta, kink, step, pull))
    return step


def _descend_bordered(H: Bordered, grad: Vector, theta: Vector, kink: Vector) -> Vector:
    from backpass.kernels.coordinate import bordered_sweep

    step = np.zeros_like(theta)
    given = np.stack([grad, theta, kink, step])
    levels, rest = given[:, H.levels], given[:, H.rest]
    pull = np.zeros(len(H.rest))
    _repeat(lambda: bordered_sweep(H.D, H.B, H.E, levels, rest, pull))
    step[H.levels], step[H.rest] = levels[3], rest[3]
    return step


def _repeat(sweep: Callable[[], float]) -> None:
    """Sweep until the largest change is a small share of the first sweep's."""
    first = sweep()
    for _ in range(MOST_SWEEPS):
        if sweep() <= 1e-10 * first:
            break


def sweep(
    curvature: NDArray[np.float64],
    grad: Vector,
    theta: Vector,
    kink: Vector,
    step: Vector,
    pull: Vector,
) -> float:
    """Minimise over each coordinate of step in turn: the definition of the twin in `kernels/`."""
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


def _falls(
    objective: KinkedAndCurved, kink: Vector, trial: Vector, value: float, predicted: float
) -> bool:
    try:
        new_value = objective.smooth_value(trial) + float(kink @ np.abs(trial))
    except FloatingPointError:  # a step so long that logits overflow
        return False
    return new_value <= value + SUFFICIENT * predicted
