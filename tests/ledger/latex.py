"""Writes derived rules in the note's notation: δ^{L+1}_k, z^L_i, [i = j], sums without limits."""

from __future__ import annotations

from sympy import Expr, Indexed, Symbol
from sympy.printing.latex import LatexPrinter
from tests.ledger.formulas import evidence

ABOVE = {"delta": r"\delta^{L+1}", "dot_delta": r"\dot\delta^{L+1}"}
LETTERS = {
    **ABOVE,
    "z": "z^L", "dot_z": r"\dot z^L",
    "w": "w", "dot_w": r"\dot w",
    "b": "b", "dot_b": r"\dot b",
    "mask": "m", "target": "y",
}  # fmt: skip
S = Symbol("S")  # what divides a softmax, ∑_j e^{z_j}; written out it hides everything else


class _Notation(LatexPrinter):
    def __init__(self, break_after: int) -> None:
        super().__init__({})
        self.break_after = break_after

    def _print_Symbol(self, expr: Expr, style: str = "plain") -> str:
        return {"n_in": "n", "epsilon": r"\varepsilon"}.get(expr.name, expr.name)

    def _print_Indexed(self, expr: Expr) -> str:
        letter = LETTERS[str(expr.base.label)]
        return f"{letter}_{{{''.join(map(self._print, expr.indices))}}}"

    def _print_Sum(self, expr: Expr) -> str:
        body = self._print(expr.function)
        if expr.function.is_Add:
            body = rf"\Bigl( {body} \Bigr)"
        return rf"\sum_{{{self._print(expr.limits[0][0])}}} {body}"

    def _print_Add(self, expr: Expr, order: object = None) -> str:
        """Print what is added before what is subtracted; SymPy sorts by the alphabet."""
        terms = sorted(expr.args, key=lambda t: (t.could_extract_minus_sign(), str(t)))
        outermost, self.break_after = self.break_after, 0
        text = self._print(terms[0])
        for number, term in enumerate(terms[1:], start=1):
            if outermost and number % outermost == 0:
                text += " \\\\\n&\\qquad"
            minus = term.could_extract_minus_sign()
            text += (" - " if minus else " + ") + self._print(-term if minus else term)
        return text

    def _print_Pow(self, expr: Expr) -> str:
        if expr.exp.is_Integer and expr.exp > 1 and isinstance(expr.base, Indexed):
            # z^L has a superscript of its own.
            return rf"\bigl( {self._print(expr.base)} \bigr)^{{{expr.exp}}}"
        return super()._print_Pow(expr)

    def _print_KroneckerDelta(self, expr: Expr, exp: str | None = None) -> str:
        return f"[{' = '.join(map(self._print, expr.args))}]"

    def _print_Heaviside(self, expr: Expr, exp: str | None = None) -> str:
        return f"[{self._print(expr.args[0])} > 0]"

    def _print_exp(self, expr: Expr, exp: str | None = None) -> str:
        power = f"e^{{{self._print(expr.args[0])}}}"
        return power if exp is None else rf"\bigl( {power} \bigr)^{{{exp}}}"

    def _print_f(self, expr: Expr, exp: str | None = None) -> str:
        return f"f({self._print(expr.args[0])})"

    def _print_df(self, expr: Expr, exp: str | None = None) -> str:
        return f"f'({self._print(expr.args[0])})"

    def _print_d2f(self, expr: Expr, exp: str | None = None) -> str:
        return f"f''({self._print(expr.args[0])})"


def in_latex(rule: Expr, break_after: int = 0) -> str:
    """Return a rule as LaTeX, S standing for the softmax's sum where that divides.

    break_after: how many terms stand on one line of an `aligned`; 0 for all.
    """
    dividing = {evidence**-power: S**-power for power in (1, 2, 3)}
    return _Notation(break_after).doprint(rule.subs(dividing))
