"""The derivation of one row as a LaTeX document: rules in symbols, then with this row's numbers."""

from __future__ import annotations

from itertools import pairwise

from numpy.typing import NDArray

from backpass.microscope.document import short_names
from backpass.microscope.jacobians import form_of
from backpass.microscope.latex_formula import MOST_TERMS, Formula, bracketed, number, unit, z_symbol
from backpass.microscope.names import Names, level_names, row_labels
from backpass.microscope.rules import Rule, rule_of
from backpass.pairs import joint_rule
from backpass.paths import Path
from backpass.trace import Trace

MOST_UNITS = 12  # of a level's table
MOST_EXAMPLES = 3  # units of a layer whose numbers are put in
MOST_PATHS = 16

PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\allowdisplaybreaks
\begin{document}
"""


def latex(
    trace: Trace, row: int = 0, feature_names: Names = None, class_names: Names = None
) -> str:
    """Write the document; IndexError where the trace has no such row."""
    if not 0 <= row < len(trace.z[1]):
        raise IndexError(f"row {row}: this trace has rows 0 to {len(trace.z[1]) - 1}.")
    features = feature_names if feature_names is not None else trace.feature_names
    classes = class_names if class_names is not None else trace.class_names
    names = [*level_names(trace, features, classes), None]
    label = escaped(row_labels(trace, classes)[row])
    chain = r" $\to$ ".join(escaped(name) for name in short_names(trace))
    body = [
        rf"\section*{{Backpropagation, row {row}}}",
        rf"{chain}.\par Label of the row: {label}. Its cost: "
        rf"${number(float(trace.z[-1][row, 0]))}$.",
        r"\subsection*{Values and their $\delta$}",
        *(level_table(trace, L, row, names[L - 1]) for L in range(1, len(trace.z) + 1)),
        r"\subsection*{Forward}",
        *(forward(trace, L, row) for L in range(1, len(trace.z))),
        r"\subsection*{Backward}",
        r"\[ \delta_i^L = \frac{\partial C}{\partial z_i^L} = \sum_j \delta_j^{L+1} "
        r"\frac{\partial z_j^{L+1}}{\partial z_i^L}, \qquad "
        rf"\delta^{{{len(trace.z)}}} = 1 \]",
        *(backward(trace, L, row) for L in reversed(range(1, len(trace.z)))),
        *joint(trace),
        *(rf"\par\textit{{{escaped(note)}}}" for note in notes_of(trace, row)),
        r"\subsection*{Gradients of this row}",
        *(gradients(trace, L, row) for L in range(1, len(trace.z) - 1)),
        *all_paths(trace, row),
    ]
    return PREAMBLE + "\n".join(part for part in body if part) + "\n\\end{document}\n"


def notes_of(trace: Trace, row: int) -> list[str]:
    """List the trace's notes on this row."""
    return [note for note in trace.notes if note.startswith(f"row {row}:")]


def level_table(trace: Trace, L: int, row: int, names: list[str] | None) -> str:
    """Write z and δ of a level; of a wide one those units with the largest δ."""
    z, delta = trace.z[L][row], trace.delta[L][row]
    units = strongest(delta, MOST_UNITS)
    lines = [
        rf"${z_symbol(trace, L, i)}$ & {escaped(names[i]) if names else ''} & "
        rf"${number(float(z[i]))}$ & ${number(float(delta[i]))}$ \\"
        for i in units
    ]
    left = len(z) - len(units)
    if left:
        lines.append(rf"\multicolumn{{4}}{{l}}{{\dots\ and {left} with smaller $\delta$}} \\")
    head = rf"level {L} & & $z$ & $\delta$ \\ \hline"
    return "\n".join([r"\begin{tabular}{llrr}", head, *lines, r"\end{tabular}\par\medskip"])


def forward(trace: Trace, L: int, row: int) -> str:
    """Write the map of step L, and what it gives in this row."""
    rule = step_rule(trace, L)
    title = rf"\textbf{{{rule.short}}}, {escaped(rule.says)}, $z^{{{L}}} \to z^{{{L + 1}}}$:"
    units = strongest(trace.z[L + 1][row], MOST_EXAMPLES)
    if rule.forward is None:
        values = ", ".join(
            rf"${z_symbol(trace, L + 1, k)} = {number(float(trace.z[L + 1][row, k]))}$"
            for k in units
        )
        return rf"{title} {values}\par"
    lines = [rf"{z_symbol(trace, L + 1, 'k')} &= {Formula(trace, L).render(rule.forward)}"]
    for k in units:
        put_in = Formula(trace, L, row, {"k": k, "i": k}).render(rule.forward)
        value = number(float(trace.z[L + 1][row, k]))
        lines.append(rf"{z_symbol(trace, L + 1, k)} &= {put_in} = {value}")
    return f"{title}\n{aligned(lines)}"


