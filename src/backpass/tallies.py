"""The measures of `metrics.py`, and what charts of them need, from rows that pass by in blocks.

Four of the five measures are sums over rows. The area under the curve is a statement about pairs of
rows: up to some million scores they are kept, and it is exact; beyond, a score counts by the first
18 bits of its float32, and scores alike in these count as ties.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backpass.metrics import N_BINS, Labels, Rows, Scores, area, own_score

MOST_KEPT = 4_000_000  # scores, of all classes together
_KEY_BITS = 18


@dataclass
class Tally:
    """Sums over the rows that were added. confusion: weight by (true class, predicted class).

    bins: of each bin of confidence its weight, and the sums of confidence and of events.
    """

    n_classes: int
    n_rows: int = 0
    weight: float = 0.0
    right: float = 0.0
    loss: float = 0.0
    squares: float = 0.0
    bins: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, N_BINS)))
    confusion: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.n_classes, self.n_classes))
        self.curve_classes = [1] if self.n_classes == 2 else list(range(self.n_classes))
        self.curves = [_Curve() for _ in self.curve_classes]

    def add(self, y: Labels, log_proba: Rows, weight: Rows | None = None) -> None:
        """Take in some rows; the arguments are those of `metrics.score`."""
        w = np.ones(len(y)) if weight is None else weight
        chosen = log_proba.argmax(axis=1)
        self.n_rows += len(y)
        self.weight += float(w.sum())
        self.right += float(w @ (chosen == y))
        own = np.take_along_axis(log_proba, np.asarray(y)[:, None], axis=1)[:, 0]
        self.loss -= float((w * own)[w > 0.0].sum())
        proba = np.exp(log_proba)
        error = proba.copy()
        error[np.arange(len(y)), y] -= 1.0
        squares = np.square(error)
        self.squares += float(w @ (squares[:, 1] if self.n_classes == 2 else squares.sum(axis=1)))
        np.add.at(self.confusion, (y, chosen), w)
        if self.n_classes == 2:
            confidence, event = proba[:, 1], y == 1
        else:
            confidence, event = proba.max(axis=1), chosen == y
        places = np.minimum((confidence * N_BINS).astype(np.intp), N_BINS - 1)
        for sums, values in zip(self.bins, (w, w * confidence, w * event), strict=True):
            sums += np.bincount(places, values, minlength=N_BINS)
        keep = self.n_rows * len(self.curves) <= MOST_KEPT
        for k, curve in zip(self.curve_classes, self.curves, strict=True):
            curve.add(own_score(log_proba, k), y == k, w, keep)

    def scores(self) -> Scores:
        """Return the five measures; ValueError where no rows were added."""
        if self.n_rows == 0:
            raise ValueError("there are no rows to score.")
        areas = [curve.area() for curve in self.curves]
        defined = [value for value in areas if not np.isnan(value)]
        return Scores(
            self.right / self.weight,
            self.loss / self.weight,
            float(np.mean(defined)) if defined else float("nan"),
            self.squares / self.weight,
            float(np.abs(self.bins[2] - self.bins[1]).sum()) / self.weight,
            self.n_rows,
        )


class _Curve:
    """Scores of one class against the rest, kept as they are or, when too many, by their key."""

    def __init__(self) -> None:
        self.kept: list[tuple[Rows, NDArray[np.bool_], Rows]] = []
        self.counts: NDArray[np.float64] | None = None

    def add(self, own: Rows, positive: NDArray[np.bool_], weight: Rows, keep: bool) -> None:
        """Take in scores; keep: whether there are still few enough to keep all."""
        self.kept.append((own, positive, weight))
        if not keep:
            if self.counts is None:
                self.counts = np.zeros((2, 1 << _KEY_BITS))
            for scores, hit, w in self.kept:
                keys = _keys(scores)
                for sums, share in zip(self.counts, (~hit, hit), strict=True):
                    sums += np.bincount(keys, w * share, minlength=len(sums))
            self.kept = []

    def area(self) -> float:
        """Return the area under the ROC curve; nan without rows on both sides."""
        misses, hits = self.by_score()
        return area(hits, misses)

    def by_score(self) -> tuple[Rows, Rows]:
        """Return the weight of the other rows and of the class's, by rising score."""
        if self.counts is not None:
            return self.counts[0], self.counts[1]
        if not self.kept:
            return np.zeros(0), np.zeros(0)
        own, positive, w = (np.concatenate(parts) for parts in zip(*self.kept, strict=True))
        values, place = np.unique(own, return_inverse=True)
        n_values = len(values)
        return (
            np.bincount(place, w * ~positive, n_values).astype(np.float64, copy=False),
            np.bincount(place, w * positive, n_values).astype(np.float64, copy=False),
        )


def _keys(scores: Rows) -> NDArray[np.intp]:
    """Map scores to whole numbers in their order: the first bits of float32, negatives turned."""
    bits = scores.astype(np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> np.uint32(32 - _KEY_BITS)).astype(np.intp)
