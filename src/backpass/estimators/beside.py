"""What users give beside X, an entry per row: labels or counts, weights, offsets, groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.estimators.inputs import check_lengths, read_labels

COUNTED = np.array([0, 1])  # the classes where y holds counts


@dataclass(frozen=True)
class Beside:
    """y: (n_rows,) labels, or (n_rows, 2) counts of failures and successes. Others may be None."""

    y: NDArray
    sample_weight: NDArray | None = None
    offset: NDArray | None = None
    groups: NDArray | None = None

    @classmethod
    def read(cls, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any = None) -> Beside:
        """Check what came. X: for its number of rows. Raises ValueError."""
        labels = read_counts(y) if are_counts(y) else np.asarray(read_labels(y))
        weight, group = (None if a is None else np.asarray(a) for a in (sample_weight, groups))
        check_lengths(X, labels, weight, group)
        if offset is not None:
            offset = np.asarray(offset, dtype=np.float64)
            offset = np.broadcast_to(offset, len(labels)) if offset.ndim == 0 else offset
            check_lengths(labels, offset)
        return cls(labels, weight, offset, group)

    @property
    def counted(self) -> bool:
        """Tell whether y holds counts."""
        return self.y.ndim == 2

    def take(self, rows: NDArray[np.intp]) -> Beside:
        """Return the entries of these rows."""
        entries = (self.y, self.sample_weight, self.offset, self.groups)
        return Beside(*(None if a is None else a[rows] for a in entries))  # type: ignore[arg-type]

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the share of successes in every row's counts, and how much the row weighs."""
        trials = self.y.sum(axis=1)
        share = np.divide(self.y[:, 1], trials, out=np.zeros(len(trials)), where=trials > 0.0)
        if self.sample_weight is None:
            return share, trials
        try:
            return share, trials * self.sample_weight
        except (ValueError, TypeError):
            shape = self.sample_weight.shape
            raise ValueError(f"sample_weight has the shape {shape}; it is one per row.") from None


def are_counts(y: Any) -> bool:
    """Tell whether y has two columns, so that it counts failures and successes."""
    shape = np.asarray(y).shape
    return len(shape) == 2 and shape[1] == 2


def trials(
    counts: NDArray[np.float64], weight: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Write counts (n_rows, 2) as single labels: the rows they are of, the labels, their weights.

    What happened in no trial is left out. weight: of the rows, (n_rows,), or None.
    """
    times = counts if weight is None else counts * np.asarray(weight, np.float64)[:, None]
    labels, rows = np.nonzero(times.T)
    return rows, labels, times[rows, labels]


def read_counts(y: ArrayLike, both: bool = True) -> NDArray[np.float64]:
    """Return counts as (n_rows, 2) float64; ValueError for what counts nothing.

    both: whether failures and successes must both have occurred, as a fit needs.
    """
    try:
        counts = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "y has two columns, so they are counts of failures and successes, but they do not hold "
            "numbers; for labels give one column."
        ) from None
    bad = ~(np.isfinite(counts) & (counts >= 0.0))
    if bad.any():
        row = int(bad.any(axis=1).argmax())
        raise ValueError(
            f"y, row {row}: {counts[row].tolist()}; counts of failures and successes are finite "
            "and not negative."
        )
    for place, name in enumerate(("failures", "successes")):
        if both and not counts[:, place].any():
            raise ValueError(
                f"y counts no {name} (column {place}) in any row; a classifier needs two classes."
            )
    return counts


def read_offset(offset: ArrayLike, n_rows: int, n_classes: int) -> NDArray[np.float64]:
    """Return what is added to the logits, (n_rows, n_outputs): one output for two classes.

    offset: a number, (n_rows,) for two classes, or (n_rows, n_classes) for more. Raises ValueError.
    """
    n_outputs = 1 if n_classes == 2 else n_classes
    given = np.asarray(offset, dtype=np.float64)
    if given.ndim == 0:
        given = np.broadcast_to(given, (n_rows, n_outputs))
    if given.shape == (n_rows,) and n_outputs == 1:
        given = given[:, None]
    if given.shape != (n_rows, n_outputs):
        wanted = f"({n_rows},)" if n_outputs == 1 else f"({n_rows}, {n_classes})"
        raise ValueError(
            f"offset has the shape {given.shape}; for {n_classes} classes and {n_rows} rows it is "
            f"{wanted}, what is added to the logit{'s of each class' * (n_outputs > 1)}."
        )
    bad = ~np.isfinite(given).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"offset, row {row}: {given[row].tolist()}; offsets are finite numbers.")
    return np.ascontiguousarray(given)


def target_name(y: Any) -> str:
    """Return what a column of labels is called; "y" where it has no name."""
    name = getattr(y, "name", None)
    return name if isinstance(name, str) and name else "y"
