"""What a loss is: the number that ends a network, row by row, and its derivative.

Shapes, throughout: z and delta_in are (n_rows, width), C-contiguous, of the network's dtype;
y is what `targets` returned for these rows; loss_out is (n_rows,). Inputs are read only, outputs
come last and are fully overwritten. Weights and the sum over rows are the network's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.theta import Array


class Loss(ABC):
    """The last map of a network, (z, y) -> one number per row.

    Source      Kwitt (2018), p. 4: the recursion starts at the loss from δ = ∂C/∂C = 1.
    """

    @abstractmethod
    def targets(self, y: ArrayLike, n_rows: int, width: int, dtype: np.dtype) -> NDArray:
        """Return y, for n_rows rows of `width` outputs, in the form that the other methods take.

        Raises ValueError where y has another length or type; `refuse_targets` looks at its values.
        """

    def refuse_targets(self, targets: NDArray, width: int) -> None:
        """Raise ValueError for the first target, in its form, that the loss has no meaning for.

        It is apart from `targets` because a compiled plan sees this for itself, in the same pass:
        on a small network one NumPy call over the labels costs as much as a layer.
        """
        return None  # whatever has the right form has a meaning, unless a loss says otherwise

    @abstractmethod
    def value(self, z: Array, y: NDArray, loss_out: Array) -> None:
        """Write each row's loss to loss_out."""

    @abstractmethod
    def delta(self, z: Array, y: NDArray, delta_in: Array) -> None:
        """Write ∂loss/∂z, the δ that the recursion starts with, to delta_in."""

    @abstractmethod
    def tangent(self, z: Array, y: NDArray, dot_z: Array, dot_delta_in: Array) -> None:
        """Write the directional derivative of `delta` along dot_z, for Hessian products."""


def class_labels(y: ArrayLike, n_rows: int, n_classes: int) -> NDArray[np.int64]:
    """Return y as int64 labels, (n_rows,); ValueError where it is no list of whole numbers."""
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise ValueError(
            f"y has shape {labels.shape}; expected ({n_rows},), one class per row of X."
        )
    if labels.dtype.kind not in "iub":
        whole = labels.astype(np.int64) if labels.dtype.kind == "f" and _finite(labels) else None
        if whole is None or (whole != labels).any():
            raise ValueError(
                f"y holds {labels.dtype} values; expected whole numbers from 0 to {n_classes - 1}."
            )
        labels = whole
    return np.asarray(labels, dtype=np.int64, order="C")


def refuse_labels(labels: NDArray[np.int64], n_classes: int) -> None:
    """Raise ValueError for the first label that is not one of 0..n_classes-1."""
    # One maximum checks both ends: as uint64 a negative number is huge.
    if np.maximum.reduce(labels.view(np.uint64), initial=0) >= n_classes:
        row = int(((labels < 0) | (labels >= n_classes)).argmax())
        raise ValueError(
            f"y, row {row}: class {labels[row]}; the network has {n_classes} outputs, "
            f"so classes are 0 to {n_classes - 1}."
        )


def unit_targets(y: ArrayLike, n_rows: int, width: int, dtype: np.dtype) -> NDArray:
    """Return y as (n_rows, width) numbers of `dtype`; ValueError where shape or type is wrong."""
    given = np.asarray(y)
    if width == 1 and given.shape == (n_rows,):
        given = given[:, None]
    if given.shape != (n_rows, width):
        also = f" or ({n_rows},)" if width == 1 else ""
        raise ValueError(f"y has shape {given.shape}; expected ({n_rows}, {width}){also}.")
    if given.dtype.kind not in "iubf":
        raise ValueError(f"y holds {given.dtype} values; expected numbers in [0, 1].")
    return np.asarray(given, dtype=dtype, order="C")


def refuse_outside_unit(targets: NDArray) -> None:
    """Raise ValueError for the first target, (n_rows, width), that is not in [0, 1]."""
    inside = (targets >= 0.0) & (targets <= 1.0)
    if not inside.all():
        row, column = np.unravel_index(int((~inside).argmax()), inside.shape)
        where = f"row {row}" if targets.shape[1] == 1 else f"row {row}, column {column}"
        raise ValueError(
            f"y, {where}: {targets[row, column]:g}; expected 0, 1 or a probability between them."
        )


def _finite(array: NDArray) -> bool:
    return bool(np.isfinite(array).all())
