"""Reads the formulas that the microscope shows, its trees, as the ledger's own symbols.

They are a third statement of each rule, written by hand to be read; nothing else evaluates them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add, mul
from typing import Any

from sympy import Expr, Heaviside, KroneckerDelta, Max, Rational, Sum, Symbol, exp, log, tanh
from tests.ledger.derivation import by
from tests.ledger.formulas import Formula, b, delta, i, k, n_in, n_out, target, w, z

CALLS: Mapping[str, Callable[..., Expr]] = {"log": log, "tanh": tanh, "max": Max}
LEAVES = {"z_in": z, "delta_out": delta, "weight": w, "bias": b, "target": target}
WIDTHS = {"in": n_in, "out": n_out}


def in_symbols(tree: Any, formula: Formula) -> Expr:
    """Translate a tree of `microscope.notation`; z_out and Jacobians are those of the formula."""
    if not isinstance(tree, tuple):
        return Rational(tree)
    kind, *parts = tree
    if kind in LEAVES:
        return LEAVES[kind][tuple(index(name) for name in parts)]
    if kind in NAMED:
        return NAMED[kind](formula, *parts)
    return ARITHMETIC[kind](*(in_symbols(part, formula) for part in parts))


def index(name: str) -> Symbol:
    return Symbol(name, integer=True)


def _jacobian(formula: Formula, j: str, i_name: str) -> Expr:
    slope = by(formula.value.subs(k, index(j)), z[index("m")])
    return slope.subs(index("m"), index(i_name))


def _call(formula: Formula, name: str, *inputs: Any) -> Expr:
    if name == "f":  # the user's function: what this formula does to z_k
        return formula.value.subs(z[k], in_symbols(inputs[0], formula))
    return CALLS[name](*(in_symbols(x, formula) for x in inputs))


def _sum(formula: Formula, j: str, over: str, body: Any) -> Expr:
    return Sum(in_symbols(body, formula), (index(j), 1, WIDTHS[over]))


# What speaks of units: its parts are names of indices.
NAMED: Mapping[str, Callable[..., Expr]] = {
    "z_out": lambda formula, unit: formula.value.subs(k, index(unit)),
    "jacobian": _jacobian,
    "same": lambda formula, one, other: KroneckerDelta(index(one), index(other)),
    "n_in": lambda formula: n_in,
    "sum": _sum,
    "call": _call,
}
ARITHMETIC: Mapping[str, Callable[..., Expr]] = {
    "add": lambda *terms: reduce(add, terms),
    "mul": lambda *factors: reduce(mul, factors),
    "sub": lambda one, other: one - other,
    "div": lambda one, other: one / other,
    "neg": lambda one: -one,
    "exp": exp,
    "square": lambda one: one**2,
    "positive": Heaviside,
}


def differences(rule: Any, formula: Formula) -> dict[str, tuple[Expr, Expr]]:
    """Pair what a rule shows with what is derived: its map, and its derivative."""
    j = index("j")
    pairs = {"forward": (in_symbols(rule.forward, formula), formula.value)}
    shown = in_symbols(rule.derivative, formula)
    if rule.loss:
        pairs["derivative"] = shown, by(formula.value, z[i])
    elif rule.elementwise:
        pairs["derivative"] = KroneckerDelta(i, j) * shown, by(formula.value.subs(k, j), z[i])
    else:
        pairs["derivative"] = shown, by(formula.value.subs(k, j), z[i])
    return pairs
