"""Writes what SymPy derives into docs/layers and docs/losses: `python -m tests.ledger.pages`.

A page keeps its own derivation, by hand and step by step; the block written here is the second
opinion under it. Each stands between two comments, and a test holds it to the ledger.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from sympy import Expr
from tests.ledger.derivation import rules
from tests.ledger.examples import EXAMPLES
from tests.ledger.formulas import FORMULAS
from tests.ledger.latex import S, in_latex

from backpass.losses import Loss

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN = "<!-- derived: written by `python -m tests.ledger.pages`, do not edit -->"
END = "<!-- end of derived -->"
BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)

LEFT_SIDES = {
    "forward": "z^{L+1}_k",
    "backward": r"\delta^L_i = \sum_k \delta^{L+1}_k \frac{\partial z^{L+1}_k}{\partial z^L_i}",
    "gradient weight": r"\frac{\partial C}{\partial w_{ji}}",
    "gradient bias": r"\frac{\partial C}{\partial b_j}",
    "tangent": r"\dot z^{L+1}_k",
    "backward_tangent": r"\dot\delta^L_i",
    "gradient_tangent weight": r"\frac{d}{dt} \frac{\partial C}{\partial w_{ji}}",
    "gradient_tangent bias": r"\frac{d}{dt} \frac{\partial C}{\partial b_j}",
    "value": r"\text{loss}",
    "delta": r"\delta_i = \frac{\partial \text{loss}}{\partial z_i}",
    "loss tangent": r"\dot\delta_i",
}


def page_of(kind: type) -> Path:
    """Return the page of a layer or loss."""
    folder, name = kind.__module__.split(".")[-2:]
    return DOCS / folder / f"{name}.md"


def block(kind: type) -> str:
    """Write the derived block of a page."""
    formula, is_loss = FORMULAS[kind], issubclass(kind, Loss)
    derived = {
        name: rule.formula
        for name, rule in rules(kind, formula).items()
        if name.partition(" ")[0] in formula.stated
    }
    lines = [
        rf"{left_side(name, is_loss)} &= {in_latex(rule, break_after=3)}"
        for name, rule in derived.items()
    ]
    equations = " \\\\[1ex]\n".join(lines)
    return "\n".join([
        *[BEGIN, "## Derived independently", "", wrapped(introduction(kind, derived)), ""],
        *["```math", r"\begin{aligned}", equations, r"\end{aligned}", "```", ""],
        *[wrapped(" ".join(notes(derived))), ""] * bool(notes(derived)),
        *wrapped_errors(kind),
        END,
    ])  # fmt: skip


def introduction(kind: type, derived: dict[str, Expr]) -> str:
    first, *rest = derived
    of = " for the chain Linear → Sigmoid" if kind.__name__ == "Residual" else ""
    return (
        f"The first line is what `{first}` computes{of}. SymPy derives the others from it "
        f"([how](../derivations.md)), and the code of {listed(rest)} is held to them."
    )


def notes(derived: dict[str, Expr]) -> list[str]:
    """Say what the formulas alone do not."""
    text = " ".join(in_latex(rule) for rule in derived.values())
    said = []
    if str(S) in text:
        said.append("$S = \\sum_j e^{z^L_j}$.")
    if "gradient weight" in derived or "gradient 0.0.weight" in derived:
        said.append("Gradients are those of one row; the cost adds rows.")
    if "tangent" in derived:
        dots = "A dot, like d/dt," if "gradient_tangent weight" in derived else "A dot"
        said.append(f"{dots} is the derivative along a direction in which all numbers move.")
    if "f'(" in text:
        said.append("Here f is SiLU, then tanh; your own derivative is for `check_layer` to judge.")
    if "> 0]" in text:
        said.append(
            "SymPy calls [z > 0] Heaviside's function and leaves its value at 0 open. Here it is "
            "0, as in the note."
        )
    return said


def left_side(name: str, is_loss: bool) -> str:
    return LEFT_SIDES["loss tangent" if is_loss and name == "tangent" else name.replace("0.0.", "")]


def wrapped_errors(kind: type) -> list[str]:
    """List the methods by how far they may be off."""
    formula, methods = FORMULAS[kind], dict[str, list[str]]()
    for name, stated in formula.stated.items():
        said = "exact" if stated.ulps == 0 else f"within {stated}"
        if any(name in example.cancels for example in EXAMPLES[kind]):
            said += f" ({stated.ulps:g} of its terms where labels are soft, since these cancel)"
        methods.setdefault(said, []).append(name)
    return [wrapped(f"* {listed(names)}: {said}.", "  ") for said, names in methods.items()]


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 108, subsequent_indent=indent, break_on_hyphens=False)


def listed(names: list[str]) -> str:
    """Join method names, each once: `backward`, `tangent`."""
    methods = dict.fromkeys(name.partition(" ")[0] for name in names)
    return ", ".join(f"`{name}`" for name in methods)


def main() -> None:
    for kind in FORMULAS:
        page = page_of(kind)
        text = page.read_text(encoding="utf-8")
        new = block(kind)
        if BLOCK.search(text):
            text = BLOCK.sub(lambda _, new=new: new, text)
        else:
            text = f"{text.rstrip()}\n\n{new}\n"
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
