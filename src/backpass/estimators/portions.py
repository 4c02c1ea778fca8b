"""Rows of a cross-validation, in memory: some are fitted to, others scored.

X stays what the user gave, of any library, so that columns are learned anew from the rows fitted
to, and a scorer sees what it would see elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing

from backpass.data.table import as_table, is_table
from backpass.estimators.beside import are_counts, read_counts, trials
from backpass.estimators.folds import Pair, Rows, row_numbers, without
from backpass.estimators.formulas import left_side
from backpass.estimators.given import Given
from backpass.estimators.inputs import array_as_table, is_numeric_frame, read_labels
from backpass.estimators.shifted import Shifted
from backpass.formula import Design
from backpass.metrics import log_loss

EXACT = "neg_log_loss"  # computed from logits; a probability that was rounded to 0 has no logarithm


@dataclass(frozen=True)
class Portion:
    """Some rows with all that belongs to them, an entry a row or None.

    y: labels, or (n_rows, 2) counts. offset: one number for all rows, too. score_params: what a
    scorer is given beside X and y. formula: that of the fits, if any; inside: whether it names y.
    """

    X: Any
    y: Any
    weight: NDArray | None
    offset: NDArray | None
    score_params: Mapping[str, Any]
    formula: str | None = None
    inside: bool = False

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return len(self.y)

    def labels(self) -> NDArray:
        """Return the class of every row, for splits that look at it; rows of counts are alike."""
        if are_counts(self.y):
            return np.zeros(self.n_rows, dtype=np.intp)
        return np.asarray(read_labels(self.y))

    def classes(self, rows: Rows | None = None) -> NDArray:
        """Return the classes of rows that count: those without weight do not. None: all rows."""
        if are_counts(self.y):
            some = self if rows is None else self.take(rows)
            return np.unique(trials(some.y, some.weight)[1])
        labels = self.labels()
        counts = np.ones(len(labels), dtype=bool) if self.weight is None else self.weight > 0.0
        if rows is not None:
            labels, counts = labels[rows], counts[rows]
        return np.unique(labels[counts])

    def under_penalty(self, model: Any) -> dict[str, Any]:
        """Return parameters of the fits in splits that differ under a penalty.

        The only missing value of a column may be among the rows left out, of which a fit to a table
        of numbers would know nothing. Levels have no baseline there. A formula is the same always.
        """
        if self.formula is not None:
            return {}
        gaps = is_table(self.X) and not is_numeric_frame(self.X)
        missing = "indicator" if model.missing is None and gaps else model.missing
        return {"missing": missing, "reference": None}

    def without_incomplete(self, splits: Sequence[Pair], model: Any) -> Sequence[Pair]:
        """Return the splits without the rows that missing="drop" has left out of a fit to all."""
        return without(splits, ~model.encoding_.complete_rows(named_columns(self.X)))

    def take(self, rows: Rows) -> Portion:
        """Return some of the rows."""
        places = row_numbers(rows)
        n_rows = self.n_rows
        return Portion(
            rows_at(self.X, places),
            rows_at(self.y, places),
            None if self.weight is None else self.weight[places],
            self.offset if self.offset is None or self.offset.ndim == 0 else self.offset[places],
            {
                name: rows_at(value, places) if _one_a_row(value, n_rows) else value
                for name, value in self.score_params.items()
            },
            self.formula,
            self.inside,
        )

    def given(self, model: Any) -> Given:
        """Let a LogisticRegression read these rows, learning classes and columns from them."""
        y = None if self.inside else self.y
        return model._read(self.X, y, self.weight, self.offset, self.formula)

    def single(self) -> Portion:
        """Return rows of counts as rows of one label each, which the counts weigh."""
        rows, labels, weight = trials(self.y, self.score_params.get("sample_weight"))
        part = self.take(rows)
        return replace(part, y=labels, score_params={**part.score_params, "sample_weight": weight})

    def score(self, model: Any, scoring: str | Callable) -> float:
        """Score a fitted model; larger is better. Rows that missing="drop" leaves out do not count.

        scoring: EXACT, or a scorer(model, X, y, ...).
        """
        if model.missing == "drop" and model.encoding_ is not None:
            usable = model.encoding_.usable_rows(named_columns(self.X))
            if not usable.all():  # such as a level that occurs in no row fitted to
                return self.take(usable).score(model, scoring)
        if are_counts(self.y):
            return self.single().score(model, scoring)
        if scoring != EXACT:
            assert callable(scoring)
            known = model if self.offset is None else Shifted(model, self.offset)
            return float(scoring(known, self.X, self.y, **self.score_params))
        weight = self.score_params.get("sample_weight")
        numbers = model._targets(np.asarray(self.y))
        weight = None if weight is None else np.asarray(weight, dtype=np.float64)
        return -log_loss(numbers, model.predict_log_proba(self.X, self.offset), weight)


def portion_of(
    X: Any,
    y: Any,
    weight: NDArray | None,
    offset: ArrayLike | None,
    score_params: Mapping[str, Any],
    design: Design | None = None,
) -> Portion:
    """Return rows in a form that can be divided; labels keep their name, which `reference` uses.

    design: what a fit to all rows has learned by a formula.
    """
    formula, inside = None, False
    if design is not None:
        formula, inside = design.text, bool(design.y)
        y = left_side(design, X) if inside else y
    if are_counts(y):
        labels: Any = read_counts(y)
    else:
        labels = y if getattr(y, "ndim", 0) == 1 and hasattr(y, "name") else read_labels(y)
    added = None if offset is None else np.asarray(offset, dtype=np.float64)
    beside = (labels, weight, added, score_params, formula, inside)
    if sparse.issparse(X):
        return Portion(X.tocsr(), *beside)
    if not is_table(X):
        return Portion(np.asarray(X), *beside)
    return Portion(X.collect() if hasattr(X, "collect") else X, *beside)


def rows_at(values: Any, places: NDArray[np.intp]) -> Any:
    """Return the rows of an array, sparse matrix, list, or table of any library at these places."""
    if type(values).__module__.partition(".")[0] == "pyarrow":
        return values.take(places)
    return _safe_indexing(values, places)


def named_columns(X: Any) -> Any:
    """Return X as a pyarrow table."""
    return as_table(X) if is_table(X) else array_as_table(np.asarray(X, dtype=np.float64))


def _one_a_row(value: Any, n_rows: int) -> bool:
    """Tell whether a scorer's argument has an entry for each row, and so goes with the rows."""
    shape: tuple[int, ...] = np.shape(value) if isinstance(value, list | tuple) else ()
    shape = getattr(value, "shape", shape)
    return len(shape) > 0 and shape[0] == n_rows
