"""Charts as SVG text by Matplotlib, in the page's own colours and with their numbers as a table.

Matplotlib draws with stand-in colours, which become CSS variables, so that one drawing serves
light, dark and print. Lines differ in dash and marker too; the colours are Okabe and Ito's.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.report.story import Story
from backpass.tallies import Tally

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
_DASHES = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))]
_MARKERS = "osD^vP"
MOST_CLASSES = 6
MOST_COEFFICIENTS = 20
_MOST_POINTS = 200


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in words, and its numbers: heads and rows."""

    title: str
    says: str
    svg: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


def charts(story: Story) -> list[Chart]:
    """Draw all that this story has something for."""
    drawn = [roc(story), precision_recall(story), calibration(story)]
    if story.course and story.course["objective"]:
        drawn.append(course(story))
    if story.coefficients:
        drawn.append(coefficients(story))
    if story.losses:
        drawn.append(learning(story))
    if story.training:
        drawn += [
            by_layer(story, "delta", "δ per layer", "root mean square of δ"),
            by_layer(story, "weights", "Weights per layer", "norm of the weights"),
            by_layer(story, "dead", "Dead units", "share of units that pass no δ"),
        ]
    return [chart for chart in drawn if chart is not None]


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
    figure, axes = _square()
    rows = []
    for place, (name, x, y) in enumerate(lines):
        axes.plot(x, y, color=SERIES[place], linestyle=_DASHES[place], label=name)
        some = np.unique(np.linspace(0, len(x) - 1, 11).astype(int))
        rows += [[name, x[i], y[i]] for i in some]
    if diagonal:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=names[0], ylabel=names[1])
    if len(lines) > 1:
        _legend(axes)
    left = len(tally.curves) - len(lines)
    more = f"; {left} more classes are not drawn" if left > 0 else ""
    each = f"of {lines[0][0]}" if len(lines) == 1 else "of each class against the rest"
    return Chart(
        title, f"{each}, {story.measured_on}{more}", _svg(figure, title), ["class", *names], rows
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
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
    axes.plot(x, y, color=SERIES[0], marker="o", markersize=5)
    of = story.classes[1] if len(story.classes) == 2 else "the predicted class"
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel=f"predicted probability of {_short(of)}",
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
        _svg(figure, "Calibration"),
        ["predicted", "weight of rows", "mean predicted", "share that came true"],
        rows,
    )


def course(story: Story) -> Chart:
    """Draw how far the objective was above its last value, and the proven gap, pass by pass."""
    assert story.course is not None
    full = [(passes, value) for passes, value, stride in story.course["objective"] if stride == 1]
    lowest = min((value for _, value in full), default=0.0)
    above = [(passes, value - lowest) for passes, value in full if value > lowest]
    gaps = [(passes, gap) for passes, gap in story.course["gap"] if np.isfinite(gap) and gap > 0.0]
    figure, axes = _wide(3.2)
    if above:
        axes.plot(
            *zip(*above, strict=True),
            color=SERIES[0],
            marker="o",
            markersize=4,
            label="objective above the lowest value met",
        )
    if gaps:
        axes.plot(
            *zip(*gaps, strict=True),
            color=SERIES[1],
            marker="D",
            markersize=4,
            linestyle="--",
            label="proven gap to the minimum",
        )
    if above or gaps:
        axes.set_yscale("log")
        _legend(axes)
    axes.set(xlabel="passes over the rows", ylabel="distance")
    rows = [["objective", passes, value] for passes, value in full]
    rows += [["gap", passes, gap] for passes, gap in gaps]
    return Chart(
        "Course of the fit",
        "evaluations on all rows; those on subsamples, before the first point, are counted as the "
        "share of a pass that they are",
        _svg(figure, "Course"),
        ["", "passes", "value"],
        rows,
    )


