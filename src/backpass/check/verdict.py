"""Decides whether a number is the derivative that differences see, and words the report if not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backpass.check.differences import Estimate
from backpass.theta import Array

RELATIVE = 1e-4  # what a derivative may be off: a tenth of the 0.1 % that must not pass
MOST_ENTRIES = 200  # entries tested one by one; of more, a sample, and all of them in one direction
SMOOTH, UNSURE, KINKED = 0, 1, 2  # how well a derivative could be seen at a point

Index = tuple[int, ...]
Where = Callable[[Index], str]  # names one entry of what is judged


class DerivativeError(AssertionError):
    """A derivative is not that of the forward map, or a method breaks the contract of layers."""


def unit(what: str, column: int | None = None) -> Where:
    """Name entries of an array by row and unit; of one column of it where `column` is given."""
    return lambda at: f"{what} at row {at[0]}, unit {at[1] if column is None else column}"


def parameter(what: str, name: str) -> Where:
    """Name entries of a parameter's gradient."""
    return lambda at: f"{what}, parameter '{name}'{list(at)}"


def parameter_by_row(what: str, name: str) -> Where:
    """Name entries of an array with a parameter's gradient for every row."""
    return lambda at: f"{what}, row {at[0]}, parameter '{name}'{list(at[1:])}"


def judge(
    where: Where,
    given: Array,
    seen: Estimate,
    within: float | None = None,
    between_slopes: bool = True,
) -> int:
    """Raise for the worst entry that is not the derivative seen; return how well it was seen.

    within: the difference allowed, in place of RELATIVE times the larger of the two numbers.
    between_slopes: at a kink any number between the slopes of the two sides is right; where kinks
    add up this is not so (relu(t) - relu(-t) is t, yet 0 by the convention), and False passes them.
    """
    given = np.asarray(given)
    low, high = np.minimum(seen.left, seen.right), np.maximum(seen.left, seen.right)
    with np.errstate(all="ignore"):
        own = RELATIVE * np.maximum(np.abs(given), np.abs(seen.value))
        # The error is the least of many guesses at it, hence the 20; 0.1 % still stands out.
        allowed = (own if within is None else within) + 20 * seen.error
        slack = 1e-3 * np.maximum(np.abs(low), np.abs(high))
        excess = np.where(
            seen.kinked,
            np.maximum(low - slack - given, given - high - slack),
            np.abs(given - seen.value) - allowed,
        )
    told = ~seen.lost & (between_slopes | ~seen.kinked)
    wrong = ~(excess <= 0.0) & told | ~np.isfinite(given)
    if wrong.any():
        worst = np.where(wrong, np.nan_to_num(excess, nan=np.inf), -1.0).argmax()
        at = _index(int(worst), given.shape)
        raise DerivativeError(f"{where(at)}: {_both(float(given[at]), seen, at)}")
    if seen.kinked.any():
        return KINKED
    return SMOOTH if seen.resolved.all() else UNSURE


def judge_entries(
    where: Where,
    given: Array,
    along: Callable[[Array], Estimate],
    rng: np.random.Generator,
    between_slopes: bool = True,
) -> int:
    """Judge an array entry by entry; a large one by a sample, and all entries in one direction.

    along: differentiates in a direction, an array of given's shape.
    """

    def one(flat: int) -> int:
        at = _index(flat, given.shape)
        direction = np.zeros(given.shape)
        direction[at] = 1.0
        return judge(lambda _: where(at), given[at], along(direction), None, between_slopes)

    if given.size <= MOST_ENTRIES:
        return max((one(flat) for flat in range(given.size)), default=SMOOTH)
    sight = max(one(flat) for flat in rng.permutation(given.size)[:MOST_ENTRIES].tolist())
    # In one sum over all entries 0.1 % of one of them still stands out above the rounding.
    direction = rng.choice([-1.0, 1.0], size=given.shape)
    seen, total = along(direction), (given * direction).sum()
    summed, within = where((0,) * given.ndim), 1e-10 * float(np.abs(given).sum())
    try:
        said = judge(
            lambda _: f"{summed} and all others, summed", total, seen, within, between_slopes
        )
        return max(sight, said)
    except DerivativeError:
        for flat in range(given.size):  # which entry is it?
            one(flat)
        raise


def refuse_difference(
    where: Where,
    given: Array,
    expected: Array,
    source: str,
    advice: str = "",
    within: float = 1e-9,
) -> None:
    """Raise where two ways to the same numbers differ by more than `within` of the largest."""
    wrong = ~(np.abs(given - expected) <= within * np.max(np.abs(expected), initial=1e-300))
    if wrong.any():
        at = _index(int(wrong.argmax()), wrong.shape)
        both = f"it gives {given[at]:.10g}, {source} gives {expected[at]:.10g}."
        raise DerivativeError(f"{where(at)}: {both} {advice}".rstrip())


def no_derivative(what: str, attempts: int) -> DerivativeError:
    """Word the report on a map that is kinked wherever one looks."""
    return DerivativeError(
        f"{what} has no derivative at any of {attempts} points tried: left and right slopes "
        "differ. A map that jumps or bends everywhere cannot be trained through."
    )


def _both(given: float, seen: Estimate, at: Index) -> str:
    """Put the number that was given beside the one that differences give."""
    if seen.kinked[at]:
        return (
            f"it gives {given:.10g}, but differences give the slopes {seen.left[at]:.10g} "
            f"and {seen.right[at]:.10g} on the two sides of a kink."
        )
    value, error = float(seen.value[at]), float(seen.error[at])
    ratio = f", a ratio of {given / value:.6g}" if abs(value) > 100 * error else ""
    return f"it gives {given:.10g}, differences give {value:.10g} ± {error:.1g}{ratio}."


def _index(flat: int, shape: Index) -> Index:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
