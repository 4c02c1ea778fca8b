"""How good a fit is, drawn: ROC, precision and recall, calibration; and what it confuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backpass.report.drawing import DASHES, SERIES, SOFT, Chart, legend, short, square, svg
from backpass.report.story import Story
from backpass.tallies import Tally

MOST_CLASSES = 6
_MOST_POINTS = 200


def roc(story: Story) -> Chart | None:
    """Draw the share of hits against the share of false alarms."""

    def line(hits: NDArray, misses: NDArray) -> tuple[NDArray, NDArray]:
        return _from_the_top(misses) / misses.sum(), _from_the_top(hits) / hits.sum()

    names = ("false alarms", "hits")
    return _curves(story, "ROC curve", names, line, diagonal=True)


def precision_recall(story: Story) -> Chart | None:
    """Draw how many of the rows called so are so, against how many of those that are were found."""

    def line(hits: NDArray, misses: NDArray) -> tuple[NDArray, NDArray]:
        found, wrong = _from_the_top(hits)[1:], _from_the_top(misses)[1:]
        return found / hits.sum(), found / np.maximum(found + wrong, 1e-300)

    return _curves(story, "Precision and recall", ("recall", "precision"), line)


def _from_the_top(by_score: NDArray) -> NDArray[np.float64]:
    """Return running sums from the highest score down, beginning with nothing."""
    return np.concatenate([[0.0], np.cumsum(by_score[::-1])])


def _curves(
    story: Story,
    title: str,
    names: tuple[str, str],
    line: Callable[[NDArray, NDArray], tuple[NDArray, NDArray]],
    diagonal: bool = False,
) -> Chart | None:
    """Draw one curve per class, of some classes, each against the rest."""
    tally = story.tally
    pairs = list(zip(tally.curve_classes, tally.curves, strict=True))[:MOST_CLASSES]
    lines = []
    for k, curve in pairs:
        misses, hits = curve.by_score()
        if hits.sum() > 0.0 and misses.sum() > 0.0:
            lines.append((story.classes[k], *_thinned(*line(hits, misses))))
    if not lines:
        return None
    figure, axes = square()
    rows = []
    for place, (name, x, y) in enumerate(lines):
        axes.plot(x, y, color=SERIES[place], linestyle=DASHES[place], label=name)
        some = np.unique(np.linspace(0, len(x) - 1, 11).astype(int))
        rows += [[name, x[i], y[i]] for i in some]
    if diagonal:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=names[0], ylabel=names[1])
    if len(lines) > 1:
        legend(axes)
    left = len(tally.curves) - len(lines)
    more = f"; {left} more classes are not drawn" if left > 0 else ""
    each = f"of {lines[0][0]}" if len(lines) == 1 else "of each class against the rest"
    return Chart(
        title, f"{each}, {story.measured_on}{more}", svg(figure, title), ["class", *names], rows
    )


def _thinned(x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Keep some hundred points, spread over the length of the curve, its ends among them."""
    if len(x) <= _MOST_POINTS:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0.0, length[-1], _MOST_POINTS)
    places = np.unique(np.append(np.searchsorted(length, wanted), [0, len(x) - 1]))
    places = places[places < len(x)]
    return x[places], y[places]


def calibration(story: Story) -> Chart:
    """Draw shares of events against mean predicted probabilities, bin by bin."""
    weight, confidence, events = story.tally.bins
    there = weight > 0.0
    x, y = confidence[there] / weight[there], events[there] / weight[there]
    figure, axes = square()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    axes.plot(x, y, color=SERIES[0], marker="o", markersize=5)
    of = story.classes[1] if len(story.classes) == 2 else "the predicted class"
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel=f"predicted probability of {short(of)}",
        ylabel="share of rows where it is so",
    )
    rows = [
        [f"{b / 10:.1f} to {(b + 1) / 10:.1f}", *values]
        for b, values in zip(
            np.flatnonzero(there), zip(weight[there], x, y, strict=True), strict=True
        )
    ]
    return Chart(
        "Calibration",
        f"on the dotted line a predicted 30 % comes true in 30 % of rows, {story.measured_on}",
        svg(figure, "Calibration"),
        ["predicted", "weight of rows", "mean predicted", "share that came true"],
        rows,
    )


def confusion(tally: Tally) -> NDArray[np.float64]:
    """Return the share of each true class (row) that was called each class."""
    totals = tally.confusion.sum(axis=1, keepdims=True)
    return tally.confusion / np.where(totals > 0.0, totals, 1.0)
