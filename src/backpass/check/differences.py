"""Derivatives by differences, with an estimate of their own error: the judge of all checks.

It is apart because it knows no layer: it takes a function of one number and differentiates it at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.theta import Array

LEVELS = 24  # halvings of the step, so the smallest is 2^-25 of the scale
FEWEST = 4  # halvings before a verdict
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Estimate:
    """f'(0) with a bound on its error, and the one-sided slopes; arrays of f's own shape.

    kinked: left and right slope do not approach each other, so f'(0) does not exist (or changes
    within the smallest step); then only the slopes on the two sides say something. lost: these
    do not settle either, as at a jump, or beside a pole or the border of the domain.
    resolved: known to 2e-5 of its size, or as well as rounding allows.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    kinked: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    resolved: NDArray[np.bool_]


def derivative(
    f: Callable[[float], Array], scale: float = 1.0, size: float | Array = 0.0
) -> Estimate:
    """Differentiate f at 0 by central differences, the best step chosen for every entry by itself.

    scale: the size of the argument, the first step being a quarter of it. size: the largest number
    that f adds up, where sums cancel: it sets the rounding error that no step can beat. Numbers
    along f's last axis are taken to share their rounding, those of different rows are not.

    Ridders (1982): steps h, h/2, h/4, ... are extrapolated to h = 0 in a Neville table;
    neighbours in the table tell the error, and every entry keeps the value where that is least. A
    kink farther away than the smallest step is passed by: the steps below it agree.
    """
    centre = np.asarray(f(0.0), dtype=np.float64)
    if centre.ndim:
        size = np.maximum(size, np.max(np.abs(centre), axis=-1, keepdims=True, initial=0.0))
    value: Array = np.zeros(centre.shape)
    error: Array = np.full(centre.shape, np.inf)
    kinked, most = np.zeros(centre.shape, dtype=bool), np.zeros(centre.shape)
    left = right = centre
    slopes: list[Array] = []
    bends: list[Array] = []
    step = scale / 4
    with np.errstate(all="ignore"):  # a large step may leave f's domain; its nan is never chosen
        floor = 4 * EPS * size / step
        for level in range(LEVELS):
            before = left, right
            left, right = (centre - f(-step)) / step, (f(step) - centre) / step
            above, slopes = slopes, _extrapolated([(left + right) / 2], slopes, [4.0, 16.0, 64.0])
            for column in range(1, len(slopes)):
                spread = np.maximum(
                    np.abs(slopes[column] - slopes[column - 1]),
                    np.abs(slopes[column] - above[column - 1]),
                )
                # Rounding in f comes back divided by the step, even where neighbours agree.
                spread = np.maximum(spread, 4 * EPS * size / step)
                # Large steps may agree by accident (a wave seen once a period): smaller win.
                better = (spread < error) | (np.abs(slopes[column] - value) > 2 * (spread + error))
                value = np.where(better, slopes[column], value)
                error = np.where(better, spread, error)
            # Of a smooth f, right minus left slope is an odd function of the step; a kink is what
            # stays of it at step 0. Steps that reach over a kink beside 0 spoil some columns only.
            bends = _extrapolated([right - left], bends, [2.0, 8.0, 32.0])
            bend = np.min(np.abs(bends), axis=0)
            steepest, noise = np.maximum(np.abs(left), np.abs(right)), 64 * EPS * size / step
            most = np.fmax(most, steepest)
            if level >= FEWEST:
                # Once rounding hides what larger steps have shown, a verdict stays as it is.
                seen = noise <= np.maximum(1e-3 * most, 2**14 * floor)
                straight = (bend <= 1e-3 * steepest + noise) & seen
                kinked = (kinked | ~(bend <= 1e-3 * steepest + noise)) & ~straight
                if not kinked.any() and np.all(error <= 1e-9 * np.abs(value) + 64 * floor):
                    break
            step /= 2
        still = [
            np.abs(a - b) <= 0.01 * np.abs(b) + noise
            for a, b in zip(before, (left, right), strict=True)
        ]
        lost = kinked & ~(still[0] & still[1])
        resolved = ~kinked & (error <= np.maximum(2e-5 * np.abs(value), 1e3 * floor))
    return Estimate(value, error, left, right, kinked & ~lost, lost, resolved)


def _extrapolated(row: list[Array], above: list[Array], gains: list[float]) -> list[Array]:
    """Extend a row of a Neville table: each column removes one more power of the step.

    gains: 2^power of the powers of the step that the error has, in rising order.
    """
    for gain, earlier in zip(gains, above, strict=False):
        row.append((gain * row[-1] - earlier) / (gain - 1))
    return row
