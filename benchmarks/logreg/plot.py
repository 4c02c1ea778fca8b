"""Gap against time of every solver on one problem, as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from logreg.records import TARGETS, Record

FLOOR = 1e-14  # below this a gap is rounding
# Okabe and Ito's colours, told apart with any colour vision; scikit-learn's solvers share one and
# differ by marker and dashes.
STYLES = {
    "backpass": ("#000000", "o", "-"),
    "torch LBFGS": ("#D55E00", "s", "-"),
    "sklearnex": ("#0072B2", "^", "-"),
    "scikit-learn lbfgs": ("#009E73", "v", "-"),
    "scikit-learn newton-cg": ("#009E73", "D", "--"),
    "scikit-learn newton-cholesky": ("#009E73", "P", ":"),
    "scikit-learn liblinear": ("#009E73", "X", "-."),
    "glum": ("#CC79A7", "<", "-"),
    "cyanure": ("#E69F00", ">", "-"),
    "statsmodels": ("#56B4E9", "h", "-"),
}


def draw(record: Record, path: Path) -> None:
    """Draw one problem's curves, labelled where they end, to an SVG file."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    # paths instead of text need the reader to have no font; fixed ids keep the file's diff small
    plt.rcParams.update({"svg.hashsalt": "backpass", "svg.fonttype": "path", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    ends = [curve for name in STYLES if (curve := line(axes, record, name)) is not None]
    axes.set(xscale="log", yscale="log", ylim=(FLOOR / 2, 2.0))
    for target in TARGETS:
        axes.axhline(target, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("seconds of a fit from data in memory (best of rounds)")
    axes.set_ylabel("(objective − minimum) / null objective")
    axes.set_title(record.data["problem"], loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    label(axes, ends)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def line(axes: Any, record: Record, name: str) -> tuple[str, float, float] | None:
    """Draw every rung as a point and a line through the best; return the name and its last point.

    The best are those that no faster rung equals. What lies off the line is a setting that costs
    time and brings nothing.
    """
    points = sorted((t, max(gap, FLOOR)) for t, gap, _ in record.curve(name) if np.isfinite(gap))
    if not points:
        return None
    colour, marker, dashes = STYLES[name]
    ours = name == "backpass"
    best: list[tuple[float, float]] = []
    for point in points:
        if not best or point[1] < best[-1][1]:
            best.append(point)
    style = {"color": colour, "marker": marker, "markersize": 7 if ours else 4.5}
    order = 3 if ours else 2
    axes.plot(*zip(*points, strict=True), linestyle="", alpha=0.35, zorder=order, **style)
    width = 2.5 if ours else 1.2
    axes.plot(*zip(*best, strict=True), linestyle=dashes, linewidth=width, zorder=order, **style)
    return name, *best[-1]


def label(axes: Any, ends: list[tuple[str, float, float]]) -> None:
    """Write names in a column at the right, in the order of the curves' ends, joined by a hair."""
    low, high = (np.log10(limit) for limit in axes.get_ylim())
    ends = sorted(ends, key=lambda end: (-end[2], end[1]))
    step = (high - low) / 16
    places: list[float] = []
    for _, _, gap in ends:
        wanted = float(np.log10(gap))
        places.append(min(wanted, places[-1] - step) if places else wanted)
    # a crowd at the bottom is pushed up again, from the last one
    for i in reversed(range(len(places))):
        floor = low + step / 2 if i == len(places) - 1 else places[i + 1] + step
        places[i] = max(places[i], floor)
    for (name, seconds, gap), place in zip(ends, places, strict=True):
        colour = STYLES[name][0]
        axes.annotate(
            name,
            xy=(seconds, gap),
            xytext=(1.04, (place - low) / (high - low)),
            textcoords="axes fraction",
            va="center",
            color=colour,
            fontweight="bold" if name == "backpass" else "normal",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "relpos": (0.0, 0.5)},
        )
