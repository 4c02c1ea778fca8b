"""Finds where inf or nan came from, after a pass that was seen not to be finite.

It is apart because it is slow and runs only then: a pass itself pays one dot product per buffer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backpass.losses import Loss
from backpass.steps import Step
from backpass.tape import Tape
from backpass.theta import Layout


def refuse_nonfinite(
    steps: Sequence[Step],
    loss: Loss | None,
    layout: Layout,
    theta: NDArray,
    tape: Tape,
    first_row: int,
    grad: NDArray | None,
) -> None:
    """Raise for the first non-finite value of a pass, in the order in which values arise.

    ValueError: in θ, or in X (row and column). FloatingPointError: made inside, by the layer named.
    Returns where all is finite after all (values above 1e154 raise false alarms). loss, grad: None
    where the pass went up to there only; the tape then still holds those of another pass.
    """
    place = _first_bad(theta)
    if place is not None:
        name, entry = layout.name_at(place[0])
        raise ValueError(
            f"theta: '{name}'{list(entry)} is {theta[place]}; expected finite numbers."
        )
    place = _first_bad(tape.z[0])
    if place is not None:
        row, column = place[-2], place[-1]
        kind = " in float32" if tape.dtype == np.float32 else ""  # 1e300 is inf there
        raise ValueError(
            f"X, row {first_row + row}, column {column}: {tape.z[0][place]}{kind}; expected finite "
            "numbers. Drop the row, fill the value in, or let an estimator's `missing=` handle it."
        )
    for L, step in enumerate(steps):
        _refuse(tape.z[L + 1], f"the output of {step}", first_row)
    if loss is not None:
        _refuse(tape.loss[:, None], f"the loss, {loss!r}", first_row)
    if grad is None:
        return
    for L in reversed(range(1, len(steps))):
        _refuse(tape.delta[L], f"the δ that {steps[L]}, sends back", first_row)
    _refuse(tape.delta[len(steps)], f"the δ of the loss, {loss!r}", first_row)
    place = _first_bad(grad)
    if place is not None:
        name, entry = layout.name_at(place[-1])
        raise FloatingPointError(
            f"the gradient of '{name}'{list(entry)} is {grad[place]}: a product or sum overflowed. "
            "Scale the columns of X down, or use smaller parameters."
        )


def _refuse(values: NDArray, what: str, first_row: int) -> None:
    place = _first_bad(values)
    if place is not None:
        row, unit = place[-2], place[-1]
        raise FloatingPointError(
            f"{what}, is {values[place]} at row {first_row + row}, unit {unit}, though its input "
            "is finite. Scale the columns of X down, or use smaller parameters."
        )


def _first_bad(values: NDArray) -> tuple[int, ...] | None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), values.shape))