def backward(trace: Trace, L: int, row: int) -> str:
    """Write the derivative that step L knows, and the δ that it sends back."""
    rule = step_rule(trace, L)
    step = trace.steps[L - 1] if len(trace.steps) >= L else None
    j = "i" if rule.elementwise else "j"
    own = Formula(trace, L).slope(j, "i")
    derivative = Formula(trace, L).render(rule.derivative)
    title = (
        rf"\textbf{{{rule.short}}} knows ${own}"
        + ("" if derivative == own else f" = {derivative}")
        + ("$ (0 between different units):" if rule.elementwise else "$:")
    )
    if form_of(trace, L)[0] == "unknown":
        return rf"{title}\par"
    lines = []
    for i in strongest(trace.delta[L][row], MOST_EXAMPLES):
        put_in = Formula(trace, L, row, {"i": i, "k": i}).render(rule.delta)
        for join in step.also_feeds if step else ():
            put_in += f" + {bracketed(float(trace.delta[join + 2][row, i]))}"
        value = number(float(trace.delta[L][row, i]))
        lines.append(rf"\delta_{{{unit(i)}}}^{{{L}}} &= {put_in} = {value}")
    return f"{title}\n{aligned(lines)}"


def joint(trace: Trace) -> list[str]:
    """Say by which joint rule the last layer and the loss are evaluated, if by one."""
    last, L = trace.steps[-1].layer, len(trace.z) - 2
    rule = joint_rule(last, trace.loss) if last is not None else None
    if rule is None:
        return []
    formula = Formula(trace, L).render(rule_of(rule).derivative)
    return [
        "The last layer and the loss are evaluated together, exact at any logit: "
        rf"\[ \delta_i^{{{L}}} = {formula} \]"
    ]


def gradients(trace: Trace, L: int, row: int) -> str:
    """Write ∂C/∂W = δ zᵀ of a linear layer that is small enough."""
    if form_of(trace, L)[0] != "weight":
        return ""
    z, delta = trace.z[L][row], trace.delta[L + 1][row]
    title = (
        rf"$\partial C / \partial w_{{ji}} = \delta_j^{{{L + 1}}} z_i^{{{L}}}$, "
        rf"$\partial C / \partial b_j = \delta_j^{{{L + 1}}}$ of \textbf{{LL}} on level {L}"
    )
    if len(z) > MOST_TERMS + 1 or len(delta) > MOST_UNITS:
        return rf"{title}: {len(delta)} $\times$ {len(z)} weights.\par"
    lines = [" & ".join(number(float(d) * float(x)) for x in z) for d in delta]
    matrix = r"\begin{pmatrix} " + r" \\ ".join(lines) + r" \end{pmatrix}"
    return rf"{title}: \[ \frac{{\partial C}}{{\partial W}} = {matrix} \]"


def all_paths(trace: Trace, row: int) -> list[str]:
    """Write the chain rule of the first weight over every path, as on page 3 of the note."""
    name = next((name for name in trace.gradient if name.endswith("weight")), None)
    if name is None:
        return []
    counts = trace.count_paths(name)
    body = [
        r"\subsection*{All paths}",
        rf"From one entry of \texttt{{{escaped(name)}}} to the cost lead {counts.n_paths} paths: "
        rf"{counts.multiplications} multiplications. The recursion needs "
        rf"{counts.recursion_multiplications}.",
    ]
    if counts.n_paths <= MOST_PATHS:
        index = (0,) * trace.gradient[name].ndim
        paths = trace.paths(name, index, row)
        lines = [path_line(trace, path) for path in paths.paths]
        lines.append(rf"\frac{{\partial C}}{{\partial \theta}} &= {number(paths.total)}")
        body.append(rf"For entry {list(index)}, called $\theta$:" + aligned(lines))
    return body


def path_line(trace: Trace, path: Path) -> str:
    """Write one path, the cost's factor first."""
    units = path.units
    symbols = [
        rf"\frac{{\partial {z_symbol(trace, *b)}}}{{\partial {z_symbol(trace, *a)}}}"
        for a, b in pairwise(units)
    ]
    symbols.insert(0, rf"\frac{{\partial {z_symbol(trace, *units[0])}}}{{\partial \theta}}")
    numbers = r" \cdot ".join(bracketed(factor) for factor in reversed(path.factors))
    return rf"{' '.join(reversed(symbols))} &= {numbers} = {number(path.product)}"


def step_rule(trace: Trace, L: int) -> Rule:
    """Return the rule of what maps level L to level L + 1."""
    if len(trace.steps) < L:
        return rule_of(trace.loss)
    step = trace.steps[L - 1]
    return rule_of(step.layer, step.skip + 1)


def aligned(lines: list[str]) -> str:
    """Write lines of an equation, aligned at their &."""
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def strongest(values: NDArray, n: int) -> list[int]:
    """Return the places of the n largest values by size, in rising order."""
    order = sorted(range(len(values)), key=lambda i: -abs(float(values[i])))
    return sorted(order[:n])


SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "→": r"$\to$", "δ": r"$\delta$", "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip


def escaped(text: str) -> str:
    """Write text so that it is text; signs that plain LaTeX cannot set are named by their code."""
    return "".join(
        SIGNS.get(
            sign, sign if sign.isprintable() and ord(sign) < 0x100 else rf"[U+{ord(sign):04X}]"
        )
        for sign in text
    )
