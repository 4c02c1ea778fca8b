"""Holds the code of a layer or loss to its derived rules, to 50 digits, in the stated ulps."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from tests.ledger.derivation import Rule, rules
from tests.ledger.exact import DIGITS, Exact, Place, evaluate
from tests.ledger.examples import Example
from tests.ledger.formulas import FORMULAS
from tests.ledger.methods import Point, drawn_point, written


@dataclass(frozen=True)
class Error:
    """The worst entry of what one method wrote, against what was derived."""

    kind: str
    method: str
    entry: tuple[int, ...]
    given: float
    exact: float
    ulps: float
    allowed: float
    of_terms: bool

    def __str__(self) -> str:
        return (
            f"{self.kind}.{self.method}{list(self.entry)}: it gives {self.given!r}, the derived "
            f"rule {self.exact!r}; {self.ulps:.3g} ulps apart, {self.allowed:g} are stated."
        )


def errors(kind: type, example: Example, part: Any) -> list[Error]:
    """Compare every method of `part`, built as a kind is; return each one's worst entry."""
    point, exact = expected(kind, example)
    with np.errstate(all="ignore"):
        # A copy: a mutant that writes to its inputs must not spoil them for the next one.
        given = written(part, copy.deepcopy(point))
    return [
        _worst(kind, name, array, exact[name], example.cancels) for name, array in given.items()
    ]


@cache
def expected(kind: type, example: Example) -> tuple[Point, Mapping[str, np.ndarray]]:
    """Draw a point; return it, and for every method the exact numbers, an object array of Exact."""
    part = example.build(kind)
    point = drawn_point(part, example)
    formula = FORMULAS[kind]
    if example.f is not None:
        formula = formula.with_function(example.f)
    n_in = point.rows["z"].shape[1]
    widths = {"n_in": n_in, "n_out": point.rows["delta"].shape[1]}
    places = [
        Place(arrays, {**example.numbers, **widths, "y": label + 1})
        for arrays, label in point.each_row()
    ]
    sizes = {"i": n_in, "j": widths["n_out"], "k": widths["n_out"]}
    exact = {name: _by_row(rule, places, sizes) for name, rule in rules(kind, formula).items()}
    for name in [name for name in exact if name.startswith("gradient")]:
        if not name.startswith("gradient_tangent"):
            exact[name.replace("gradient", "gradient_per_row")] = exact[name]
        exact[name] = _added(exact[name])
    return point, exact


def _by_row(rule: Rule, places: list[Place], sizes: Mapping[str, int]) -> np.ndarray:
    names = [index.name for index in rule.indices]
    block = np.empty((len(places), *(sizes[name] for name in names)), dtype=object)
    for row, *at in np.ndindex(block.shape):
        indices = {name: number + 1 for name, number in zip(names, at, strict=True)}
        block[(row, *at)] = evaluate(rule.formula, places[row].at(**indices))
    return block


def _added(block: np.ndarray) -> np.ndarray:
    """Add the rows of a block of Exact."""
    total = np.empty(block.shape[1:], dtype=object)
    for at in np.ndindex(total.shape):
        column = block[(slice(None), *at)]
        with mpmath.workdps(DIGITS):
            total[at] = Exact.total(column)
    return total


def _worst(
    kind: type, name: str, given: np.ndarray, exact: np.ndarray, cancels: frozenset[str]
) -> Error:
    stated = FORMULAS[kind].stated[name.partition(" ")[0]]
    assert given.shape == exact.shape, f"{kind.__name__}.{name} writes {given.shape}"
    of_terms = stated.of_terms or name in cancels
    off = np.empty(given.shape)
    for at in np.ndindex(given.shape):
        size = exact[at].terms if of_terms else abs(exact[at].value)
        off[at] = ulps(float(given[at]), exact[at].value, size)
    at = tuple(int(n) for n in np.unravel_index(int(off.argmax()), off.shape))
    return Error(
        kind.__name__,
        name,
        at,
        given=float(given[at]),
        exact=float(exact[at].value),
        ulps=float(off[at]),
        allowed=stated.ulps,
        of_terms=of_terms,
    )


def ulps(given: float, exact: mpf, size: mpf) -> float:
    """Return |given − exact| in units in the last place of a float64 of the given size."""
    if not np.isfinite(given):
        return np.inf
    return float(abs(mpf(given) - exact) / mpf(float(np.spacing(float(size)))))
