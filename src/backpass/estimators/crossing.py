"""Cross-validation of a penalty's strength: a warm-started path of fits in every split.

In a split the path runs from the strongest penalty to the weakest, each fit starting where the last
one ended. Columns and classes are learned from the rows fitted to: means and levels of the rows
left out would tell the fit about them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from backpass.data.unseen import UnseenWarning
from backpass.estimators.folds import Pair
from backpass.runner import effective_n_jobs
from backpass.watch import Listener, listener, of_part, told

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """What one split gave, strength by strength, (n_Cs,) each.

    theta: coefficients, then the intercepts, (n_outputs, n_columns + 1), of columns `names`.
    rows_evaluated: by fit and score together. gap: certified, as a share of the null objective.
    """

    scores: Vector
    n_iter: NDArray[np.intp]
    rows_evaluated: Vector
    gap: Vector
    converged: NDArray[np.bool_]
    theta: list[Vector]
    names: list[list[str]]


def cross_validate(
    made: Any,
    Cs: Sequence[float],
    l1_ratios: Sequence[float],
    portion: Any,
    splits: Sequence[Pair],
    scoring: Any,
    n_jobs: int | None,
) -> list[list[Path]]:
    """Return the path of every split and l1_ratio: [split][l1_ratio].

    made: () -> LogisticRegression. Splits run in threads: kernels and BLAS let go of Python's lock,
    X is not copied, and threads that are left over go to the fits. No number depends on them.
    """
    n_threads = effective_n_jobs(n_jobs)
    tasks = list(product(range(len(splits)), range(len(l1_ratios))))
    inner = max(n_threads // len(tasks), 1)
    _refuse_lost_classes(portion, splits)
    listening = listener()

    def path(split: int, place: int) -> Path:
        model = made().set_params(l1_ratio=l1_ratios[place], n_jobs=inner)
        kept, left_out = (portion.take(rows) for rows in splits[split])
        of = f"fold {split + 1} of {len(splits)}"
        walk = _Walk(kept, left_out, scoring, portion.under_penalty(model), of, listening)
        return walk.along(model, Cs)

    run = Parallel(n_jobs=n_threads, require="sharedmem")
    with warnings.catch_warnings():
        # A rare level is in the rows left out of one split only; its threads take these filters on.
        warnings.simplefilter("ignore", UnseenWarning)
        found = run(delayed(path)(*task) for task in tasks)
    width = len(l1_ratios)
    return [found[start : start + width] for start in range(0, len(found), width)]


@dataclass(frozen=True)
class _Walk:
    """One split: what is fitted to and scored; under_penalty: parameters that hold there only."""

    kept: Any
    left_out: Any
    scoring: Any
    under_penalty: Mapping[str, Any]
    of: str
    listening: Listener | None

    def along(self, model: Any, Cs: Sequence[float]) -> Path:
        """Fit at every strength to the rows kept, and score those left out."""
        model.set_params(warm_start=True)
        own = {name: getattr(model, name) for name in self.under_penalty}
        path = _empty_path(len(Cs))
        given = None
        for turn, C in enumerate(Cs):
            # Without a penalty categories have baselines: other columns.
            model.set_params(C=C, **(own if np.isinf(C) else self.under_penalty))
            if given is None or np.isinf(C):
                given = self.kept.given(model)
            with told(of_part(self.listening, f"{self.of}, C = {C:.3g}")):
                model._fit_silently(given)
            path.scores[turn] = self.left_out.score(model, self.scoring)
            path.n_iter[turn] = model.n_iter_
            read = model.passes_ * given.rows.n_rows
            path.rows_evaluated[turn] = read + self.left_out.n_rows
            path.gap[turn] = model.gap_ / model.null_objective_
            path.converged[turn] = model.converged_
            path.theta.append(np.column_stack([model.coef_, model.intercept_]))
            path.names.append([str(name) for name in model.coef_names_])
        return path


def _empty_path(count: int) -> Path:
    scores, rows_evaluated, gap = (np.empty(count) for _ in range(3))
    return Path(
        scores, np.empty(count, np.intp), rows_evaluated, gap, np.empty(count, bool), [], []
    )


def _refuse_lost_classes(portion: Any, splits: Sequence[Pair]) -> None:
    """Raise ValueError for the first split that has nothing of a class to fit to, or to score."""
    classes = portion.classes().tolist()
    for place, (kept, left_out) in enumerate(splits):
        lost = set(classes) - set(portion.classes(kept).tolist())
        if lost:
            raise ValueError(
                f"cv, split {place}: no row of class {sorted(lost)[0]!r} is among those fitted to, "
                "so the class cannot be predicted; use a stratified splitter, fewer folds, or "
                "leave the class out."
            )
        if not len(portion.classes(left_out)):
            raise ValueError(f"cv, split {place}: the rows to score have no weight.")
