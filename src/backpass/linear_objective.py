"""The objective of one Linear layer and its loss, evaluated over blocks of rows.

Here the chain z = W x + b → loss has a closed form for everything that a fast fit asks: a block is
read once for cost, gradient and curvature. Row i has the bend S_i = ∂²loss/∂z∂z, and the curvature
is ∑ S_i ⊗ x̃_i x̃_iᵀ with x̃ = [x, 1] (the bias trick, Kwitt 2018, Eq. 1).

A solver works on u, θ for columns that are centred and scaled (`View`): its numbers do not depend
on units, while X itself is neither copied nor changed. `given` and `solvers` translate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax, xlogy

from backpass.bordered import Bordered, BorderedFactor
from backpass.curvature import (
    DOUBLE,
    MATRIX_UP_TO,
    AsMatrix,
    OfColumns,
    chosen_form,
    class_order,
    class_pairs,
)
from backpass.data.rows import Block, Rows, View
from backpass.factor import Factor
from backpass.kernels.head import logistic_head, softmax_head
from backpass.penalties import ElasticNet
from backpass.runner import Runner, current_runner, serial
from backpass.scratch import scratch
from backpass.treesum import TreeSum
from backpass.watch import Moment, listener, tell

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
GRAM_UP_TO = 2000  # columns
# The multiplications of a pass, a curvature counted as so many gradients: below it, some 0.8 ms,
# handing parts to a second thread costs more than it brings.
SHARED_FROM = 1.5e6
# The multiplications of a block, where there are enough rows: each costs some ten calls.
BLOCK_FROM = 2.5e5
NO_WEIGHT = np.empty(0)
SINGLE = np.dtype(np.float32)


@dataclass(frozen=True)
class Evaluation:
    """The smooth part of the objective at u, from `n_rows` rows scaled up to all of them.

    curvature: (n_parameters, n_parameters), bordered where one category is large, or None.
    longest: the largest ‖x̃_i‖² met with it.
    stride: of the rows; curvature / stride is a lower bound of all rows' curvature.
    """

    u: Vector
    value: float
    gradient: Vector
    curvature: Matrix | Bordered | None = None
    longest: float = np.inf
    stride: int = 1


class LinearObjective:
    """∑ weight · loss + Ω(u): a sigmoid's for n_outputs = 1, a softmax's for more.

    y: classes by number, (n_rows,), or for a sigmoid any targets in [0, 1]. penalty: on u.
    offset: (n_rows, n_outputs), added to the logits z, or None. It is constant in u, so curvature
    and every theorem about it stay what they are.
    """

    def __init__(
        self,
        rows: Rows,
        y: NDArray,
        weight: Vector | None,
        n_outputs: int,
        penalty: ElasticNet,
        view: View,
        offset: Matrix | None = None,
    ) -> None:
        self.rows, self.weight, self.penalty, self.view = rows, weight, penalty, view
        self.offset = offset
        self.n_outputs = n_outputs
        self.y = y if n_outputs > 1 else y.astype(np.float64, copy=False)
        self.total_weight = float(rows.n_rows if weight is None else weight.sum())
        self.n_parameters = n_outputs * view.width
        self.rows_evaluated = 0
        self.history: list[tuple[float, float, int]] = []  # (passes, value, stride) of evaluations
        self._collinear: Matrix | None = None
        self.form = chosen_form(rows, view, n_outputs)

    @property
    def passes(self) -> float:
        """Return how many times every row was evaluated so far."""
        return self.rows_evaluated / max(self.rows.n_rows, 1)

    def evaluate(
        self, u: Vector, stride: int = 1, curvature: bool = False, of: OfColumns | None = None
    ) -> Evaluation:
        """Evaluate every stride-th row, with the curvature if asked for: one visit to each.

        of: the columns whose curvature it shall be, None for all.
        """
        form = of or self.form
        weight, bias = self.given(u)
        # A wide curvature is worth a block of more rows than columns: each ends in a sum of it.
        cuts = self._cuts(stride, form.view.width if curvature else 1)
        longest = np.zeros(len(cuts))

        def part(index: int) -> tuple[NDArray, ...]:
            places = cuts[index]
            block = self.rows.block(places)
            cost, delta, bend = self._head(block, weight, bias, places)
            sums = (np.array(cost), block.pull(delta), delta.sum(axis=0))
            if not curvature:
                return sums
            weights = bend if self.n_outputs == 1 else class_pairs(bend, self._weight(places))
            made, longest[index] = form.part(block, weights)
            return (*sums, *made)

        n_rows = self.rows.count(stride)
        cost, pull, total, *made = self._sum(part, len(cuts), n_rows, curvature)
        share = self.rows.n_rows / n_rows
        ridge = self.penalty.smooth_curvature()
        gradient = share * self._seen(pull, total) + ridge * u
        value = share * float(cost) + self.penalty.smooth_value(u)
        self.history.append((self.passes, value, stride))
        tell(Moment(self.passes, self.rows.n_rows, objective=value))
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            self._refuse_nonfinite(u)
        if not curvature:
            return Evaluation(u, value, gradient, stride=stride)
        for sums in made:
            sums *= share
        full = form.whole(made, ridge)
        return Evaluation(u, value, gradient, full, float(longest.max()), stride)

    def hessian_product(self, u: Vector, v: Vector) -> Vector:
        """Return the curvature at u times v, exactly and without forming it: one visit to each row.

        δ̇ = S_i ż with ż = V x̃_i, carried back as δ is (Pearlmutter 1994).
        """
        weight, bias = self.given(u)
        along, shift = self.given(v)
        cuts, k = self._cuts(1), self.n_outputs

        def part(index: int) -> tuple[NDArray, ...]:
            places = cuts[index]
            block, w = self.rows.block(places), self._weight(places)
            _, _, bend = self._head(block, weight, bias, places)
            dot = scratch("dot", (len(bend), k))
            block.times(along, dot)
            dot += shift
            if k > 1:
                dot -= (bend * dot).sum(axis=1, keepdims=True)
                if w.size:
                    dot *= w[:, None]
            dot *= bend
            return block.pull(dot), dot.sum(axis=0)

        return self._seen(*self._sum(part, len(cuts))) + self.penalty.smooth_curvature() * v

    # The same by the names that solvers use which know no subsamples.

    def smooth_value_and_gradient(self, u: Vector) -> tuple[float, Vector]:
        """Return value and gradient of all but the l1 part of the penalty."""
        here = self.evaluate(u)
        return here.value, here.gradient

    def smooth_value(self, u: Vector) -> float:
        """Return the value of all but the l1 part of the penalty."""
        return self.evaluate(u).value

    def value(self, u: Vector) -> float:
        """Return ∑ weight · loss + Ω(u)."""
        return self.smooth_value(u) - self.penalty.smooth_value(u) + self.penalty.value(u)

    def curvature(self, u: Vector, definite: bool = True) -> Matrix | Bordered:
        """Return the curvature at u; definite: with the null directions filled, see `definite`."""
        matrix = self.evaluate(u, curvature=True).curvature
        assert matrix is not None
        return self.definite(matrix) if definite else matrix

    def definite(self, matrix: Matrix | Bordered) -> Matrix | Bordered:
        """Give a curvature the mean of its diagonal along the null directions that are known.

        It is 0 there, and the gradient has no component along them, so steps stay what they are.
        """
        if isinstance(matrix, Bordered):
            return self._definite_border(matrix)
        return self._definite_matrix(matrix)

    def _definite_matrix(self, matrix: Matrix) -> Matrix:
        return matrix + np.diag(matrix).mean() * self.null_projector if self.has_null else matrix

    def _definite_border(self, matrix: Bordered) -> Bordered:
        # A softmax's common shift is the one direction that is known.
        if self.n_outputs == 1:
            return matrix
        free = np.ones(self.n_parameters, dtype=bool)
        if self.penalty.smooth_curvature().any():
            free[: self.n_outputs * self.rows.n_columns] = False
        return matrix.plus_common_shift(float(matrix.diagonal.mean()), free)

    def form_of(self, wanted: NDArray[np.bool_]) -> OfColumns | None:
        """Return the form for the columns of the weights wanted, (n_parameters,); None if too wide.

        A column that is wanted in one class is taken in all.
        """
        k, d = self.n_outputs, self.rows.n_columns
        columns = np.flatnonzero(wanted[: k * d].reshape(k, d).any(axis=0))
        few = k * (len(columns) + int(self.view.ones)) <= MATRIX_UP_TO
        return OfColumns(self.view, k, columns) if few else None

    @property
    def fits_matrix(self) -> bool:
        """Tell whether a curvature matrix of this many parameters can be formed."""
        return self.n_parameters <= MATRIX_UP_TO

    @property
    def fits_curvature(self) -> bool:
        """Tell whether a curvature can be formed, as a matrix or bordered by one category."""
        return self.fits_matrix or not isinstance(self.form, AsMatrix)

    @property
    def curvature_is_dear(self) -> bool:
        """Tell whether forming it takes as long as some fifty passes without it."""
        if not isinstance(self.form, AsMatrix):
            return False
        wide = self.view.width
        few = self.rows.n_rows < 160 * wide
        # What a row adds to: as many numbers as it holds, squared.
        visited = self.n_outputs * (self.rows.row_width + int(self.view.ones))
        return few and float(self.rows.n_rows) * visited**2 > 8e9

    @property
    def gradients_a_curvature(self) -> float:
        """Estimate how many gradients take the time of one curvature.

        Seen: 4.4 for 58 dense columns, 25 for 17 columns and 26 classes, 40 for 1000 columns, and 4
        for 14 entries a row.
        """
        return 4.0 if self.rows.expands else 1.0 + self.n_parameters / 20.0

    def factor(self, curved: Evaluation) -> Factor | BorderedFactor:
        """Factorise a curvature, with all null directions filled if it is singular without."""
        assert curved.curvature is not None
        if isinstance(curved.curvature, Bordered):
            return BorderedFactor(self._definite_border(curved.curvature))
        found = Factor(self._definite_matrix(curved.curvature))
        if not found.full_rank and self._collinear is None and self.find_collinear():
            found = Factor(self._definite_matrix(curved.curvature))
        return found

    def flat_gram(self, stride: int = 1) -> Matrix | Vector:
        """Return ∑ w x̃ x̃ᵀ of every stride-th row, scaled up; its diagonal where it is too wide.

        A stand-in for curvature where that is too dear: products in float32 will do for it.
        """
        wide = self.view.width
        cuts = self.rows.cuts(stride, least=wide)
        w = np.ones(self.rows.n_rows) if self.weight is None else np.sqrt(self.weight)

        def part(index: int) -> tuple[NDArray, ...]:
            block, root = self.rows.block(cuts[index]), w[cuts[index]]
            if wide <= GRAM_UP_TO:
                return (block.gram(self.view, root, SINGLE)[0],)
            mean, about = block.moments(np.square(root) if root.any() else np.ones(len(root)))
            seen = (mean - self.view.centre) / self.view.scale
            squares = np.square(about / self.view.scale) + np.square(root).sum() * np.square(seen)
            return (np.append(squares, np.square(root).sum()) if self.view.ones else squares,)

        n_rows = self.rows.count(stride)
        matrix = self._sum(part, len(cuts), n_rows, curvature=wide <= GRAM_UP_TO)[0]
        return matrix * (self.rows.n_rows / n_rows)

    def find_collinear(self) -> bool:
        """Look for combinations of columns that are 0 on every row; tell whether there are any.

        One pass; they join the null directions where no penalty acts on the columns.
        """
        if self._collinear is None and not self.penalty.smooth_curvature().any():
            ones = np.ones(self.rows.n_rows) if self.weight is None else np.sqrt(self.weight)
            cuts = self.rows.cuts(1, least=self.view.width)

            def part(index: int) -> tuple[NDArray, ...]:
                block, root = self.rows.block(cuts[index]), ones[cuts[index]]
                return (block.gram(self.view, root, DOUBLE)[0],)

            gram = self._sum(part, len(cuts), curvature=True)[0]
            self._collinear = Factor(gram).null_projector()
            self.__dict__.pop("null_projector", None)
        return self._collinear is not None and bool(self._collinear.any())

    @property
    def has_null(self) -> bool:
        """Tell whether directions are known along which the objective does not change."""
        return self.n_outputs > 1 or (self._collinear is not None and bool(self._collinear.any()))

    @cached_property
    def null_projector(self) -> Matrix:
        """Return N Nᵀ for an orthonormal basis N of the directions along which nothing changes.

        One vector added to all classes of a softmax, where no penalty acts on it; in any class, a
        combination of columns that is 0 on every row, once `find_collinear` has looked for them.
        """
        k, wide, d = self.n_outputs, self.view.width, self.rows.n_columns
        shift = np.full((k, k), 1.0 / k) if k > 1 else np.zeros((1, 1))
        columns = np.zeros((wide, wide)) if self._collinear is None else self._collinear
        penalised = bool(self.penalty.smooth_curvature().any())
        free = np.diag((np.arange(wide) >= d) | (not penalised)).astype(np.float64)
        blocks = np.kron(np.eye(k) - shift, columns) + np.kron(shift, free)
        return self._ordered(blocks)

    # What certificates ask.

    def largest_row_form(self, factor: Factor | BorderedFactor, stride: int = 1) -> float:
        """Bound max_i (spread of row i's logits)² per unit of squared H-norm, given H's factor.

        For a sigmoid it is max_i x̃_iᵀ H⁻¹ x̃_i. For a softmax twice max_i ∑_a x̃_iᵀ (H⁻¹)_aa x̃_i,
        since a spread max_a - max_b is at most √2 times a length.
        """
        forms = self.form.row_forms(factor)
        cuts = self._cuts(stride)
        largest = np.zeros(len(cuts))

        def part(index: int) -> None:
            largest[index] = forms(self.rows.block(cuts[index])).max(initial=0.0)

        n_rows = self.rows.count(stride)
        for _ in self._runner(n_rows, curvature=True)(part, len(cuts)):
            pass
        self.rows_evaluated += n_rows
        return float(largest.max(initial=0.0)) * (1.0 if self.n_outputs == 1 else 2.0)

    def class_weights(self) -> Vector:
        """Return the weight of each class, (n_classes,); two classes for a sigmoid."""
        if self.n_outputs == 1:
            ones = float(self.y.sum() if self.weight is None else self.y @ self.weight)
            return np.array([self.total_weight - ones, ones])
        if self.weight is not None:
            return np.bincount(self.y, self.weight, minlength=self.n_outputs).astype(np.float64)
        counts = np.zeros(self.n_outputs, dtype=np.int64)
        for places in self.rows.cuts(1):  # y may be a column that is read block by block
            counts += np.bincount(self.y[places], minlength=self.n_outputs)
        return counts.astype(np.float64)

    def dual_terms(
        self, u: Vector, share: float, constant: Vector, shrink: float
    ) -> tuple[float, Vector]:
        """Return ∑ w entropy(π') and ∑ w (π' - y) ⊗ x̃, π' = y + shrink ((1-share) π + share q - y).

        q = constant, (n_classes,), one distribution for all rows. With an offset o the entropy has
        the term ∑ w (π' - y)ᵀo beside it, since a loss is at least (π' - y)ᵀz + entropy(π') at
        every z. One pass.
        """
        weight, bias = self.given(u)
        cuts, k = self._cuts(1), self.n_outputs

        def part(index: int) -> tuple[NDArray, ...]:
            block, y = self.rows.block(cuts[index]), self.y[cuts[index]]
            z = np.empty((len(y), k))
            block.times(weight, z)
            z += bias
            if self.offset is not None:
                z += self.offset[cuts[index]]
            if k == 1:
                proba = np.hstack([expit(-z), expit(z)])
                labels = np.column_stack([1.0 - y, y])
            else:
                proba, labels = softmax(z, axis=1), np.eye(k)[y]
            proba = labels + shrink * ((1.0 - share) * proba + share * constant - labels)
            w = np.ones(len(y)) if self.weight is None else self.weight[cuts[index]]
            delta = w[:, None] * (proba - labels)
            delta = np.ascontiguousarray(delta[:, 1:]) if k == 1 else delta
            entropy = -float(w @ xlogy(proba, proba).sum(axis=1))
            if self.offset is not None:
                entropy += float((delta * self.offset[cuts[index]]).sum())
            return np.array(entropy), block.pull(delta), delta.sum(axis=0)

        entropy, pull, total = self._sum(part, len(cuts))
        return float(entropy), self._seen(pull, total)

    def _cuts(self, stride: int, least: int = 1) -> list[slice]:
        """Cut rows into blocks of at least so many, and of enough to be worth a call each."""
        worth = int(BLOCK_FROM / (self.rows.row_width * self.n_outputs + 1.0))
        return self.rows.cuts(stride, max(least, 1 << worth.bit_length()))

    def _runner(self, n_rows: int, curvature: bool) -> Runner:
        """Return who evaluates so many rows; the parts, and the bits of their sum, are the same."""
        # An entry that is found by its index takes four times the time of the next of a dense row.
        products = n_rows * self.rows.row_width * self.n_outputs * (4.0 if self.rows.expands else 1)
        products *= self.gradients_a_curvature if curvature else 1.0
        return (current_runner() if products >= SHARED_FROM else None) or serial

    def _sum(
        self,
        part: Callable[[int], tuple[NDArray, ...]],
        n_parts: int,
        n_rows: int | None = None,
        curvature: bool = False,
    ) -> tuple:
        """Add up all parts, which visit n_rows rows (None: all); tell and count these."""
        listening, before = listener(), self.rows_evaluated
        visited = self.rows.n_rows if n_rows is None else n_rows

        def quiet(index: int) -> tuple[NDArray, ...]:
            with np.errstate(all="ignore"):  # inf and nan are seen in the sums, and named then
                return part(index)

        tree = TreeSum(n_parts)
        parts = self._runner(visited, curvature)(quiet, n_parts)
        for done, (index, result) in enumerate(parts, start=1):
            tree.add(index, result)
            if listening is not None:
                rows = before + visited * done / n_parts
                listening(Moment(rows / self.rows.n_rows, self.rows.n_rows))
        self.rows_evaluated = before + visited
        return tree.total()

    def _refuse_nonfinite(self, u: Vector) -> None:
        """Say which value of X is not finite, or that the parameters are too large for X."""
        for places in self.rows.cuts(1):
            self.rows.refuse_nonfinite(places)
        raise FloatingPointError(
            f"the logits overflow at parameters of size {np.abs(u).max():.3g}. "
            "Scale the columns of X down, or use a stronger penalty."
        )

    def given(self, u: Vector) -> tuple[Matrix, Vector]:
        """Translate u to weight (k, d) and bias (k,) on the given columns."""
        k, d = self.n_outputs, self.rows.n_columns
        weight = u[: k * d].reshape(k, d) / self.view.scale
        if not self.view.ones:
            return weight, np.zeros(k)
        return weight, u[k * d :] - weight @ self.view.centre

    def solvers(self, weight: Matrix, bias: Vector) -> Vector:
        """Translate weight (k, d) and bias (k,) on the given columns to u."""
        parts = [(weight * self.view.scale).reshape(-1)]
        if self.view.ones:
            parts.append(bias + weight @ self.view.centre)
        return np.concatenate(parts)

    def _seen(self, pull: Matrix, total: Vector) -> Vector:
        """Translate ∑ δ xᵀ and ∑ δ, of the given columns, to the gradient by u."""
        scaled = (pull - total[:, None] * self.view.centre) / self.view.scale
        return np.concatenate([scaled.reshape(-1), total]) if self.view.ones else scaled.reshape(-1)

    def _weight(self, places: slice) -> Vector:
        """Return the weights at these places as kernels take them: empty where all are 1."""
        return NO_WEIGHT if self.weight is None else self.weight[places]

    def _head(
        self, block: Block, weight: Matrix, bias: Vector, places: slice
    ) -> tuple[float, Matrix, Matrix]:
        """Return a block's cost, its δ (m, k), and its bends, (m, 1), or π (m, k) for softmax."""
        k, y, w = self.n_outputs, self.y[places], self._weight(places)
        z, delta, bend = (scratch(name, (len(y), k)) for name in ("z", "delta", "bend"))
        block.times(weight, z)
        if self.offset is not None:
            z += self.offset[places]
        if k == 1:
            z += bias[0]
            small = scratch("small", (len(y),))
            np.abs(z[:, 0], out=small)
            np.negative(small, out=small)
            np.exp(small, out=small)
            cost = logistic_head(z[:, 0], small, y, w, delta[:, 0], bend[:, 0])
        else:
            z += bias
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=bend)
            cost = softmax_head(z, y, w, delta, bend)
        return cost, delta, bend

    def order(self) -> NDArray[np.intp]:
        """Return where (class a, column j of x̃) stands in u, class by class."""
        return class_order(self.view, self.n_outputs)

    def _ordered(self, matrix: NDArray) -> NDArray:
        """Bring rows and columns from class by class into the order of u."""
        back = np.argsort(self.order())
        return matrix[np.ix_(back, back)]
