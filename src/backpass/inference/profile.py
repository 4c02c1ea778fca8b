"""Profile-likelihood intervals: where twice the log-likelihood has fallen by a quantile of χ²₁.

For a value c of one coefficient let λ(c) be the highest log-likelihood with it held at c. The root
r(c) = √(2 (λ̂ - λ(c))) is almost a straight line, and its slope is known from the pull at c, so
Newton's method finds each end in a few steps; a bracket keeps it safe.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpass.inference.surface import Surface, Top, maximise

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
MOST_STEPS = 60
FOUND = 1e-7  # of r, which is in standard errors


def end(
    surface: Surface,
    top: Matrix,
    height: float,
    lead: Vector,
    way: float,
    fall: float,
    width: float,
) -> float:
    """Return where lead · β ends on one side, ±inf where the likelihood never falls so far.

    top: β of the maximum or, where it is at infinity, far on the way, and height its value.
    way: ±1. fall: r there, such as 1.96. width: of a first step, about a standard error.
    """
    inner = float(lead @ top.reshape(-1))
    outer, here = np.nan, top
    place = inner + way * fall * width
    for _ in range(MOST_STEPS):
        found = maximise(surface, here, lead[None, :], np.array([place]))
        here, r = found.beta, _root(height, found)
        if abs(r - fall) <= FOUND:
            return place
        if r < fall:
            inner = place
        else:
            outer = place
        slope = -float(found.pull[0]) / r * way if r > 0.0 else 0.0  # of r outwards
        ahead = (fall - r) / slope if slope > 0.0 else np.inf
        if np.isnan(outer):
            # not beyond yet: at most double the way, since far out the line may be flat
            ahead = min(ahead, 2.0 * max(abs(place - float(lead @ top.reshape(-1))), width))
            place += way * ahead
            if abs(place) > 1e8 * width + 1e3 * abs(inner):
                return way * np.inf
            continue
        place += way * ahead
        low, high = sorted((inner, outer))
        if not low < place < high:
            place = 0.5 * (inner + outer)
        if abs(outer - inner) <= 1e-12 * (abs(outer) + width):
            return place
    raise ArithmeticError(
        f"the profile interval was not found in {MOST_STEPS} steps: r is {r:.6g} at {place:.6g}, "
        f"wanted {fall:.6g}. Use confint(method='wald')."
    )


def _root(height: float, found: Top) -> float:
    return float(np.sqrt(max(2.0 * (height - found.value), 0.0)))
