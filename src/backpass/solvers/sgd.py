"""Stochastic gradient descent with momentum. A function of (θ, gradient, state)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
State = dict[str, NDArray]

SLOWEST = 1e-6  # the learning rate at which the adaptive schedule gives up


@dataclass(frozen=True)
class SGD:
    """Steps along a velocity v ← momentum · v - rate · g;  θ ← θ + v, or + momentum · v - rate · g.

    The second form is Nesterov's. schedule, as in scikit-learn: "constant"; "invscaling", rate =
    learning_rate / (rows seen + 1)^power_t after each epoch; "adaptive", a fifth of the rate
    whenever training stops getting better, until it is 1e-6.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = True
    schedule: str = "constant"
    power_t: float = 0.5

    def start(self, size: int) -> State:
        """Return the state before the first step."""
        return {
            "velocity": np.zeros(size),
            "rate": np.array([self.learning_rate], dtype=np.float64),
            "scratch": np.empty(size),
        }

    def step(self, theta: Vector, grad: Vector, state: State) -> None:
        """Update θ and state in place."""
        velocity, push = state["velocity"], state["scratch"]
        np.multiply(grad, -state["rate"][0], out=push)
        velocity *= self.momentum
        velocity += push
        if self.nesterov:
            theta += push
            np.multiply(velocity, self.momentum, out=push)
            theta += push
        else:
            theta += velocity

    def current_rate(self, state: State) -> float:
        """Return the learning rate that an epoch reports."""
        return float(state["rate"][0])

    def end_epoch(self, state: State, rows_seen: int) -> None:
        """Lower the rate where the schedule is "invscaling"."""
        if self.schedule == "invscaling":
            state["rate"][0] = self.learning_rate / (rows_seen + 1) ** self.power_t

    def slow_down(self, state: State) -> bool:
        """Lower the rate where the schedule is "adaptive"; tell whether that was possible."""
        if self.schedule != "adaptive" or state["rate"][0] <= SLOWEST:
            return False
        state["rate"][0] /= 5.0
        return True
