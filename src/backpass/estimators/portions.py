"""Rows of a cross-validation, in memory: some are fitted to, others scored.

X stays what the user gave, of any library, so that columns are learned anew from the rows fitted
to, and a scorer sees what it would see elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing

from backpass.data.table import as_table, is_table
from backpass.estimators.beside import are_counts
from backpass.estimators.folds import Pair, Rows, row_numbers, without
from backpass.estimators.given import Given
from backpass.estimators.inputs import array_as_table, is_numeric_frame, read_labels
from backpass.metrics import log_loss

EXACT = "neg_log_loss"  # computed from logits; a probability that was rounded to 0 has no logarithm


@dataclass(frozen=True)
class Portion:
    """Some rows with all that belongs to them, an entry a row or None.

    offset: one number for all rows, too. score_params: what a scorer is given beside X and y.
    """

    X: Any
    y: Any
    weight: NDArray | None
    offset: NDArray | None
    score_params: Mapping[str, Any]

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return len(self.y)

    def labels(self) -> NDArray:
        """Return the class of every row."""
        return np.asarray(read_labels(self.y))

    def classes(self, rows: Rows | None = None) -> NDArray:
        """Return the classes of rows that count: those without weight do not. None: all rows."""
        labels = self.labels()
        counts = np.ones(len(labels), dtype=bool) if self.weight is None else self.weight > 0.0
        if rows is not None:
            labels, counts = labels[rows], counts[rows]
        return np.unique(labels[counts])

    def missing_policy(self, asked: str | None) -> str | None:
        """Return the policy for missing values in the splits of these rows, under a penalty.

        The only missing value of a column may be among the rows left out, of which a fit to a table
        of numbers would know nothing.
        """
        gaps = is_table(self.X) and not is_numeric_frame(self.X)
        return "indicator" if asked is None and gaps else asked

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
        )

    def given(self, model: Any) -> Given:
        """Let a LogisticRegression read these rows, learning classes and columns from them."""
        return model._read(self.X, self.y, self.weight, self.offset)

    def score(self, model: Any, scoring: str | Callable) -> float:
        """Score a fitted model; larger is better. Rows that missing="drop" leaves out do not count.

        scoring: EXACT, or a scorer(model, X, y, ...).
        """
        if model.missing == "drop" and model.encoding_ is not None:
            usable = model.encoding_.usable_rows(named_columns(self.X))
            if not usable.all():  # such as a level that occurs in no row fitted to
                return self.take(usable).score(model, scoring)
        if scoring != EXACT:
            assert callable(scoring)
            return float(scoring(model, self.X, self.y, **self.score_params))
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
) -> Portion:
    """Return rows in a form that can be divided; labels keep their name, which `reference` uses."""
    if are_counts(y):
        raise ValueError(
            "y holds counts of failures and successes, which no split divides; give each row twice "
            "instead, labelled 0 and 1, with the counts as sample_weight."
        )
    labels = y if getattr(y, "ndim", 0) == 1 and hasattr(y, "name") else read_labels(y)
    added = None if offset is None else np.asarray(offset, dtype=np.float64)
    beside = (labels, weight, added, score_params)
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
