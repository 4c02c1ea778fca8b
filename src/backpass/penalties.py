"""Penalties on θ: what is added to the cost to keep weights small.

One class covers L2, L1 and their mixture, since each is the elastic net with a strength of zero.
It speaks of places of the flat vector only, so it serves a regression and a network alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.theta import Array, Layout


@dataclass(frozen=True)
class ElasticNet:
    """Ω(θ) = l1 · ∑_j |a_j θ_j| + l2/2 · ∑_j (a_j θ_j)², with a_j = scale[j].

    scale: (n_parameters,), 0 where θ is free (every intercept), 1 where it is penalised as it
    stands, and a column's spread where the penalty shall not depend on the column's unit.
    """

    scale: NDArray[np.float64]
    l2: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l2", "l1"):
            strength = getattr(self, name)
            if not 0.0 <= strength < np.inf:
                raise ValueError(f"{name} is {strength}; a strength is finite and not negative.")

    def value(self, theta: Array) -> float:
        """Return Ω(θ)."""
        return self.smooth_value(theta) + self.l1 * float(np.abs(self.scale * theta).sum())

    def smooth_value(self, theta: Array) -> float:
        """Return the part that has a gradient everywhere, l2/2 · ∑ (a θ)²."""
        if not self.l2:
            return 0.0
        scaled = self.scale * theta
        return 0.5 * self.l2 * float(scaled @ scaled)

    def smooth_curvature(self) -> NDArray[np.float64]:
        """Return the diagonal of ∂²/∂θ² of the smooth part, l2 · a²; times θ it is the gradient."""
        return np.square(np.sqrt(self.l2) * self.scale)  # so that l2 = 0 gives 0 for any scale

    def shrink(self, theta: Array, step: float) -> NDArray[np.float64]:
        """Return the θ' that minimises ½‖θ' - θ‖² + step · l1 · ∑ |a θ'|: soft thresholding."""
        threshold = step * self.l1 * self.scale
        return np.sign(theta) * np.maximum(np.abs(theta) - threshold, 0.0)

    def conjugate(self, pull: Array) -> float:
        """Return Ω*(v) = max over θ of ⟨v, θ⟩ - Ω(θ), looking at penalised places only.

        With l2 > 0 it is ∑ max(|v_j| / a_j - l1, 0)² / (2 l2). With l2 = 0 it is 0 where all
        |v_j| <= l1 · a_j and infinite elsewhere.
        """
        chosen = self.scale > 0.0
        beyond = np.maximum(np.abs(pull[chosen]) / self.scale[chosen] - self.l1, 0.0)
        if self.l2:
            return float(beyond @ beyond) / (2.0 * self.l2)
        return np.inf if beyond.any() else 0.0


def weights_only(layout: Layout) -> NDArray[np.float64]:
    """Return a scale that is 1 on parameters with two axes or more and 0 on biases and the like."""
    scale = np.zeros(layout.size)
    for name, shape in layout.shapes.items():
        if len(shape) >= 2:
            scale[layout.slices[name]] = 1.0
    return scale
