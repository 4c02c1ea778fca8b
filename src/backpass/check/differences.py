"""Derivatives by differences, with an estimate of their own error: the judge of all checks.

It is apart because it knows no layer: it takes a function of one number and differentiates it at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    resolved: known to 2e-5 of its size, to 1e-9 of f's steepest slope, or as rounding allows.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    kinked: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    resolved: NDArray[np.bool_]

    def per(self, unit: Array) -> Estimate:
        """Return the estimate of f'(0) / unit, for an argument that was counted in such units."""
        scaled = {key: getattr(self, key) / unit for key in ("value", "error", "left", "right")}
        return replace(self, **scaled)


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
    step = scale / 4
    floor = 4 * EPS * size / step
    table, sides = _Table(centre.shape), _Sides(centre.shape, floor)
    with np.errstate(all="ignore"):  # a large step may leave f's domain; its nan is never chosen
        for level in range(LEVELS):
            left, right = (centre - f(-step)) / step, (f(step) - centre) / step
            rounding = 4 * EPS * size / step
            table.add((left + right) / 2, rounding)
            sides.add(left, right, 16 * rounding)
            if level >= FEWEST and table.known(64 * floor) and not sides.kinked.any():
                break
            step /= 2
        else:
            table.doubt(4 * rounding)
        value, error, lost = table.value, table.error, sides.kinked & ~sides.settled
        small = np.maximum(1e-9 * sides.steepest, 1e3 * floor)
        resolved = ~sides.kinked & (error <= np.maximum(2e-5 * np.abs(value), small))
    return Estimate(value, error, sides.left, sides.right, sides.kinked & ~lost, lost, resolved)


class _Table:
    """The Neville table of central slopes, for every entry its best value and that one's error."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.value, self.error = np.zeros(shape), np.full(shape, np.inf)
        self._row: list[Array] = []

    def add(self, slope: Array, rounding: float | Array) -> None:
        """Take in the slope of half the last step; a smooth f's errs by even powers of the step."""
        above, row = self._row, _extrapolated(slope, self._row, [4.0, 16.0, 64.0])
        for column in range(1, len(row)):
            spread = np.maximum(
                np.abs(row[column] - row[column - 1]), np.abs(row[column] - above[column - 1])
            )
            # Rounding in f comes back divided by the step, even where neighbours agree.
            spread = np.maximum(spread, rounding)
            # Large steps may agree by accident (a wave seen once a period): smaller ones win.
            contradicted = np.abs(row[column] - self.value) > 2 * (spread + self.error)
            better = (spread < self.error) | contradicted
            self.value = np.where(better, row[column], self.value)
            self.error = np.where(better, spread, self.error)
        self._row = row

    def doubt(self, rounding: float | Array) -> None:
        """Raise errors to what the last plain slope says, where a kink lay among the last steps."""
        self.error = np.fmax(self.error, np.abs(self._row[0] - self.value) - rounding)

    def known(self, within: float | Array) -> bool:
        """Tell whether all errors are small, and the newest slopes do not say otherwise."""
        size = np.abs(self.value)
        agreed = np.abs(self._row[-1] - self.value) <= 1e-3 * size + within
        return bool(np.all(agreed & (self.error <= 1e-9 * size + within)))


class _Sides:
    """The one-sided slopes, and whether they meet. floor: the rounding at the first step."""

    def __init__(self, shape: tuple[int, ...], floor: float | Array) -> None:
        self.left, self.right, self.steepest = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.kinked, self.settled = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        self._floor, self._row = floor, list[Array]()

    def add(self, left: Array, right: Array, noise: float | Array) -> None:
        """Take in the slopes of half the last step.

        Right minus left is an odd function of the step for a smooth f; what stays of it at step 0
        is a kink. Steps that reach over a kink beside 0 spoil some columns of the table only.
        """
        self._row = _extrapolated(right - left, self._row, [2.0, 8.0, 32.0])
        bend = np.min(np.abs(self._row), axis=0)
        steep = np.maximum(np.abs(left), np.abs(right))
        self.steepest = np.fmax(self.steepest, steep)
        # Once rounding hides what larger steps have shown, everything stays as it is.
        seen = ~(noise > np.maximum(1e-3 * self.steepest, 2**14 * self._floor))
        if len(self._row) > 3:
            self.kinked = np.where(seen, ~(bend <= 1e-3 * steep + noise), self.kinked)
        still = [
            np.abs(new - old) <= 0.01 * np.abs(new) + noise
            for new, old in ((left, self.left), (right, self.right))
        ]
        self.settled = np.where(seen, still[0] & still[1], self.settled)
        self.left = np.where(seen, left, self.left)
        self.right = np.where(seen, right, self.right)


def _extrapolated(newest: Array, above: list[Array], gains: list[float]) -> list[Array]:
    """Return the next row of a Neville table: each column removes one more power of the step.

    gains: 2^power of the powers of the step that the error has, in rising order.
    """
    row = [newest]
    for gain, earlier in zip(gains, above, strict=False):
        row.append((gain * row[-1] - earlier) / (gain - 1))
    return row
