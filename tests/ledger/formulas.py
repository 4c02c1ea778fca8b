"""Each layer's and loss's forward formula, written once, in symbols; nothing is derived by hand.

Indices are written as in the note: i runs over what goes in, k over what comes out; j and l are
bound by sums. Units are counted from 1 here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sympy import (
    Expr,
    Function,
    IndexedBase,
    KroneckerDelta,
    Max,
    Sum,
    Symbol,
    exp,
    log,
    symbols,
    tanh,
)

import backpass as bp

i, j, k, l, y = symbols("i j k l y", integer=True)  # y: the class of the row, where it is one
n_in, n_out = symbols("n_in n_out", integer=True, positive=True)
smoothing = Symbol("epsilon", nonnegative=True)

z, delta, w, b, mask, target = (
    IndexedBase(name) for name in ("z", "delta", "w", "b", "mask", "target")
)
dot = {base: IndexedBase(f"dot_{base.label}") for base in (z, delta, w, b)}


class f(Function):  # printed as it is called
    """The user's function of an Elementwise, known by its name alone."""

    def fdiff(self, argindex=1):
        return df(*self.args)


class df(Function):
    def fdiff(self, argindex=1):
        return d2f(*self.args)


class d2f(Function):
    pass


@dataclass(frozen=True)
class Stated:
    """How close the code comes to the exact number, in units in the last place.

    of_terms: in ulps of the sum of the absolute values of the terms that the derived formula adds,
    where they may cancel; otherwise in ulps of the result itself, however small it is.
    """

    ulps: float
    of_terms: bool = False

    def __str__(self) -> str:
        return f"{self.ulps:g} ulps of {'its terms' if self.of_terms else 'the result'}"


@dataclass(frozen=True)
class Formula:
    """One map in symbols. value: z_k^{L+1} of a layer, the loss of one row of a loss.

    parameters: by name, one entry of each, with the indices that its gradient is asked for.
    stated: by method, the error that the comparison allows.
    """

    value: Expr
    stated: Mapping[str, Stated]
    parameters: Mapping[str, Expr] = field(default_factory=dict)
    n_out: Symbol = n_in

    def with_function(self, function: Callable[[Expr], Expr]) -> Formula:
        """Return the formula with the user's f written out."""
        return replace(self, value=self.value.replace(f, function))


def over_inputs(term: Expr, index: Symbol = j) -> Expr:
    """Return the sum of a term over the units that go in."""
    return Sum(term, (index, 1, n_in))


affine = over_inputs(w[k, l] * z[l], l) + b[k]
evidence = over_inputs(exp(z[j]))
wanted = (1 - smoothing) * KroneckerDelta(j, y) + smoothing / n_in

MAP = ("forward", "backward", "tangent", "backward_tangent")
GRADIENT = ("gradient", "gradient_per_row", "gradient_tangent")
LOSS = ("value", "delta", "tangent")
EXACT, RESULT, TERMS = Stated(0), Stated(4), Stated(4, of_terms=True)


def within(stated: Stated, *methods: str, **others: Stated) -> dict[str, Stated]:
    """State one error for several methods, and another for each that is named."""
    return {**dict.fromkeys(methods, stated), **others}


# What a layer or loss computes. A row of this table is all that the ledger is told about it.
FORMULAS: Mapping[type, Formula] = {
    bp.Linear: Formula(
        affine, within(TERMS, *MAP, *GRADIENT), {"weight": w[j, i], "bias": b[j]}, n_out
    ),
    bp.Sigmoid: Formula(1 / (1 + exp(-z[k])), within(RESULT, *MAP, backward_tangent=TERMS)),
    bp.Tanh: Formula(tanh(z[k]), within(TERMS, *MAP, forward=RESULT)),
    bp.ReLU: Formula(Max(0, z[k]), within(EXACT, *MAP)),
    bp.Dropout: Formula(mask[k] * z[k], within(RESULT, *MAP)),
    bp.Elementwise: Formula(f(z[k]), within(TERMS, *MAP)),
    bp.Softmax: Formula(exp(z[k]) / evidence, within(TERMS, *MAP, forward=RESULT)),
    bp.LogSoftmax: Formula(z[k] - log(evidence), within(TERMS, *MAP, forward=RESULT)),
    bp.Residual: Formula(
        z[k] + 1 / (1 + exp(-affine)),
        within(TERMS, "forward", "backward", "gradient"),
        {"0.0.weight": w[j, i], "0.0.bias": b[j]},
    ),
    bp.BCELoss: Formula(
        -over_inputs(target[j] * log(z[j]) + (1 - target[j]) * log(1 - z[j])),
        within(RESULT, *LOSS),
    ),
    bp.BCEWithLogitsLoss: Formula(
        over_inputs(log(1 + exp(z[j])) - target[j] * z[j]), within(RESULT, *LOSS)
    ),
    bp.NLLLoss: Formula(-z[y], within(EXACT, *LOSS)),
    bp.CrossEntropyLoss: Formula(
        log(evidence) - over_inputs(wanted * z[j]), within(RESULT, *LOSS, tangent=TERMS)
    ),
}
