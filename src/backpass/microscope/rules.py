"""The rule of every layer and loss as a formula: its map, and its derivative.

A visible table. What is not in it (a user's own layer) has the recursion alone, with the
derivatives that its `backward` gives. The formulas are shown, never evaluated: numbers come
from the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backpass.layers import (
    Dropout,
    Elementwise,
    Layer,
    Linear,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, NLLLoss
from backpass.microscope.notation import (
    Tree,
    add,
    bias,
    call,
    delta_out,
    div,
    exp,
    jacobian,
    mul,
    neg,
    positive,
    same,
    square,
    sub,
    target,
    total,
    weight,
    z_in,
    z_out,
)


@dataclass(frozen=True)
class Rule:
    """How one layer or loss is shown.

    short: what stands in its box, as in the note's Figure 1. forward: z_k^{L+1}, None where only
    the code knows it. derivative: ∂z_j^{L+1}/∂z_i^L; where elementwise, of a unit by its own
    input, all others being 0. A loss has one output and no index j.
    """

    short: str
    says: str
    forward: Tree | None
    derivative: Tree
    elementwise: bool = False
    loss: bool = False

    @property
    def delta(self) -> Tree:
        """δ_i^L: the recursion with this layer's derivative in it."""
        if self.elementwise or self.loss:
            return mul(delta_out("i" if self.elementwise else "1"), self.derivative)
        return total("j", "out", mul(delta_out("j"), self.derivative))


def _linear(layer: Any) -> Rule:
    products = total("i", "in", mul(weight("k", "i"), z_in("i")))
    forward = add(products, bias("k")) if layer.bias else products
    return Rule("LL", "linear layer", forward, weight("j", "i"))


def _elementwise(short: str, says: str, forward: Tree, derivative: Tree) -> Callable[[Any], Rule]:
    return lambda layer: Rule(short, says, forward, derivative, elementwise=True)


def _cross_entropy(loss: Any) -> Rule:
    evidence = total("j", "in", exp(z_in("j")))
    share = div(exp(z_in("i")), evidence)
    smooth = loss.label_smoothing
    if not smooth:
        forward = sub(call("log", evidence), z_in("y"))
        return Rule("CE", "cross-entropy of logits", forward, sub(share, same("i", "y")), loss=True)

    def wanted(k: str) -> Tree:
        return add(mul(1.0 - smooth, same(k, "y")), div(smooth, ("n_in",)))

    forward = sub(call("log", evidence), total("k", "in", mul(wanted("k"), z_in("k"))))
    return Rule("CE", "cross-entropy of logits", forward, sub(share, wanted("i")), loss=True)


def _bce(loss: Any) -> Rule:
    z, y = z_in("k"), target("k")
    each = add(mul(y, call("log", z)), mul(sub(1, y), call("log", sub(1, z))))
    z, y = z_in("i"), target("i")
    derivative = sub(div(sub(1, y), sub(1, z)), div(y, z))
    return Rule("BCE", "binary cross-entropy", neg(total("k", "in", each)), derivative, loss=True)


def _bce_with_logits(loss: Any) -> Rule:
    each = sub(call("log", add(1, exp(z_in("k")))), mul(target("k"), z_in("k")))
    derivative = sub(div(1, add(1, exp(neg(z_in("i"))))), target("i"))
    says = "binary cross-entropy of logits"
    return Rule("BCE", says, total("k", "in", each), derivative, loss=True)


RULES: dict[type[Layer] | type[Loss], Callable[[Any], Rule]] = {
    Linear: _linear,
    Sigmoid: _elementwise(
        "sigm",
        "sigmoid",
        div(1, add(1, exp(neg(z_in("k"))))),
        mul(z_out("i"), sub(1, z_out("i"))),
    ),
    Tanh: _elementwise(
        "tanh", "hyperbolic tangent", call("tanh", z_in("k")), sub(1, square(z_out("i")))
    ),
    ReLU: _elementwise(
        "ReLU", "rectified linear unit", call("max", 0, z_in("k")), positive(z_in("i"))
    ),
    Dropout: _elementwise("drop", "dropout, the identity outside training", z_in("k"), 1),
    Elementwise: _elementwise(
        "f", "a function of each value", call("f", z_in("k")), jacobian("i", "i")
    ),
    Softmax: lambda layer: Rule(
        "SM",
        "softmax layer",
        div(exp(z_in("k")), total("j", "in", exp(z_in("j")))),
        mul(z_out("j"), sub(same("i", "j"), z_out("i"))),
    ),
    LogSoftmax: lambda layer: Rule(
        "LSM",
        "log-softmax layer",
        sub(z_in("k"), call("log", total("j", "in", exp(z_in("j"))))),
        sub(same("i", "j"), exp(z_out("i"))),
    ),
    NLLLoss: lambda loss: Rule(
        "NLL", "negative log-likelihood", neg(z_in("y")), neg(same("i", "y")), loss=True
    ),
    CrossEntropyLoss: _cross_entropy,
    BCELoss: _bce,
    BCEWithLogitsLoss: _bce_with_logits,
}


def rule_of(part: Layer | Loss | None, skip: int = 0) -> Rule:
    """Return the rule of a layer or loss; None is the sum at the end of a Residual.

    skip: the level, counted from 1, whose z goes around and is added there.
    """
    if part is None:
        around = ("z_level", skip, "k")
        return Rule("+", "sum: the way around", add(z_in("k"), around), 1, elementwise=True)
    known = RULES.get(type(part))
    if known is not None:
        return known(part)
    name = type(part).__name__
    is_loss = isinstance(part, Loss)
    derivative = jacobian("1", "i") if is_loss else jacobian("j", "i")
    return Rule(name, _first_line(part), None, derivative, loss=is_loss)


def _first_line(part: object) -> str:
    """Return what a user's own class says about itself."""
    said = (type(part).__doc__ or "").strip().partition("\n")[0]
    # a dataclass without a docstring is given its own signature as one
    return said if said and not said.startswith(type(part).__name__ + "(") else "own layer"
