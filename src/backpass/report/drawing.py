"""Figures by Matplotlib as SVG text in the page's own colours, and what a chart is.

Matplotlib draws with stand-in colours, which become CSS variables, so that one drawing serves
light, dark and print. Lines differ in dash too; the colours are Okabe and Ito's.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Stand-in -> CSS variable; the page gives each variable a value for light and one for dark.
_VARIABLES = {
    "#010203": "ink",
    "#040506": "soft",
    "#070809": "grid",
    "#0072b2": "c1",
    "#d55e00": "c2",
    "#009e73": "c3",
    "#cc79a7": "c4",
    "#e69f00": "c5",
    "#56b4e9": "c6",
}
INK, SOFT, GRID, *SERIES = _VARIABLES
DASHES = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))]


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in words, and its numbers: heads and rows."""

    title: str
    says: str
    svg: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


def short(name: str, most: int = 24) -> str:
    # Matplotlib reads $...$ as mathematics.
    name = name.replace("$", r"\$")
    return name if len(name) <= most else name[: most - 1] + "…"


def square() -> tuple[Any, Any]:
    return wide(4.2, width=4.6)


def wide(height: float, width: float = 7.6, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns)
    for one in np.atleast_1d(axes):
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            one.spines[side].set_color(SOFT)
        one.grid(color=GRID, linewidth=0.7)
        one.set_axisbelow(True)
        one.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
        one.xaxis.label.set_color(INK)
        one.yaxis.label.set_color(INK)
    return figure, axes


def legend(axes: Any, outside: bool = False) -> None:
    """Name the lines, beside the axes where there are too many to find room between them."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if outside else {}
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, **place)


def svg(figure: Any, name: str) -> str:
    """Return a figure as SVG for inside a page, in CSS colours, without a size of its own."""
    import matplotlib as mpl

    stream = io.StringIO()
    # A salt of its own keeps the identifiers of drawings on one page apart, and alike each time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"<svg [^>]*?viewBox", '<svg aria-hidden="true" viewBox', text, count=1)
    text = re.sub(r'(viewBox="[^"]*")[^>]*>', r"\1>", text, count=1)
    # Identifiers of groups are the same in every drawing; the ones that are referred to are hashed.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font-size: \1px", text)
