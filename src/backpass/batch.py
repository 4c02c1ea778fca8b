"""Rows on their way into a pass: checked once, then cut into slices of the network's dtype."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.losses import Loss


class Batch(NamedTuple):
    """X (n_rows, n_features), y as the loss takes it, weight (n_rows,) float64 or None."""

    X: NDArray
    y: NDArray = np.empty(0)  # empty where a pass has no loss
    weight: NDArray[np.float64] | None = None

    def cut(self, start: int, stop: int, dtype: np.dtype) -> Batch:
        """Return rows start to stop as passes take them: C order, aligned, `dtype`."""
        X = self.X
        if stop - start == len(X) and X.dtype == dtype and X.flags.carray:
            return self
        rows = slice(start, stop)
        return Batch(
            np.require(self.X[rows], dtype=dtype, requirements=["C", "A", "W"]),
            self.y[rows],
            None if self.weight is None else self.weight[rows],
        )


def checked_theta(theta: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return θ as a contiguous float64 vector; ValueError where it has another size."""
    vector = np.asarray(theta, dtype=np.float64, order="C")
    if vector.shape != (size,):
        raise ValueError(
            f"theta has shape {vector.shape}; this network has {size} parameters, "
            f"so it takes ({size},). net.init(seed) makes one, net.flatten(...) packs named arrays."
        )
    return vector


def checked_rows(X: ArrayLike) -> NDArray:
    """Return X as a 2-D numeric array without a copy; ValueError says what came instead."""
    rows = np.asarray(X)
    if rows.ndim != 2:
        hint = " One row alone is X[None, :]." if rows.ndim == 1 else ""
        raise ValueError(f"X has shape {rows.shape}; expected (n_rows, n_features).{hint}")
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"X holds {rows.dtype} values; expected numbers.")
    return rows


def checked_batch(
    rows: NDArray,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    loss: Loss,
    n_out: int,
    dtype: np.dtype,
    values: bool = True,
) -> Batch:
    """Check labels and weights against rows from `checked_rows`; ValueError names the row.

    values: False leaves the values of y to the pass.
    """
    targets = loss.targets(y, len(rows), n_out, dtype)
    if values:
        loss.refuse_targets(targets, n_out)
    return Batch(rows, targets, checked_weight(sample_weight, len(rows)))


def checked_weight(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64] | None:
    """Return weights as float64, or None; ValueError names the first negative or non-finite."""
    if sample_weight is None:
        return None
    weight = np.ascontiguousarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight has shape {weight.shape}; expected ({n_rows},), one per row of X."
        )
    wrong = ~((weight >= 0.0) & (weight < np.inf))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"sample_weight, row {row}: {weight[row]}; weights are finite and not negative."
        )
    return weight
