"""Draws the curves of docs/layers and docs/losses as SVG: `python docs/drawings/draw.py`.

Each drawing is a map and its derivative over the same axis, in two colours that stay apart for
colour-blind readers and two line styles that stay apart in print; light and dark are both served.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
WIDTH, HEIGHT, MARGIN = 360, 200, 14

STYLE = """<style>
text { font: 13px sans-serif; fill: #222 } .axis { stroke: #888 }
.map { stroke: #0060a8 } .derivative { stroke: #b45000; stroke-dasharray: 6 4 }
path { fill: none; stroke-width: 2 } .map-word { fill: #0060a8 } .derivative-word { fill: #b45000 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .map { stroke: #6cb8ff } .derivative { stroke: #ffab66 }
.map-word { fill: #6cb8ff } .derivative-word { fill: #ffab66 } }
</style>"""


class Curve(NamedTuple):
    """One line of a drawing. cuts: places where it jumps, so that no stroke joins the two sides."""

    word: str
    f: Callable[[float], float]
    cuts: tuple[float, ...] = ()


class Drawing(NamedTuple):
    """A map and its derivative on x from `left` to `right`, values from `low` to `high`."""

    left: float
    right: float
    low: float
    high: float
    axis: str
    map: Curve
    derivative: Curve


def sigm(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def silu_slope(x: float) -> float:
    return sigm(x) * (1.0 + x * sigm(-x))


DRAWINGS = {
    "sigmoid": Drawing(
        -6, 6, -0.1, 1.1, "z_in",
        Curve("sigm(z)", sigm), Curve("sigm'(z), at most 1/4", lambda x: sigm(x) * sigm(-x)),
    ),
    "tanh": Drawing(
        -4, 4, -1.1, 1.1, "z_in",
        Curve("tanh(z)", math.tanh), Curve("1 − tanh²(z)", lambda x: 1 - math.tanh(x) ** 2),
    ),
    "relu": Drawing(
        -2, 2, -0.2, 2.1, "z_in",
        Curve("max(0, z)", lambda x: max(0.0, x)),
        Curve("[z > 0]", lambda x: float(x > 0), cuts=(0.0,)),
    ),
    "silu": Drawing(
        -6, 4, -0.6, 4, "z_in",
        Curve("z · sigm(z)", lambda x: x * sigm(x)), Curve("its derivative", silu_slope),
    ),
    "bce": Drawing(
        0.13, 0.999, -8, 3, "π, where y = 1",
        Curve("−log π", lambda p: -math.log(p)), Curve("−1 / π", lambda p: -1 / p),
    ),
    "bce_with_logits": Drawing(
        -6, 6, -1.5, 6.2, "logit z, where y = 1",
        Curve("log(1 + e^−z)", lambda z: math.log1p(math.exp(-z))),
        Curve("δ = sigm(z) − 1", lambda z: -sigm(-z)),
    ),
    "nll": Drawing(
        -4, 0, -1.5, 4, "z_y = log π_y",
        Curve("−z_y", lambda z: -z), Curve("δ_y = −1", lambda z: -1.0),
    ),
    "cross_entropy": Drawing(
        -6, 6, -1.5, 6.8, "z_y, two other logits being 0",
        Curve("loss", lambda z: math.log(math.exp(z) + 2) - z),
        Curve("δ_y = π_y − 1", lambda z: -2 / (math.exp(z) + 2)),
    ),
}  # fmt: skip


def svg(drawing: Drawing) -> str:
    """Return one drawing as the text of an SVG file."""

    def place(x: float, y: float) -> str:
        across = (x - drawing.left) / (drawing.right - drawing.left)
        up = (y - drawing.low) / (drawing.high - drawing.low)
        return (
            f"{MARGIN + across * (WIDTH - 2 * MARGIN):.1f},"
            f"{HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN):.1f}"
        )

    def stroke(curve: Curve, kind: str) -> str:
        edges = [drawing.left, *curve.cuts, drawing.right]
        pieces = []
        for start, stop in pairwise(edges):
            # A hair inside the piece, so that a jump is drawn as the value on its own side.
            hair = 1e-9 * (stop - start)
            steps = [start + hair + (stop - start - 2 * hair) * i / 120 for i in range(121)]
            pieces.append("M" + " L".join(place(x, curve.f(x)) for x in steps))
        return f'<path class="{kind}" d="{" ".join(pieces)}"/>'

    lines = [axis_line(place(drawing.left, 0), place(drawing.right, 0))]
    if drawing.left <= 0 <= drawing.right:
        lines.append(axis_line(place(0, drawing.low), place(0, drawing.high)))
    map_curve, derivative = drawing.map, drawing.derivative
    words = f"{map_curve.word} as a line, {derivative.word} dashed, against {drawing.axis}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 40}" '
            f'width="{WIDTH}" role="img">',
            f"<title>{words}</title>",
            STYLE,
            *lines,
            stroke(derivative, "derivative"),
            stroke(map_curve, "map"),
            f'<text x="{MARGIN}" y="{HEIGHT + 12}" class="map-word">— {map_curve.word}</text>',
            f'<text x="{MARGIN}" y="{HEIGHT + 32}" class="derivative-word">'
            f"– – {derivative.word}</text>",
            f'<text x="{WIDTH - MARGIN}" y="{HEIGHT + 12}" text-anchor="end">'
            f"{drawing.axis} →</text>",
            "</svg>\n",
        ]
    )


def axis_line(start: str, stop: str) -> str:
    x1, y1, x2, y2 = (*start.split(","), *stop.split(","))
    return f'<line class="axis" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def main() -> None:
    """Write every drawing beside this file."""
    for name, drawing in DRAWINGS.items():
        (HERE / f"{name}.svg").write_text(svg(drawing), encoding="utf-8")


if __name__ == "__main__":
    main()
