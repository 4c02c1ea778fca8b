"""The log-likelihood of contrasts against a base class, and all sums over rows that inference asks.

A softmax over k classes has k - 1 free logits: β_a = θ_a - θ_base, the log-odds of class a against
the base class. Its scores are s_i = r_i ⊗ x̃_i with r_i = y_i - π_i over the other classes, which
is -δ of the recursion, and its information is ∑ w (diag(π) - π πᵀ) ⊗ x̃ x̃ᵀ, the curvature of the
cost. A sigmoid is the case k = 2.

β is (m, p): m = k - 1 contrasts by p columns of x̃, as the objective's view sees them, so that
numbers do not depend on units; `Scale` leads to the columns as given, intercept first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from backpass.data.rows import View
from backpass.inference.scale import Scale
from backpass.inference.seen import Matrix, Seen, Vector
from backpass.linear_objective import Evaluation, LinearObjective
from backpass.runner import current_runner, serial
from backpass.treesum import TreeSum

FLOAT = np.dtype(np.float64)
BLOCK_BYTES = 16 * 2**20  # of products of a block's rows


class Likelihood:
    """The log-likelihood of a LinearObjective without penalty, by contrasts against class `base`.

    kept: the columns of x̃ that count, in order; None for all. Others are left out as if they were
    not there.
    """

    def __init__(
        self, objective: LinearObjective, base: int = 0, kept: NDArray[np.intp] | None = None
    ) -> None:
        self.objective, self.base = objective, base
        self.rows, self.view = objective.rows, objective.view
        self.kept = np.arange(self.view.width) if kept is None else kept
        self._count(max(objective.n_outputs, 2), len(self.kept))

    def keeping(self, kept: NDArray[np.intp]) -> Likelihood:
        """Return the same over fewer columns."""
        return Likelihood(self.objective, self.base, kept)

    def _count(self, n_classes: int, n_columns: int) -> None:
        others = (c for c in range(n_classes) if c != self.base)
        self.n_classes, self.classes = n_classes, np.array([self.base, *others])
        self.n_contrasts, self.n_columns = n_classes - 1, n_columns
        self.n_parameters = self.n_contrasts * n_columns

    @classmethod
    def rowless(cls, scale: Scale, n_classes: int, base: int) -> Likelihood:
        """Return what needs no rows, so that a model and its file can keep it."""
        kept = cls.__new__(cls)
        kept.scale, kept.base = scale, base
        kept._count(n_classes, len(scale.places))
        return kept

    def without_rows(self) -> Likelihood:
        """Return the same without hold of the data."""
        return self.rowless(self.scale, self.n_classes, self.base)

    @property
    def has_rows(self) -> bool:
        """Tell whether sums over rows can be asked for."""
        return hasattr(self, "rows")

    @property
    def n_rows(self) -> int:
        """Count the rows of X, those of weight 0 too."""
        return self.rows.n_rows

    # Between β and the objective's u.

    def contrasts(self, u: Vector) -> Matrix:
        """Return β, (m, all columns of x̃), of the objective's u."""
        k, d = self.objective.n_outputs, self.rows.n_columns
        logits = u[: k * d].reshape(k, d)
        if self.view.ones:
            logits = np.hstack([logits, u[k * d :, None]])
        if k == 1:
            return logits if self.base == 0 else -logits
        return logits[self.classes[1:]] - logits[self.base]

    def objective_place(self, beta: Matrix) -> Vector:
        """Return the objective's u at β, 0 for the base class and for columns not kept."""
        k, wide = self.objective.n_outputs, self.view.width
        full = np.zeros((k, wide))
        if k == 1:
            full[0, self.kept] = beta[0] if self.base == 0 else -beta[0]
        else:
            full[np.ix_(self.classes[1:], self.kept)] = beta
        d = self.rows.n_columns
        return np.concatenate([full[:, :d].reshape(-1), full[:, d:].reshape(-1)])

    def _places(self) -> NDArray[np.intp]:
        """Return where the entries of β, class by class, stand in u."""
        k, d = self.objective.n_outputs, self.rows.n_columns
        classes = self.classes[1:] if k > 1 else np.array([0])
        columns = classes[:, None] * d + self.kept
        return np.where(self.kept < d, columns, k * d + classes[:, None]).reshape(-1)

    def evaluate(self, beta: Matrix) -> tuple[float, Vector, Matrix]:
        """Return the log-likelihood, its gradient and the information at β; one pass."""
        return self.of_evaluation(
            self.objective.evaluate(self.objective_place(beta), curvature=True)
        )

    def of_evaluation(self, here: Evaluation) -> tuple[float, Vector, Matrix]:
        """Read log-likelihood, gradient and information by β off an evaluation with curvature."""
        assert isinstance(here.curvature, np.ndarray)
        places = self._places()
        sign = -1.0 if self.objective.n_outputs == 1 and self.base == 1 else 1.0
        information = here.curvature[np.ix_(places, places)]
        return -here.value, -sign * here.gradient[places], information

    # Visits of the rows.

    def visit(
        self, beta: Matrix, part: Callable[[Seen], tuple[NDArray, ...]], floats: int = 0
    ) -> tuple:
        """Return the sums over blocks of what `part` makes of them; one pass.

        floats: how many `part` holds for each row at once, so that blocks may be smaller for it.
        """
        cuts = self._cuts(floats)
        tree = TreeSum(len(cuts))
        run = current_runner() or serial
        for index, result in run(lambda i: part(self.seen(cuts[i], beta)), len(cuts)):
            tree.add(index, result)
        self.objective.rows_evaluated += self.n_rows
        return tree.total()

    def each(self, beta: Matrix, part: Callable[[Seen], Vector], floats: int = 0) -> Vector:
        """Return one number for every row, (n_rows,), as `part` makes them; one pass."""
        cuts, found = self._cuts(floats), np.empty(self.n_rows)

        def fill(index: int) -> None:
            found[cuts[index]] = part(self.seen(cuts[index], beta))

        for _ in (current_runner() or serial)(fill, len(cuts)):
            pass
        return found

    def stream(self, beta: Matrix, floats: int = 0) -> Iterator[Seen]:
        """Yield the rows block by block, in order, in this thread."""
        for places in self._cuts(floats):
            yield self.seen(places, beta)

    def _cuts(self, floats: int = 0) -> list[slice]:
        cuts = self.rows.cuts(1, least=self.view.width)
        if self.rows.expands:  # a block is written out here, wider than it is held
            floats += self.view.width
        most = max(BLOCK_BYTES // (8 * max(floats, 1)), 64)
        return [
            slice(start, min(start + most, cut.stop), 1)
            for cut in cuts
            for start in range(cut.start, cut.stop, most)
        ]

    def seen(self, places: slice, beta: Matrix, view: View | None = None) -> Seen:
        """Return the rows at these places, at β."""
        wide = self.wide(places)
        logits = self.logits(places, wide, beta)
        weight = self.objective.weight
        w = np.ones(len(wide)) if weight is None else weight[places]
        return Seen(places, wide, softmax(logits, axis=1), self.truth(places), w)

    def logits(self, places: slice, wide: Matrix, beta: Matrix) -> Matrix:
        """Return the logits of the rows x̃ = wide at these places, (n, k), the base class first."""
        logits = np.zeros((len(wide), self.n_classes))
        logits[:, 1:] = wide @ beta.T
        offset = self.objective.offset
        return logits if offset is None else logits + self.by_class(offset[places])

    def truth(self, places: slice) -> Matrix:
        """Return the share of each class in the labels of these rows, (n, k), the base first."""
        y = self.objective.y[places]
        if self.n_classes == 2:
            return np.column_stack([1.0 - y, y])[:, self.classes]
        return np.asarray(y[:, None] == self.classes, dtype=np.float64)

    def by_class(self, offset: Matrix) -> Matrix:
        """Return logits (n, k), the base class first, of an objective's offset."""
        whole = np.hstack([np.zeros_like(offset), offset]) if self.n_classes == 2 else offset
        return whole[:, self.classes]

    def wide(self, places: slice) -> Matrix:
        """Return x̃ of the rows at these places, (n, p), in scratch memory."""
        n_rows = len(range(self.n_rows)[places])
        wide, _ = self.rows.block(places).standardised(self.view, np.ones(n_rows), FLOAT)
        return wide if self.n_columns == self.view.width else wide[:, self.kept]

    def gram(self) -> Matrix:
        """Return ∑ w x̃ x̃ᵀ over all columns, (view.width, view.width); one pass."""
        weight = self.objective.weight
        cuts = self._cuts()

        def part(index: int) -> tuple[NDArray, ...]:
            n_rows = len(range(self.n_rows)[cuts[index]])
            root = np.ones(n_rows) if weight is None else np.sqrt(weight[cuts[index]])
            wide, _ = self.rows.block(cuts[index]).standardised(self.view, root, FLOAT)
            return (wide.T @ wide,)

        tree = TreeSum(len(cuts))
        for index, result in (current_runner() or serial)(part, len(cuts)):
            tree.add(index, result)
        return tree.total()[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of β, (m, p)."""
        return self.n_contrasts, self.n_columns

    @property
    def form_floats(self) -> int:
        """Count the floats that forms and bends of a row take."""
        return 4 * self.n_contrasts**2 + 2 * self.n_columns

    def slopes(self) -> Matrix:
        """Return the combinations of β, (q, m·p), that are all but the intercepts."""
        columns = np.flatnonzero(self.kept < self.rows.n_columns)
        one = np.eye(self.n_columns)[columns]
        return np.kron(np.eye(self.n_contrasts), one).astype(np.float64, copy=False)

    def mean_row(self) -> Vector:
        """Return the weighted mean of x̃ over the rows, (p,); one pass."""
        nothing = np.zeros((self.n_contrasts, self.n_columns))
        (mean,) = self.visit(nothing, lambda seen: (seen.weight @ seen.wide,))
        return np.asarray(mean / self.objective.total_weight, dtype=np.float64)

    def zero_or_one(self) -> NDArray[np.bool_]:
        """Mark the kept columns as given, (p,), that hold 0 and 1 and nothing else; one pass."""
        plain = View(np.zeros(self.rows.n_columns), np.ones(self.rows.n_columns), ones=False)
        only = np.ones(self.rows.n_columns, dtype=bool)
        low, high = ~only, ~only
        for places in self._cuts():
            ones = np.ones(len(range(self.n_rows)[places]))
            x, _ = self.rows.block(places).standardised(plain, ones, FLOAT)
            low, high = low | (x == 0.0).any(axis=0), high | (x == 1.0).any(axis=0)
            only &= ((x == 0.0) | (x == 1.0)).all(axis=0)
        found = np.concatenate([[False] * int(self.view.ones), only & low & high])
        return found[self.scale.places]

    def mean_offset(self) -> Vector:
        """Return the weighted mean of the rows' offsets, (k,), the base class first."""
        offset, weight = self.objective.offset, self.objective.weight
        if offset is None:
            return np.zeros(self.n_classes)
        return self.by_class(np.average(offset, axis=0, weights=weight)[None, :])[0]

    @cached_property
    def scale(self) -> Scale:
        """Return what leads from columns as seen to columns as given."""
        return Scale(self.view, self.kept)
