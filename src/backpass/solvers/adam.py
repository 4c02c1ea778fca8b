"""Adam: steps scaled by running moments of the gradient. A function of (θ, gradient, state)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
State = dict[str, NDArray]


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) in the efficient form of its section 2, as scikit-learn has it.

    m ← β₁ m + (1-β₁) g,  v ← β₂ v + (1-β₂) g²,
    θ ← θ - rate · √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + epsilon).
    PyTorch divides √v by √(1-β₂ᵗ) before it adds epsilon; the two differ by terms of epsilon / √v.

    The rule is frozen; what changes is in `state`, a dict of plain arrays that can be saved.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def start(self, size: int) -> State:
        """Return the state before the first step."""
        return {
            "mean": np.zeros(size),
            "square": np.zeros(size),
            "n_steps": np.zeros(1, dtype=np.int64),
        }

    def step(self, theta: Vector, grad: Vector, state: State) -> None:
        """Update θ and state in place."""
        from backpass.kernels.adam import fused_adam_step

        state["n_steps"] += 1
        rate = self.rate(int(state["n_steps"][0]))
        fused_adam_step(
            theta, grad, state["mean"], state["square"],
            rate, self.beta_1, self.beta_2, self.epsilon,
        )  # fmt: skip

    def rate(self, n_steps: int) -> float:
        """Return the rate of step n_steps (1, 2, ...): it undoes that the moments start at 0."""
        correction = (1.0 - self.beta_2**n_steps) ** 0.5 / (1.0 - self.beta_1**n_steps)
        return float(self.learning_rate * correction)

    def current_rate(self, state: State) -> float:
        """Return the learning rate that an epoch reports."""
        return self.learning_rate

    def end_epoch(self, state: State, rows_seen: int) -> None:
        """Nothing changes between epochs."""

    def slow_down(self, state: State) -> bool:
        """Tell that no slower way is left, so training ends where progress ends."""
        return False


def adam_step(
    theta: Vector,
    grad: Vector,
    mean: Vector,
    square: Vector,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Update θ, mean and square in place: the definition of the compiled twin in `kernels/`."""
    mean[...] = beta_1 * mean + (1.0 - beta_1) * grad
    square[...] = beta_2 * square + (1.0 - beta_2) * (grad * grad)
    theta -= rate * mean / (np.sqrt(square) + epsilon)
