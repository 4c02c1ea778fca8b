"""Formulas as small trees, written once: the page draws them in MathML, a document in LaTeX.

Each tree is rendered twice, with symbols and with the numbers of one row, so a rule and its
example cannot differ. A tree is a number, or a tuple of an operation and its operands. Indices
are letters: k for a unit that a layer gives, i for one it takes, j for what a sum runs over, and y
for the class of the row. `assets/mathml.js` is the other renderer.
"""

from __future__ import annotations

from typing import Any

Tree = Any  # float | tuple[str, ...]: nested tuples have no better type


def z_in(i: str) -> Tree:
    """z_i^L, a value that the layer takes."""
    return ("z_in", i)


def z_out(k: str) -> Tree:
    """z_k^{L+1}, a value that the layer gives."""
    return ("z_out", k)


def delta_out(j: str) -> Tree:
    """δ_j^{L+1}, what comes back to the layer."""
    return ("delta_out", j)


def weight(j: str, i: str) -> Tree:
    """w_ji of a Linear."""
    return ("weight", j, i)


def bias(j: str) -> Tree:
    """b_j of a Linear."""
    return ("bias", j)


def target(k: str) -> Tree:
    """y_k, the label that a binary loss compares with."""
    return ("target", k)


def jacobian(j: str, i: str) -> Tree:
    """∂z_j^{L+1}/∂z_i^L."""
    return ("jacobian", j, i)


def same(i: str, j: str) -> Tree:
    """[i = j]: 1 where the indices are equal, else 0."""
    return ("same", i, j)


def add(*terms: Tree) -> Tree:
    return ("add", *terms)


def sub(a: Tree, b: Tree) -> Tree:
    return ("sub", a, b)


def neg(a: Tree) -> Tree:
    return ("neg", a)


def mul(*factors: Tree) -> Tree:
    return ("mul", *factors)


def div(a: Tree, b: Tree) -> Tree:
    return ("div", a, b)


def exp(a: Tree) -> Tree:
    """e^a."""
    return ("exp", a)


def square(a: Tree) -> Tree:
    return ("square", a)


def call(name: str, *arguments: Tree) -> Tree:
    """A function by its name: log, tanh, max, f."""
    return ("call", name, *arguments)


def positive(a: Tree) -> Tree:
    """[a > 0]: 1 where a is positive, else 0."""
    return ("positive", a)


def total(j: str, over: str, body: Tree) -> Tree:
    """∑_j body, j running over the units that the layer takes ("in") or gives ("out")."""
    return ("sum", j, over, body)
