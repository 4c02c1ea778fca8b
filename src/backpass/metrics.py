"""How good predicted probabilities are: five numbers, and those of the trivial model beside them.

Everywhere: y (n_rows,) whole numbers, places of the true classes; log_proba (n_rows, n_classes),
natural logarithms of the predicted probabilities; weight (n_rows,) or None for 1 each.
Log-probabilities are what networks give, and the log-loss of a confident mistake is right only in
them: a probability that was rounded to 0 has lost it, and clipping at 1e-15 invents it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Labels = NDArray[np.integer]
Rows = NDArray[np.float64]

N_BINS = 10


@dataclass(frozen=True)
class Scores:
    """The five measures of one model on one set of rows; nan where one is not defined."""

    accuracy: float
    log_loss: float
    auc: float
    brier: float
    calibration_error: float
    n_rows: int

    def to_document(self) -> dict[str, float | int | None]:
        """Return the scores by name; None for nan and infinity, which JSON does not have."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


def score(y: Labels, log_proba: Rows, weight: Rows | None = None) -> Scores:
    """Compute all five measures of these rows; ValueError where there are none."""
    if len(y) == 0:
        raise ValueError("there are no rows to score.")
    return Scores(
        accuracy(y, log_proba, weight),
        log_loss(y, log_proba, weight),
        auc(y, log_proba, weight),
        brier(y, log_proba, weight),
        calibration_error(y, log_proba, weight),
        len(y),
    )


def trivial_log_proba(shares: ArrayLike, n_rows: int) -> Rows:
    """Return the log-probabilities of the trivial model: for every row, the classes' shares.

    shares: (n_classes,), weights or counts of the classes in the rows that a model was fitted on.
    """
    given = np.asarray(shares, dtype=np.float64)
    with np.errstate(divide="ignore"):  # a class of no weight has probability 0
        return np.broadcast_to(np.log(given / given.sum()), (n_rows, len(given)))


def accuracy(y: Labels, log_proba: Rows, weight: Rows | None = None) -> float:
    """Return the share of rows whose most probable class, the first of equals, is the true one."""
    return float(np.average(log_proba.argmax(axis=1) == y, weights=weight))


def log_loss(y: Labels, log_proba: Rows, weight: Rows | None = None) -> float:
    """Return the mean of -log p(true class); inf where a true class had probability 0."""
    own = np.take_along_axis(log_proba, np.asarray(y)[:, None], axis=1)[:, 0]
    return float(-np.average(own, weights=weight))


def auc(y: Labels, log_proba: Rows, weight: Rows | None = None) -> float:
    """Return the area under the ROC curve: P(score of a row of the class > of another row), ties ½.

    Two classes: of the second class. More: the plain mean over classes, each against the rest
    (macro); classes without rows, or with all, have no curve and are left out. nan if none has one.
    """
    n_classes = log_proba.shape[1]
    classes = [1] if n_classes == 2 else range(n_classes)
    areas = [_area(y == k, own_score(log_proba, k), weight) for k in classes]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")


def brier(y: Labels, log_proba: Rows, weight: Rows | None = None) -> float:
    """Return the mean squared error of probabilities.

    Two classes: (p₁ - [y = 1])², from 0 to 1. More: ∑_k (p_k - [y = k])², from 0 to 2. Both are
    scikit-learn's conventions.
    """
    error = np.exp(log_proba)
    error[np.arange(len(y)), y] -= 1.0
    squares = np.square(error)
    per_row = squares[:, 1] if log_proba.shape[1] == 2 else squares.sum(axis=1)
    return float(np.average(per_row, weights=weight))


def calibration_error(y: Labels, log_proba: Rows, weight: Rows | None = None) -> float:
    """Return the expected calibration error, ∑_b (W_b / W) · |share of events - mean probability|.

    The sum runs over ten equal bins of the predicted probability, [0, 0.1), ..., [0.9, 1]; W_b
    is the weight of the rows in bin b. Two classes: the probability and the event are those of the
    second class. More: those of the most probable class, so the event is a right prediction.
    """
    proba = np.exp(log_proba)
    if log_proba.shape[1] == 2:
        confidence, event = proba[:, 1], y == 1
    else:
        confidence, event = proba.max(axis=1), proba.argmax(axis=1) == y
    w = np.ones(len(y)) if weight is None else weight
    bins = np.minimum((confidence * N_BINS).astype(np.intp), N_BINS - 1)
    # W_b · |mean event - mean confidence| is |sum of differences|, so empty bins need no care.
    difference = np.bincount(bins, w * (event - confidence), minlength=N_BINS)
    return float(np.abs(difference).sum() / w.sum())


def own_score(log_proba: Rows, k: int) -> Rows:
    """Return a score that orders rows as p_k does, also where p_k rounds to 1.

    For two classes the logit; for more the log-odds of k against the rest need log(1 - p_k), which
    is the log of the sum of the others.
    """
    others = np.delete(log_proba, k, axis=1)
    top = others.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        rest = np.log(np.exp(others - top).sum(axis=1)) + top[:, 0]
    return log_proba[:, k] - rest


def _area(positive: NDArray[np.bool_], own: Rows, weight: Rows | None) -> float:
    """Return the weighted Mann-Whitney statistic of a class against the rest; nan without both."""
    w = np.ones(len(own)) if weight is None else weight
    values, place = np.unique(own, return_inverse=True)
    hits = np.bincount(place, w * positive, minlength=len(values))
    misses = np.bincount(place, w * ~positive, minlength=len(values))
    return area(hits, misses)


def area(hits: NDArray, misses: NDArray) -> float:
    """Return the area under the ROC curve from weights by rising score; nan without both kinds."""
    pairs = hits.sum() * misses.sum()
    if pairs == 0.0:
        return float("nan")
    below = np.cumsum(misses) - misses
    return float((hits * (below + 0.5 * misses)).sum() / pairs)
