"""Accelerated proximal gradient steps (FISTA), for penalties with a kink: L1 and elastic net."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from backpass.penalties import ElasticNet
from backpass.solvers.outcome import Enough, Outcome, Vector

ASK_EVERY = 10  # iterations between questions for a certificate, which costs about two passes


class Kinked(Protocol):
    """What proximal steps ask of an objective."""

    penalty: ElasticNet

    def smooth_value(self, theta: Vector) -> float: ...
    def smooth_value_and_gradient(self, theta: Vector) -> tuple[float, Vector]: ...


def minimise(
    objective: Kinked, theta: Vector, enough: Enough, max_iter: int, first_step: float = 1.0
) -> Outcome:
    """Minimise smooth part + l1 · ∑ |a θ| from θ.

    A step is θ' = shrink(v - t ∇f(v)), v being θ' plus momentum (Beck & Teboulle 2009). t is halved
    until f(θ') lies under its quadratic model and grows by a tenth otherwise, so no bound on the
    curvature is needed. Momentum restarts where it points uphill (O'Donoghue & Candès 2015).
    """
    step, momentum = first_step, 1.0
    ahead = theta.copy()
    for n_iter in range(1, max_iter + 1):
        value, grad = objective.smooth_value_and_gradient(ahead)
        while True:
            new = objective.penalty.shrink(ahead - step * grad, step)
            move = new - ahead
            model = value + float(grad @ move) + float(move @ move) / (2.0 * step)
            try:
                new_value = objective.smooth_value(new)
            except FloatingPointError:  # a step so long that logits overflow
                new_value = np.inf
            slack = 4.0 * np.finfo(np.float64).eps * abs(value)
            if new_value <= model + slack:
                break
            step *= 0.5
            if step < 1e-300:
                return Outcome(theta, n_iter, "stalled")
        if float(move @ (new - theta)) < 0.0:
            momentum, ahead = 1.0, theta  # uphill: forget the momentum and step again from θ
            continue
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = new + (momentum - 1.0) / following * (new - theta)
        theta, momentum, step = new, following, step * 1.1
        if n_iter % ASK_EVERY == 0 and enough(theta):
            return Outcome(theta, n_iter, "certified")
    return Outcome(theta, max_iter, "certified" if enough(theta) else "max_iter")
