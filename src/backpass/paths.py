"""The chain rule written out: paths from a parameter to the cost, and how they read as text.

`Trace.paths` finds them; here is what it returns. Text counts units from 1, as the note does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_WRITTEN = 64  # paths as text, as on the microscope's page; the largest where there are more

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Path:
    """One way from a parameter up to the cost.

    units: (level, unit) of every value on the way, the cost last, units counted from 0.
    factors: ∂z/∂θ of the first unit, then ∂z/∂z from each unit to the next.
    """

    units: tuple[tuple[int, int], ...]
    factors: tuple[float, ...]

    @property
    def product(self) -> float:
        return math.prod(self.factors)


@dataclass(frozen=True)
class PathCounts:
    """How many paths lead from one entry of a parameter to the cost, and what they cost.

    multiplications: those of the paths, each multiplied out by itself.
    recursion_multiplications: those of the recursion, which computes each δ once.
    """

    n_paths: int
    multiplications: int
    recursion_multiplications: int


@dataclass(frozen=True)
class Paths:
    """The chain rule of one parameter and one row, written out over every path.

    As text, units are subscripts and count from 1, as in the note and on the microscope's page;
    what stands in brackets is an index and counts from 0, as in Python: z³₁ is z[3][row, 0].
    Of more than 64 paths the text has the largest by size, and the sum of the others.
    paths is empty where there are more than MOST_PATHS; counts and total are given all the same.
    """

    name: str
    index: tuple[int, ...]
    row: int
    paths: tuple[Path, ...]
    n_paths: int
    total: float
    multiplications: int
    recursion_multiplications: int

    def __str__(self) -> str:
        lines = [f"∂C/∂{self.name}{list(self.index)}, row {self.row}"]
        by_size = sorted(self.paths, key=lambda path: -abs(path.product))
        few = len(by_size) <= MOST_WRITTEN
        for path in self.paths if few else by_size[:MOST_WRITTEN]:
            *inner, (cost_level, _) = path.units
            way = " ← ".join([level_symbol(cost_level), *(unit_symbol(*u) for u in inner[::-1])])
            factors = " · ".join(f"{factor:.6g}" for factor in reversed(path.factors))
            # + 0.0 since a product of 0 and a negative number is -0
            lines.append(f"  {way}:  {factors} = {path.product + 0.0:.6g}")
        if not few:
            others = by_size[MOST_WRITTEN:]
            rest = math.fsum(path.product for path in others)
            lines.append(f"  and {len(others)} smaller ones, their sum {rest + 0.0:.6g}")
        lines.append(
            f"  sum of {self.n_paths} paths = {self.total:.6g}; "
            f"{self.multiplications} multiplications, "
            f"the recursion needs {self.recursion_multiplications}"
        )
        return "\n".join(lines)


def level_symbol(level: int) -> str:
    """Write z^L as one word: z², z¹²."""
    return f"z{level}".translate(_RAISED)


def unit_symbol(level: int, unit: int) -> str:
    """Write a unit as the note and the microscope do, counted from 1: z²₁ is unit 0 of level 2."""
    return level_symbol(level) + str(unit + 1).translate(_LOWERED)
