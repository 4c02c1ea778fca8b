"""Coefficients drawn on both scales, with intervals where the fit has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backpass.report.drawing import SERIES, SOFT, Chart, short, svg, wide
from backpass.report.story import Story

MOST_COEFFICIENTS = 20


def coefficients(story: Story) -> Chart:
    """Draw the coefficients of most influence, by one standard deviation and on their own scale."""
    listed = sorted(story.coefficients, key=_size, reverse=True)
    shown = listed[:MOST_COEFFICIENTS][::-1]
    several = len(story.classes) > 2
    names = [short(f"{c['name']} → {c['of']}" if several else c["name"], 34) for c in shown]
    figure, panels = wide(0.9 + 0.26 * len(shown), columns=2)
    heads = ("per_deviation", "per standard deviation"), ("value", "per unit")
    for axes, (key, head) in zip(panels, heads, strict=True):
        for place, c in enumerate(shown):
            _draw(axes, place, c, key)
        axes.axvline(0.0, color=SOFT, linewidth=0.8)
        axes.set(xlabel=head, ylim=(-0.7, len(shown) - 0.3))
        axes.set_yticks(range(len(shown)), names if axes is panels[0] else [""] * len(shown))
    _spread(panels[1], [abs(c["value"]) for c in shown])
    said = [f"the {len(shown)} of most influence, of {len(listed):,}", story.intervals]
    if not several:
        said.append(f"positive ones (round) speak for {story.classes[1]}")
    table = _table(listed, several)
    return Chart("Coefficients", "; ".join(said), svg(figure, "Coefficients"), *table)


def _size(c: dict[str, Any]) -> float:
    return abs(c["value"] if c["per_deviation"] is None else c["per_deviation"])


def _draw(axes: Any, place: int, c: dict[str, Any], key: str) -> None:
    """Draw one coefficient, and its interval, scaled as the coefficient is."""
    value = c[key]
    if value is None:
        return
    if c["interval"] is not None:
        factor = 1.0 if key == "value" or not c["value"] else value / c["value"]
        axes.plot(
            [factor * end for end in c["interval"]], [place, place], color=SOFT, linewidth=1.2
        )
    marker, colour = ("o", SERIES[1]) if value >= 0.0 else ("s", SERIES[0])
    axes.plot([value], [place], marker=marker, markersize=5.5, clip_on=False, color=colour)


def _table(listed: list[dict[str, Any]], several: bool) -> tuple[list[str], list[list[Any]]]:
    """Return heads and rows; classes and intervals where there are any."""
    interval = any(c["interval"] is not None for c in listed)
    heads = ["column", *(["class"] if several else []), "per unit"]
    heads += [*(["from", "to"] if interval else []), "per std. dev."]
    rows = []
    for c in listed:
        row = [c["name"], *([c["of"]] if several else []), c["value"]]
        row += list(c["interval"] or (None, None)) if interval else []
        rows.append([*row, c["per_deviation"]])
    return heads, rows


def _spread(axes: Any, sizes: list[float]) -> None:
    """Lay coefficients of different units out: linear about 0, by powers of ten beyond.

    There are ticks at 0 and at the ends only, since such a scale by itself crowds them.
    """
    from matplotlib.ticker import FixedLocator, NullLocator

    there = [size for size in sizes if size > 0.0]
    linear = float(np.quantile(there, 0.25)) if there else 1.0
    axes.set_xscale("symlog", linthresh=linear)
    axes.margins(x=0.08)
    axes.xaxis.set_minor_locator(NullLocator())
    ends = [end for end in axes.get_xlim() if abs(end) >= linear]  # others are too near to 0
    powers = [float(np.sign(end) * 10.0 ** np.floor(np.log10(abs(end)))) for end in ends]
    axes.xaxis.set_major_locator(FixedLocator(sorted({0.0, *powers})))
