"""Derives a layer's rules from its forward formula: SymPy differentiates, this file only asks.

Nothing here knows any layer. The recursion and the direction through it are the two questions:
δ_i = ∑_k δ_k ∂z_k/∂z_i, and d/dt at t = 0 where every number moves along its dot.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import (
    Add,
    DiracDelta,
    Expr,
    Indexed,
    KroneckerDelta,
    Mul,
    Sum,
    Symbol,
)
from tests.ledger.formulas import Formula, delta, dot, i, k, z

from backpass.losses import Loss

t = Symbol("t")

# What SymPy leaves open, and is decided here. Heaviside(0) is the derivative of a rectifier at its
# kink, 0 as in the note (`exact.py` evaluates it so), and no second derivative lives on a kink.
CONVENTIONS = {DiracDelta: lambda argument: 0}


@dataclass(frozen=True)
class Rule:
    """What one method writes for one row: its formula, and the indices of an entry of it."""

    formula: Expr
    indices: tuple[Symbol, ...]

    def along(self) -> Rule:
        return Rule(along(self.formula), self.indices)


def rules(kind: type, formula: Formula) -> dict[str, Rule]:
    """Derive what the methods of a layer or loss write; of gradients "gradient weight"."""
    if issubclass(kind, Loss):
        delta_rule = Rule(by(formula.value, z[i]), (i,))
        return {
            "value": Rule(formula.value, ()),
            "delta": delta_rule,
            "tangent": delta_rule.along(),
        }
    forward, backward = Rule(formula.value, (k,)), Rule(recursion(formula, z[i]), (i,))
    derived = {"forward": forward, "backward": backward}
    for name, entry in formula.parameters.items():
        derived[f"gradient {name}"] = Rule(recursion(formula, entry), entry.indices)
    derived |= {"tangent": forward.along(), "backward_tangent": backward.along()}
    for name in formula.parameters:
        derived[f"gradient_tangent {name}"] = derived[f"gradient {name}"].along()
    return derived


def recursion(formula: Formula, entry: Indexed) -> Expr:
    """Return ∑_k δ_k ∂z_k/∂entry: the note's rule for δ, and for the gradient."""
    return summed(delta[k] * by(formula.value, entry), k, formula.n_out)


def by(value: Expr, entry: Indexed) -> Expr:
    """Return ∂value/∂entry, with every sum over a [j = i] carried out."""
    return tidy(value.diff(entry))


def along(rule: Expr) -> Expr:
    """Return the directional derivative: every moving number a becomes a + t ȧ, then d/dt at 0."""
    moved = rule.replace(
        lambda part: isinstance(part, Indexed) and part.base in dot,
        lambda part: part + t * dot[part.base][part.indices],
    )
    return tidy(moved.diff(t).subs(t, 0))


def tidy(rule: Expr) -> Expr:
    """Carry out the sums over a single term, and take the conventions."""
    for unsettled, settle in CONVENTIONS.items():
        rule = rule.replace(unsettled, settle)
    return rule.replace(Sum, lambda body, limits: summed(body, limits[0], limits[2]))


def summed(body: Expr, index: Symbol, top: Expr) -> Expr:
    """Return ∑ body over index = 1 .. top; any other index is known to lie in that range."""
    if isinstance(body, Add):
        return Add(*(summed(term, index, top) for term in body.args))
    factors = Mul.make_args(body)
    for place, factor in enumerate(factors):
        rest = Mul(*factors[:place], *factors[place + 1 :])
        if isinstance(factor, KroneckerDelta) and factor.has(index):
            other = next(side for side in factor.args if side != index)
            return rest.subs(index, other)
        if isinstance(factor, Add) and factor.has(KroneckerDelta):
            return Add(*(summed(term * rest, index, top) for term in factor.args))
    apart, inside = body.as_independent(index, as_Add=False)
    return apart * (Sum(inside, (index, 1, top)) if inside != 1 else top)
