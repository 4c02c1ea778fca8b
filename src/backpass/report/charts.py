"""Which charts a story has something for, in the order of the page."""

from __future__ import annotations

from backpass.report.course import by_layer, course, learning
from backpass.report.curves import calibration, precision_recall, roc
from backpass.report.drawing import Chart
from backpass.report.estimates import coefficients
from backpass.report.story import Story


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