def coefficients(story: Story) -> Chart:
    """Draw the coefficients of most influence, by one standard deviation and on their own scale."""

    def size(c: dict[str, Any]) -> float:
        return abs(c["value"] if c["per_deviation"] is None else c["per_deviation"])

    listed = sorted(story.coefficients, key=size, reverse=True)
    shown = listed[:MOST_COEFFICIENTS][::-1]
    several = len(story.classes) > 2
    names = [_short(f"{c['name']} → {c['of']}" if several else c["name"], 34) for c in shown]
    figure, panels = _wide(0.9 + 0.26 * len(shown), columns=2)
    places = np.arange(len(shown))
    for axes, key, head in zip(
        panels, ("per_deviation", "value"), ("per standard deviation", "per unit"), strict=True
    ):
        for place, c in zip(places, shown, strict=True):
            value = c[key]
            if value is None:
                continue
            positive = value >= 0.0
            if c["interval"] is not None:
                factor = 1.0 if key == "value" or not c["value"] else value / c["value"]
                low, high = (factor * end for end in c["interval"])
                axes.plot([low, high], [place, place], color=SOFT, linewidth=1.2)
            axes.plot(
                [value],
                [place],
                marker="o" if positive else "s",
                markersize=5.5,
                clip_on=False,
                color=SERIES[1] if positive else SERIES[0],
            )
        axes.axvline(0.0, color=SOFT, linewidth=0.8)
        axes.set(xlabel=head, ylim=(-0.7, len(shown) - 0.3))
        axes.set_yticks(places, names if axes is panels[0] else [""] * len(shown))
    panels[1].set_xscale("symlog", linthresh=_threshold([abs(c["value"]) for c in shown]))
    panels[1].margins(x=0.08)
    panels[1].xaxis.set_minor_locator(_no_ticks())
    panels[1].xaxis.set_major_locator(_few_ticks(panels[1]))
    interval = any(c["interval"] is not None for c in shown)
    rows = [
        [
            c["name"],
            *([c["of"]] if several else []),
            c["value"],
            c["per_deviation"],
            *(list(c["interval"] or ("", "")) if interval else []),
        ]
        for c in listed
    ]
    says = f"the {len(shown)} of most influence, of {len(listed):,}"
    says += (
        "; lines are 95 % intervals"
        if interval
        else ("; a penalty pulls estimates towards 0, so there are no intervals")
    )
    if not several:
        says += f"; positive ones (round) speak for {story.classes[1]}"
    heads = [
        "column",
        *(["class"] if several else []),
        "per unit",
        "per std. dev.",
        *(["from", "to"] if interval else []),
    ]
    return Chart("Coefficients", says, _svg(figure, "Coefficients"), heads, rows)


def learning(story: Story) -> Chart:
    """Draw the loss of every epoch."""
    figure, axes = _wide(3.0)
    epochs = np.arange(1, len(story.losses) + 1)
    axes.plot(epochs, story.losses, color=SERIES[0], label="loss on the rows fitted on")
    scores = [(e["epoch"], e["score"]) for e in story.training if e["score"] is not None]
    if scores:
        axes.plot(
            *zip(*scores, strict=True),
            color=SERIES[1],
            linestyle="--",
            label="score on validation rows",
        )
        _legend(axes)
    axes.set(xlabel="epoch", ylabel="loss per row")
    rows = [[int(epoch), loss] for epoch, loss in zip(epochs, story.losses, strict=True)]
    return Chart(
        "Learning curve", "mean loss per row", _svg(figure, "Learning"), ["epoch", "loss"], rows
    )


def by_layer(story: Story, key: str, title: str, unit: str) -> Chart | None:
    """Draw a quantity of each layer over the epochs."""
    figure, axes = _wide(3.0)
    places = [p for p, value in enumerate(story.training[0][key]) if value is not None]
    if not places:
        return None
    epochs = [e["epoch"] for e in story.training]
    for turn, place in enumerate(places):
        name = story.layers[place] if place < len(story.layers) else f"layer {place + 1}"
        values = [e[key][place] for e in story.training]
        axes.plot(
            epochs,
            values,
            color=SERIES[turn % 6],
            linestyle=_DASHES[turn % 6],
            label=f"{place + 1} {_short(name)}",
        )
    axes.set(xlabel="epoch", ylabel=unit)
    _legend(axes)
    some = story.training[:: max(1, len(story.training) // 20)]
    heads = ["epoch", *(f"layer {place + 1}" for place in places)]
    rows = [[e["epoch"], *(e[key][place] for place in places)] for e in some]
    return Chart(title, f"{unit}, over the epochs", _svg(figure, title), heads, rows)


def _threshold(sizes: list[float]) -> float:
    there = [size for size in sizes if size > 0.0]
    return float(np.quantile(there, 0.25)) if there else 1.0


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _few_ticks(axes: Any) -> Any:
    """Put ticks at 0 and at the ends: a symlog scale of its own would crowd them."""
    from matplotlib.ticker import FixedLocator

    low, high = axes.get_xlim()
    ends = [np.sign(end) * 10.0 ** np.floor(np.log10(abs(end))) for end in (low, high) if end]
    return FixedLocator(sorted({0.0, *map(float, ends)}))


def _short(name: str, most: int = 24) -> str:
    # Matplotlib reads $...$ as mathematics.
    name = name.replace("$", r"\$")
    return name if len(name) <= most else name[: most - 1] + "…"


def _square() -> tuple[Any, Any]:
    return _wide(4.2, width=4.6)


def _wide(height: float, width: float = 7.6, columns: int = 1) -> tuple[Any, Any]:
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


def _legend(axes: Any) -> None:
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)


def _svg(figure: Any, name: str) -> str:
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


def confusion(tally: Tally) -> NDArray[np.float64]:
    """Return the share of each true class (row) that was called each class."""
    totals = tally.confusion.sum(axis=1, keepdims=True)
    return tally.confusion / np.where(totals > 0.0, totals, 1.0)
