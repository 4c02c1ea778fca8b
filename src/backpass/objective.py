"""The objective: network x data x penalty, as a function of θ. It is all that solvers see.

A solver asks for a value, a gradient, a curvature; it never meets a layer. The objective never
decides on a step. `rows_evaluated` counts what was asked, in rows, so that solvers can be compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.layers import Dropout
from backpass.masks import dropout_mask
from backpass.network import Network
from backpass.penalties import ElasticNet
from backpass.steps import widths
from backpass.theta import Array

Vector = NDArray[np.float64]


class Objective:
    """∑ weight · loss + Ω(θ) over one data set held in memory."""

    def __init__(
        self,
        network: Network,
        X: Array,
        y: ArrayLike,
        sample_weight: Vector | None,
        penalty: ElasticNet,
    ) -> None:
        self.network, self.X, self.y, self.sample_weight = network, X, y, sample_weight
        self.penalty = penalty
        self.total_weight = float(len(X) if sample_weight is None else sample_weight.sum())
        self.rows_evaluated = 0

    @property
    def passes(self) -> float:
        """Return how many times every row was evaluated so far."""
        return self.rows_evaluated / max(len(self.X), 1)

    def cost(self, theta: Vector) -> float:
        """Return ∑ weight · loss, without the penalty."""
        self.rows_evaluated += len(self.X)
        return self.network.cost(theta, self.X, self.y, self.sample_weight)

    def value(self, theta: Vector) -> float:
        """Return ∑ weight · loss + Ω(θ)."""
        return self.cost(theta) + self.penalty.value(theta)

    def smooth_value(self, theta: Vector) -> float:
        """Return the value of all but the l1 part of the penalty."""
        return self.cost(theta) + self.penalty.smooth_value(theta)

    def smooth_value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """Return value and gradient of all but the l1 part of the penalty."""
        self.rows_evaluated += len(self.X)
        cost, grad = self.network.cost_and_gradient(theta, self.X, self.y, self.sample_weight)
        grad += self.penalty.smooth_curvature() * theta
        return cost + self.penalty.smooth_value(theta), grad


class BatchObjective:
    """The mean over a batch of rows, (∑ weight · loss + Ω(θ)) / ∑ weight, for a minibatch trainer.

    X and y are held in the network's dtype, and rows are gathered into one buffer, so it is for one
    thread. Where the network has `Dropout` layers it gives them their masks, which are
    functions of (seed, layer, epoch, row number, unit).
    """

    def __init__(
        self,
        network: Network,
        X: Array,
        y: NDArray,
        sample_weight: Vector | None,
        penalty: ElasticNet,
        seed: int,
    ) -> None:
        self.network, self.penalty, self.seed = network, penalty, seed
        self.X = np.ascontiguousarray(X, dtype=network.dtype)
        self.y, self.sample_weight = y, sample_weight
        self.n_rows = len(self.X)
        self._l2 = penalty.smooth_curvature()
        self._buffer = np.empty((0, self.X.shape[1]), network.dtype)
        levels = widths(network.steps, self.X.shape[1])
        self._dropouts = [
            (L, step.layer.p, int(levels[L] or 0))
            for L, step in enumerate(network.steps)
            if isinstance(step.layer, Dropout) and step.layer.p > 0.0
        ]

    def mean_and_gradient(
        self, theta: Vector, rows: NDArray[np.intp] | slice, epoch: int
    ) -> tuple[float, Vector | None]:
        """Return the batch's mean and its gradient, or (0, None) where its rows have no weight."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        X, y = self._gather(rows), self.y[rows]
        total = float(len(X) if weight is None else weight.sum())
        if total == 0.0:
            return 0.0, None
        constants = self._masks(rows, epoch) if self._dropouts else None
        cost, grad = self.network.cost_and_gradient(theta, X, y, weight, constants)
        grad += self._l2 * theta
        grad *= 1.0 / total
        return (cost + self.penalty.smooth_value(theta)) / total, grad

    def _gather(self, rows: NDArray[np.intp] | slice) -> Array:
        if isinstance(rows, slice):
            return self.X[rows]
        if len(self._buffer) < len(rows):
            self._buffer = np.empty((len(rows), self.X.shape[1]), self.X.dtype)
        # mode="clip" lets take write to the buffer itself; the numbers are in range anyway
        return np.take(self.X, rows, axis=0, out=self._buffer[: len(rows)], mode="clip")

    def _masks(self, rows: NDArray[np.intp] | slice, epoch: int) -> dict[int, dict[str, Array]]:
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return {
            L: {"mask": dropout_mask(self.seed, L, epoch, numbers, width, p, self.network.dtype)}
            for L, p, width in self._dropouts
        }
