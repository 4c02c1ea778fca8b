"""The coefficients of a penalised fit, on both scales, and why they come without errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.inference.table import latex_text

if TYPE_CHECKING:
    import pandas as pd

WHY = (
    "No standard errors, tests or intervals: a penalty pulls every coefficient towards zero, by an "
    "amount that depends on the unknown true ones, so an interval around the estimate would not "
    "cover the truth as often as it says. For errors fit with C=np.inf; for how well the model "
    "predicts, use held-out rows."
)


@dataclass(frozen=True)
class Penalised:
    """Coefficients of a fit at finite C.

    values: (contrasts or classes, names), intercept first where there is one. deviations: of the
    columns, nan for the intercept, (names,). stride: they were measured on every stride-th row.
    """

    title: str
    names: tuple[str, ...]
    classes: tuple[Any, ...]
    values: NDArray[np.float64] = field(repr=False)
    deviations: NDArray[np.float64] = field(repr=False)
    facts: tuple[tuple[str, str], ...] = ()
    stride: int = 1

    def to_frame(self) -> pd.DataFrame:
        """Return the table: `coef`, per unit, and `per std. dev.`, which compare."""
        import pandas as pd

        index: pd.Index = pd.Index(self.names)
        if len(self.values) > 1:
            index = pd.MultiIndex.from_product([self.classes, self.names])
        columns = {"coef": self.values.ravel(), "per std. dev.": self._scaled().ravel()}
        return pd.DataFrame(columns, index=index)

    def _scaled(self) -> NDArray[np.float64]:
        return self.values * self.deviations

    @property
    def notes(self) -> list[str]:
        """Say what a reader must know."""
        if self.stride == 1:
            return [WHY]
        return [WHY, f"Standard deviations are those of every {self.stride}th row."]

    def _sections(self) -> list[tuple[str, list[tuple[str, str, str]]]]:
        made = []
        for place, values in enumerate(self.values):
            scaled = self._scaled()[place]
            body = [
                (name, number(value), number(each))
                for name, value, each in zip(self.names, values, scaled, strict=True)
            ]
            made.append((str(self.classes[place]) if len(self.values) > 1 else "", body))
        return made

    def __str__(self) -> str:
        sections = self._sections()
        width = max(12, *(len(name) for name in (*self.names, *(s for s, _ in sections))))
        total = width + 30
        key = max((len(name) for name, _ in self.facts), default=0) + 2
        lines = [self.title, "=" * total]
        lines += [f"{name:<{key}}{value}" for name, value in self.facts]
        lines.append("=" * total)
        for section, body in sections:
            lines += [f"{section:<{width}}{'coef':>15}{'per std. dev.':>15}", "-" * total]
            lines += [f"{name:<{width}}{value:>15}{each:>15}" for name, value, each in body]
            lines.append("-" * total)
        lines[-1] = "=" * total
        lines += [line for note in self.notes for line in wrap(note, max(total, 60))]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(section)}</th><th>coef</th>"
            "<th>per std. dev.</th></tr>"
            + "".join(
                f"<tr><th style='text-align:left'>{escape(name)}</th><td>{value}</td>"
                f"<td>{each}</td></tr>"
                for name, value, each in lines
            )
            for section, lines in self._sections()
        )
        told = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts
        )
        said = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<div><p><b>{escape(self.title)}</b></p><table>{told}</table>"
            f"<table>{body}</table>{said}</div>"
        )

    def to_latex(self) -> str:
        """Return the table as LaTeX, for the package booktabs."""
        lines = [r"\begin{tabular}{lrr}", r"\toprule"]
        for section, body in self._sections():
            lines += [rf"{latex_text(section)} & coef & per std.\ dev. \\", r"\midrule"]
            lines += [
                rf"{latex_text(name)} & ${value}$ & {f'${each}$' if each else ''} \\"
                for name, value, each in body
            ]
            lines.append(r"\midrule")
        lines[-1] = r"\bottomrule"
        return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def number(value: float) -> str:
    """Write a coefficient to five digits; nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.5g}"
