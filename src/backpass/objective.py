"""The objective: network x data x penalty, as a function of θ. It is all that solvers see.

A solver asks for a value, a gradient, a curvature; it never meets a layer. The objective never
decides on a step. `rows_evaluated` counts what was asked, in rows, so that solvers can be compared.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.batch import Batch, checked_batch
from backpass.factor import Factor
from backpass.layers import Dropout, Linear
from backpass.masks import dropout_mask
from backpass.network import Network
from backpass.pairs import joint_rule
from backpass.penalties import ElasticNet
from backpass.slices import sum_slices
from backpass.steps import widths
from backpass.tape import Tape
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


class LinearObjective(Objective):
    """The objective of one Linear layer and its loss, where the curvature has a closed form.

    Row i has logits W x_i + b and the loss's second derivative S_i = ∂²loss/∂z∂z, so that the
    curvature is ∑ weight_i · S_i ⊗ x̃_i x̃_iᵀ with x̃ = [x, 1] (the bias trick, Kwitt 2018, Eq. 1).
    """

    def __init__(
        self,
        network: Network,
        X: Array,
        y: NDArray,
        sample_weight: Vector | None,
        penalty: ElasticNet,
    ) -> None:
        super().__init__(network, X, y, sample_weight, penalty)
        linear, link = network.layers
        assert isinstance(linear, Linear)
        loss = joint_rule(link, network.loss)  # type: ignore[arg-type]
        assert loss is not None
        self.linear, self.loss = linear, loss
        self._batch = checked_batch(X, y, sample_weight, loss, linear.n_out, network.dtype)

    @property
    def n_parameters(self) -> int:
        """Count the entries of θ."""
        return self.network.n_parameters

    @property
    def fits_curvature(self) -> bool:
        """Tell whether a curvature matrix of this many parameters is worth forming."""
        return self.n_parameters <= 1500

    def curvature(self, theta: Vector, definite: bool = True) -> NDArray[np.float64]:
        """Return ∂²/∂θ² of the smooth part, (n_parameters, n_parameters).

        Along null directions of θ (see `_null_projector`) the curvature is 0; where it is to be
        definite, it is given the mean
        of the diagonal there, so that it can be factorised. The gradient has no component along
        them, so Newton steps stay what they are.
        """
        self.rows_evaluated += len(self.X)
        k, wide = self.linear.n_out, self.linear.n_in + int(self.linear.bias)
        weight, bias = self._parts(theta)

        def part(tape: Tape, cut: Batch, start: int) -> tuple[Vector, ...]:
            z = cut.X @ weight.T + bias
            rows = self._with_one(cut.X)
            blocks = np.empty((k, wide, k, wide))
            bend, along = np.empty_like(z), np.zeros_like(z)
            for b in range(k):
                along[:, b] = 1.0
                self.loss.tangent(z, cut.y, along, bend)  # column b of every S_i
                along[:, b] = 0.0
                if cut.weight is not None:
                    bend *= cut.weight[:, None]
                for a in range(b, k):
                    blocks[a, :, b, :] = rows.T @ (bend[:, a, None] * rows)
                    blocks[b, :, a, :] = blocks[a, :, b, :].T
            return (blocks,)

        levels = (self.linear.n_in, k)
        (total,) = sum_slices(self, self._batch, levels, self.network.dtype, part)
        total = total.reshape(k * wide, k * wide)
        places = self._places()
        matrix = np.empty_like(total)
        matrix[np.ix_(places, places)] = total
        matrix[np.diag_indices_from(matrix)] += self.penalty.smooth_curvature()
        if definite:
            matrix += np.diag(matrix).mean() * self._null_projector
        return matrix

    def largest_row_form(self, inverse: NDArray[np.float64]) -> float:
        """Return the largest row norm in the metric of H⁻¹: max_i ∑_a x̃_iᵀ (H⁻¹)_aa x̃_i.

        inverse: H⁻¹ in the layout of θ. For softmax twice this bounds the squared spread of logits,
        (max_a - min_a)², per unit of squared H-norm, since a spread is at most √2 times a length.
        """
        self.rows_evaluated += len(self.X)
        k, wide = self.linear.n_out, self.linear.n_in + int(self.linear.bias)
        places = self._places().reshape(k, wide)
        middle = sum(inverse[np.ix_(own, own)] for own in places)
        largest = 0.0
        for start in range(0, len(self.X), 4096):
            rows = self._with_one(self.X[start : start + 4096])
            forms = np.einsum("ij,ij->i", rows @ middle, rows)
            largest = max(largest, float(forms.max(initial=0.0)))
        return largest * (1.0 if k == 1 else 2.0)

    def probabilities(self, theta: Vector) -> NDArray[np.float64]:
        """Return π, (n_rows, n_classes), two columns for a sigmoid."""
        self.rows_evaluated += len(self.X)
        out = self.network.forward(theta, self.X)
        return np.hstack([1.0 - out, out]) if self.linear.n_out == 1 else np.exp(out)

    def one_hot(self) -> NDArray[np.float64]:
        """Return y as (n_rows, n_classes) zeros and ones."""
        n_classes = max(self.linear.n_out, 2)
        return (np.asarray(self.y)[:, None] == np.arange(n_classes)).astype(np.float64)

    def pull_back(self, residual: NDArray[np.float64]) -> Vector:
        """Return ∑_i residual_i ⊗ x̃_i in the layout of θ: the gradient where δ = residual."""
        self.rows_evaluated += len(self.X)
        chosen = residual[:, 1:] if self.linear.n_out == 1 else residual
        parts = {"0.weight": chosen.T @ self.X}
        if self.linear.bias:
            parts["0.bias"] = chosen.sum(axis=0)
        return self.network.flatten(parts)

    def _parts(self, theta: Vector) -> tuple[Array, Array]:
        views = self.network.parameters(theta)
        return views["0.weight"], views.get("0.bias", np.zeros(self.linear.n_out))

    def _with_one(self, X: Array) -> NDArray[np.float64]:
        return np.hstack([X, np.ones((len(X), 1))]) if self.linear.bias else X.astype(np.float64)

    def _places(self) -> NDArray[np.intp]:
        """Return where (class a, column j of x̃) stands in θ, class by class."""
        k, d = self.linear.n_out, self.linear.n_in
        weight = np.arange(k * d).reshape(k, d)
        if not self.linear.bias:
            return weight.reshape(-1)
        return np.hstack([weight, k * d + np.arange(k)[:, None]]).reshape(-1)

    @cached_property
    def _null_projector(self) -> NDArray[np.float64]:
        """Return N Nᵀ for an orthonormal basis N of the directions along which nothing changes.

        Where the smooth penalty does not act these are: one vector added to all classes of a
        softmax, and, in any class, a combination of columns that is 0 on every row.
        """
        k, d, bias = self.linear.n_out, self.linear.n_in, int(self.linear.bias)
        wide = d + bias
        shift = np.full((k, k), 1.0 / k) if k > 1 else np.zeros((1, 1))
        if self.penalty.smooth_curvature().any():
            columns = np.zeros((wide, wide))
            free = np.diag(np.arange(wide) >= d).astype(np.float64)  # the intercepts alone
        else:
            columns, free = self._collinear_projector(), np.eye(wide)
        blocks = np.kron(np.eye(k) - shift, columns) + np.kron(shift, free)
        places = self._places()
        projector = np.empty_like(blocks)
        projector[np.ix_(places, places)] = blocks
        return projector

    def _collinear_projector(self) -> NDArray[np.float64]:
        self.rows_evaluated += len(self.X)

        def part(tape: Tape, cut: Batch, start: int) -> tuple[Vector, ...]:
            rows = self._with_one(cut.X)
            weighted = rows if cut.weight is None else cut.weight[:, None] * rows
            return (rows.T @ weighted,)

        levels = (self.linear.n_in, self.linear.n_out)
        (gram,) = sum_slices(self, self._batch, levels, self.network.dtype, part)
        return Factor(gram).null_projector()
