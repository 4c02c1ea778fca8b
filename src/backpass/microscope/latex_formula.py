"""Formulas in LaTeX, from the trees of `notation.py`; `assets/mathml.js` is the page's twin."""

from __future__ import annotations

import math

from backpass.microscope.notation import Tree
from backpass.trace import Trace

MOST_TERMS = 5  # of a sum written out; beyond it the first three and the last
STRENGTH = {"add": 1, "sub": 1, "neg": 1, "sum": 1, "mul": 2}  # others bind as numbers do


def z_symbol(trace: Trace, level: int, index: int | str) -> str:
    """Write z_i^L; the cost has no index."""
    return f"z^{{{level}}}" if level == len(trace.z) else f"z_{{{unit(index)}}}^{{{level}}}"


def unit(index: int | str) -> str:
    """Write an index: a letter, or a unit counted from 1 as in the note."""
    return str(index + 1) if isinstance(index, int) else index


class Formula:
    """Renders a tree of `notation.py`: with symbols, or with the numbers of a row.

    L: the level that goes in. bound: which units index letters stand for.
    """

    def __init__(
        self, trace: Trace, L: int, row: int | None = None, bound: dict[str, int] | None = None
    ) -> None:
        self.trace, self.L, self.row, self.bound = trace, L, row, bound or {}

    def render(self, tree: Tree, strength: int = 0) -> str:
        """Write a tree, in brackets where it binds less than `strength`."""
        if not isinstance(tree, tuple):
            return bracketed(float(tree))
        operation, *operands = tree
        text = getattr(self, f"_{operation}")(*operands)
        if operation == "sum" and self.row is not None and self._width(operands[1]) == 1:
            return text  # one term, in its own brackets already
        return rf"\left({text}\right)" if STRENGTH.get(operation, 3) < strength else text

    def slope(self, j: str, i: str) -> str:
        """Write ∂z_j^{L+1}/∂z_i^L in symbols."""
        up, down = z_symbol(self.trace, self.L + 1, j), z_symbol(self.trace, self.L, i)
        return rf"\frac{{\partial {up}}}{{\partial {down}}}"

    def _at(self, letter: str) -> int:
        if letter == "y":
            return int(self.trace.y[self.row])
        return 0 if letter == "1" else self.bound[letter]

    def _value(self, level: int, letter: str) -> str:
        if self.row is None:
            return z_symbol(self.trace, level, letter)
        return bracketed(float(self.trace.z[level][self.row, self._at(letter)]))

    def _z_in(self, i: str) -> str:
        return self._value(self.L, i)

    def _z_out(self, k: str) -> str:
        return self._value(self.L + 1, k)

    def _z_level(self, level: int, k: str) -> str:
        return self._value(level, k)

    def _delta_out(self, j: str) -> str:
        if self.row is None:
            return rf"\delta_{{{j}}}^{{{self.L + 1}}}"
        return bracketed(float(self.trace.delta[self.L + 1][self.row, self._at(j)]))

    def _weight(self, j: str, i: str) -> str:
        if self.row is None:
            return f"w_{{{j}{i}}}"
        weight = self.trace.params[self.L - 1]["weight"]
        return bracketed(float(weight[self._at(j), self._at(i)]))

    def _bias(self, j: str) -> str:
        if self.row is None:
            return f"b_{j}"
        return bracketed(float(self.trace.params[self.L - 1]["bias"][self._at(j)]))

    def _target(self, k: str) -> str:
        return f"y_{k}" if self.row is None else number(float(self.trace.y[self.row, self._at(k)]))

    def _jacobian(self, j: str, i: str) -> str:
        if self.row is None:
            return self.slope(j, i)
        matrix = self.trace.jacobian(self.L, self.row)
        return bracketed(float(matrix[self._at(j), self._at(i)]))

    def _same(self, i: str, j: str) -> str:
        return f"[{i} = {j}]" if self.row is None else str(int(self._at(i) == self._at(j)))

    def _positive(self, a: Tree) -> str:
        return f"[{self.render(a)} > 0]"

    def _n_in(self) -> str:
        return "n" if self.row is None else str(self.trace.z[self.L].shape[1])

    def _add(self, *terms: Tree) -> str:
        return " + ".join(self.render(term, 1) for term in terms)

    def _sub(self, a: Tree, b: Tree) -> str:
        return f"{self.render(a, 1)} - {self.render(b, 2)}"

    def _neg(self, a: Tree) -> str:
        return f"-{self.render(a, 2)}"

    def _mul(self, *factors: Tree) -> str:
        return r" \cdot ".join(self.render(factor, 2) for factor in factors)

    def _div(self, a: Tree, b: Tree) -> str:
        return rf"\frac{{{self.render(a)}}}{{{self.render(b)}}}"

    def _exp(self, a: Tree) -> str:
        return f"e^{{{self.render(a)}}}"

    def _square(self, a: Tree) -> str:
        return f"{{{self.render(a, 3)}}}^2"

    def _call(self, name: str, *arguments: Tree) -> str:
        inner = ", ".join(self.render(argument) for argument in arguments)
        return rf"\operatorname{{{name}}}\left({inner}\right)"

    def _width(self, over: str) -> int:
        return self.trace.z[self.L if over == "in" else self.L + 1].shape[1]

    def _sum(self, letter: str, over: str, body: Tree) -> str:
        if self.row is None:
            return rf"\sum_{{{letter}}} {self.render(body, 2)}"
        n = self._width(over)
        units = range(n) if n <= MOST_TERMS else (0, 1, 2, n - 1)
        terms = [
            Formula(self.trace, self.L, self.row, {**self.bound, letter: j}).render(body, 2)
            for j in units
        ]
        if n > MOST_TERMS:
            terms.insert(3, r"\cdots")
        return " + ".join(terms)


def number(x: float) -> str:
    """Write four significant digits, as the page does."""
    if not math.isfinite(x):
        return r"\mathrm{nan}" if math.isnan(x) else (r"\infty" if x > 0 else r"-\infty")
    rounded = float(f"{x:.3e}")
    if rounded and not 1e-3 <= abs(rounded) < 1e6:
        digits, power = f"{x:.3e}".split("e")
        digits = f"{float(digits):g}" if rounded == x else digits
        return rf"{digits} \cdot 10^{{{int(power)}}}"
    if abs(rounded) >= 1e4:
        return f"{x:.0f}"
    return f"{x:.4g}" if rounded == x else f"{x:#.4g}".rstrip(".")


def bracketed(x: float) -> str:
    """Write a number, in brackets where it is negative."""
    return f"({number(x)})" if x < 0 else number(x)
