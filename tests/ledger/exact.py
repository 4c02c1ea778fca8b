"""Evaluates a formula to 50 digits, and says how large the terms are that it adds.

One walk over SymPy's tree with mpmath numbers; it is not SymPy's own evaluation, which would unroll
every sum again for every number asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf
from sympy import (
    Add,
    Expr,
    Heaviside,
    Indexed,
    KroneckerDelta,
    Max,
    Mul,
    Number,
    Pow,
    Sum,
    Symbol,
    exp,
    log,
    tanh,
)

DIGITS = 50
WORKING = (70, 140, 280, 560, 1120)  # digits to compute with, until two in a row agree
NEGLIGIBLE = mpf(10) ** -400  # far below the smallest float64: such a number is 0


@dataclass(frozen=True)
class Exact:
    """A number, and the sum of the absolute values of the terms that it was added up from."""

    value: mpf
    terms: mpf

    @staticmethod
    def total(parts: Iterable[Exact]) -> Exact:
        parts = list(parts)
        return Exact(mpmath.fsum(p.value for p in parts), mpmath.fsum(p.terms for p in parts))


@dataclass(frozen=True)
class Place:
    """What the symbols of a formula stand for: arrays of one row, widths, indices.

    Indices count from 1, as the formulas do.
    """

    arrays: Mapping[str, np.ndarray]
    symbols: Mapping[str, Any]

    def at(self, **indices: int) -> Place:
        return Place(self.arrays, {**self.symbols, **indices})


def evaluate(rule: Expr, place: Place) -> Exact:
    """Return a formula's value to DIGITS digits: precision grows until it no longer matters.

    A 0 is believed at the last precision only: log(1 + e^-700) is 0 with 70 digits and with 140.
    """
    before = mpf("nan")
    for digits in WORKING:
        with mpmath.workdps(digits):
            now = _walk(rule, place)
            if now.value != 0 and abs(now.value - before) <= abs(now.value) * mpf(10) ** -DIGITS:
                return now
            before = now.value
    if abs(now.value) <= NEGLIGIBLE:
        return now
    raise ArithmeticError(f"{WORKING[-1]} digits do not settle {rule} at {place.symbols}")


def _walk(rule: Expr, place: Place) -> Exact:
    for kind, evaluated in NODES.items():
        if isinstance(rule, kind):
            return evaluated(rule, place)
    raise TypeError(f"the ledger cannot evaluate {type(rule).__name__}, in {rule}")


def _add(rule: Expr, place: Place) -> Exact:
    return Exact.total(_walk(part, place) for part in rule.args)


def _multiply(rule: Expr, place: Place) -> Exact:
    value = terms = mpf(1)
    # Plain numbers first: a label of 0 silences log 0 and 1 / 0 beside it, as in the likelihood.
    for part in sorted(rule.args, key=lambda part: isinstance(part, Pow | log | exp)):
        if value == 0:
            return Exact(mpf(0), mpf(0))
        factor = _walk(part, place)
        value, terms = value * factor.value, terms * factor.terms
    return Exact(value, terms)


def _power(rule: Expr, place: Place) -> Exact:
    base, exponent = _walk(rule.base, place), int(rule.exp)
    value = base.value**exponent
    return Exact(value, base.terms**exponent if exponent > 0 else abs(value))


def _sum(rule: Expr, place: Place) -> Exact:
    index, low, top = rule.limits[0]
    numbers = range(int(low), place.symbols[top.name] + 1)
    return Exact.total(_walk(rule.function, place.at(**{index.name: number})) for number in numbers)


def _entry(rule: Expr, place: Place) -> Exact:
    at = tuple(place.symbols[index.name] - 1 for index in rule.indices)
    return _number(mpf(float(place.arrays[str(rule.base.label)][at])))


def _same(rule: Expr, place: Place) -> Exact:
    one, other = (place.symbols[index.name] for index in rule.args)
    return _number(mpf(one == other))


def _step(rule: Expr, place: Place) -> Exact:
    return _number(mpf(_walk(rule.args[0], place).value > 0))  # the note: "1 if x > 0, 0 else"


def _largest(rule: Expr, place: Place) -> Exact:
    return _number(max(_walk(part, place).value for part in rule.args))


def _number(value: mpf) -> Exact:
    return Exact(value, abs(value))


def _function(of: Callable[[mpf], mpf]) -> Callable[[Expr, Place], Exact]:
    return lambda rule, place: _number(of(_walk(rule.args[0], place).value))


@lru_cache(maxsize=2**14)
def _exponential(x: mpf, precision: int) -> mpf:
    """Return e^x; the sum of a softmax asks for the same ones over and over."""
    return mpmath.exp(x)


NODES: Mapping[type, Callable[[Any, Place], Exact]] = {
    Add: _add,
    Mul: _multiply,
    exp: _function(lambda x: _exponential(x, mpmath.mp.prec)),
    Pow: _power,
    Sum: _sum,
    Indexed: _entry,
    Symbol: lambda rule, place: _number(mpf(place.symbols[rule.name])),
    Number: lambda rule, place: _number(mpf(rule.p) / rule.q),
    KroneckerDelta: _same,
    Heaviside: _step,
    Max: _largest,
    log: _function(mpmath.log),
    tanh: _function(mpmath.tanh),
}
