"""What units are called: the user's features at the input, the user's classes at the output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backpass.trace import Trace

Names = Sequence[object] | None


def level_names(trace: Trace, features: Names, classes: Names) -> list[list[str] | None]:
    """Name the units of every level but the cost's; None where they have numbers only.

    Raises ValueError where there are more or fewer names than units.
    """
    names: list[list[str] | None] = [None] * (len(trace.z) - 1)
    if features is not None:
        width = trace.z[1].shape[1]
        if len(features) != width:
            raise ValueError(
                f"feature_names has {len(features)} names; the network takes {width} values "
                "per row, so give one for each."
            )
        names[0] = [str(name) for name in features]
    if classes is None:
        return names
    last = len(names) - 1
    for level in range(last, 0 if features is not None else -1, -1):
        names[level] = output_names(classes, trace.z[last + 1].shape[1])
        if level == 0 or trace.steps[level - 1].parameter_shapes():
            break  # below a layer with parameters units mean something else
    return names


def output_names(classes: Names, width: int) -> list[str]:
    """Name the outputs after the classes; one output is the second of two classes."""
    assert classes is not None
    given = [str(name) for name in classes]
    if width == 1 and len(given) == 2:
        return given[1:]
    if len(given) != width:
        raise ValueError(
            f"class_names has {len(given)} names; the network has {width} outputs, "
            "so give one for each, or two for one output."
        )
    return given


def row_labels(trace: Trace, classes: Names) -> list[str]:
    """Say what y is in every row: the class's name, or the numbers where there is none."""
    y = np.asarray(trace.y)
    if y.ndim == 1:
        return [str(classes[label]) if classes is not None else str(label) for label in y.tolist()]
    if y.shape[1] == 1:
        two = classes is not None and len(classes) == 2
        return [
            str(classes[int(label)]) if classes is not None and two and label in (0.0, 1.0)
            else f"{label:g}"
            for label in y[:, 0].tolist()
        ]  # fmt: skip
    return [", ".join(f"{label:g}" for label in row) for row in y.tolist()]
