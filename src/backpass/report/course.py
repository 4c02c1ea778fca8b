"""How a fit went, drawn: objective and gap pass by pass, or loss and layers epoch by epoch."""

from __future__ import annotations

import numpy as np

from backpass.report.drawing import DASHES, SERIES, Chart, legend, short, svg, wide
from backpass.report.story import Story


def course(story: Story) -> Chart:
    """Draw how far the objective was above its last value, and the proven gap, pass by pass."""
    assert story.course is not None
    full = [(passes, value) for passes, value, stride in story.course["objective"] if stride == 1]
    lowest = min((value for _, value in full), default=0.0)
    above = [(passes, value - lowest) for passes, value in full if value > lowest]
    gaps = [(passes, gap) for passes, gap in story.course["gap"] if np.isfinite(gap) and gap > 0.0]
    figure, axes = wide(3.2)
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
        legend(axes)
    axes.set(xlabel="passes over the rows", ylabel="distance")
    rows = [["objective", passes, value] for passes, value in full]
    rows += [["gap", passes, gap] for passes, gap in gaps]
    return Chart(
        "Course of the fit",
        "evaluations on all rows; those on subsamples, before the first point, are counted as the "
        "share of a pass that they are",
        svg(figure, "Course"),
        ["", "passes", "value"],
        rows,
    )


def learning(story: Story) -> Chart:
    """Draw the loss of every epoch, on validation rows too, and mark the epoch that was kept."""
    figure, axes = wide(3.0)
    epochs = list(range(1, len(story.losses) + 1))
    axes.plot(epochs, story.losses, color=SERIES[0], label="rows fitted on, penalty included")
    heads, rows = (
        ["epoch", "rows fitted on"],
        [[*pair] for pair in zip(epochs, story.losses, strict=True)],
    )
    says = "mean loss per row"
    if story.validation:
        axes.plot(
            epochs, story.validation, color=SERIES[1], linestyle="--", label="validation rows"
        )
        best = int(np.argmin(story.validation))
        axes.plot([best + 1], [story.validation[best]], "D", color=SERIES[1], markersize=6)
        says += (
            f"; epoch {best + 1} (the diamond) was kept, the least on rows set aside to judge by"
        )
        heads.append("validation rows")
        rows = [[*row, value] for row, value in zip(rows, story.validation, strict=True)]
    legend(axes)
    axes.set(xlabel="epoch", ylabel="loss per row")
    return Chart("Learning curve", says, svg(figure, "Learning"), heads, rows)


def by_layer(story: Story, key: str, title: str, unit: str) -> Chart | None:
    """Draw a quantity of each layer over the epochs."""
    figure, axes = wide(3.0)
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
            linestyle=DASHES[(turn + turn // 6) % 6],
            label=f"{place + 1} {short(name)}",
        )
    axes.set(xlabel="epoch", ylabel=unit)
    legend(axes, outside=len(places) > 3)
    some = story.training[:: max(1, len(story.training) // 20)]
    heads = ["epoch", *(f"layer {place + 1}" for place in places)]
    rows = [[e["epoch"], *(e[key][place] for place in places)] for e in some]
    return Chart(title, f"{unit}, over the epochs", svg(figure, title), heads, rows)
