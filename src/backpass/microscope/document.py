"""A trace as one JSON document: everything that the page shows, and nothing that it computes.

Arrays go as base64 of their own bytes, so the page's numbers are the trace's to the last bit.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.check.derivations import derivation
from backpass.layers import Layer, Linear
from backpass.losses import Loss
from backpass.microscope.badges import badge
from backpass.microscope.jacobians import form_of, jacobians
from backpass.microscope.names import Names, level_names, row_labels
from backpass.microscope.rules import rule_of
from backpass.pairs import joint_rule
from backpass.trace import Trace

BUDGET = 3_500_000  # bytes of arrays; base64 makes four of three, and the page stays under 5 MB
MOST_ROWS = 5_000  # a list of more is no longer one to choose from
MOST_OWN = 2**17  # numbers of per-row gradients of a user's own layer


def document(
    trace: Trace,
    rows: ArrayLike | None = None,
    row: int | None = None,
    feature_names: Names = None,
    class_names: Names = None,
    row_names: Names = None,
    training: Any = None,
) -> dict[str, Any]:
    """Describe a trace for the page.

    rows: numbers of the rows to take along; None for as many as fit, from the first on.
    row: the one to open with. row_names: what all rows of the trace are called, if not by their
    numbers. training: a `Recorder`. Raises ValueError or IndexError for rows that are not there.
    """
    chosen = chosen_rows(trace, rows, row)
    features = feature_names if feature_names is not None else trace.feature_names
    classes = class_names if class_names is not None else trace.class_names
    names = [*level_names(trace, features, classes), None]
    labels = row_labels(trace, classes)
    if row_names is not None and len(row_names) != len(trace.z[1]):
        raise ValueError(f"row_names: {len(row_names)} names for {len(trace.z[1])} rows.")
    return {
        "title": " → ".join(short_names(trace)),
        "dtype": str(trace.z[1].dtype),
        "levels": [
            {
                "width": trace.z[L].shape[1],
                "names": names[L - 1],
                "z": packed(trace.z[L][chosen]),
                "delta": packed(trace.delta[L][chosen]),
            }
            for L in range(1, len(trace.z) + 1)
        ],
        "steps": [step_document(trace, L, chosen) for L in range(1, len(trace.z))],
        "rows": {
            "numbers": chosen.tolist(),
            "names": row_names and [str(row_names[number]) for number in chosen],
            "labels": [labels[number] for number in chosen],
            "total": len(trace.z[1]),
            "opened": int(row) if row is not None else int(chosen[0]),
        },
        "targets": packed(np.asarray(trace.y)[chosen].astype(np.float64)),
        "cost": trace.cost,
        "notes": list(trace.notes),
        "joint": joint_document(trace),
        "training": None if training is None else training.document(),
    }


def short_names(trace: Trace) -> list[str]:
    """List what stands in the boxes: Linear(2, 2), LogSoftmax(), ..."""
    return [short_name(name) for name in trace.names]


def short_name(text: str) -> str:
    """Leave out of a layer's text what is so by default, and names that its order gives."""
    for part in ("n_in=", "n_out=", ", bias=True", "label_smoothing=0.0", ", d2f=None"):
        text = text.replace(part, "")
    # functions write themselves with their address in memory
    return re.sub(r"<function (?:\S*\.)?(\S+) at 0x[0-9a-f]+>", r"\1", text)


def chosen_rows(trace: Trace, rows: ArrayLike | None, row: int | None) -> NDArray[np.intp]:
    """Return the numbers of the rows that the page takes along, in rising order."""
    total = len(trace.z[1])
    if total == 0:
        raise ValueError("the trace has no rows; a page needs at least one.")
    wanted = np.arange(total) if rows is None else np.unique(np.asarray(rows, dtype=np.intp))
    opened = [] if row is None else [row]
    for number in (*wanted[[0, -1]].tolist(), *opened) if len(wanted) else opened:
        if not 0 <= number < total:
            raise IndexError(f"row {number}: this trace has rows 0 to {total - 1}.")
    if rows is None:
        left = BUDGET - 2 * sum(grad.size for grad in trace.gradient.values()) * itemsize(trace)
        wanted = wanted[: max(1, min(MOST_ROWS, left // bytes_per_row(trace)))]
    return np.unique(np.concatenate([wanted, np.array(opened, dtype=np.intp)]))


def bytes_per_row(trace: Trace) -> int:
    """Count the bytes of one row: z and δ of all levels, and the derivatives that are its own."""
    values = sum(2 * z.shape[1] for z in trace.z)
    return itemsize(trace) * (values + sum(form_of(trace, L)[1] for L in range(1, len(trace.z))))


def itemsize(trace: Trace) -> int:
    """Return the bytes of one number of z and δ."""
    return trace.z[1].dtype.itemsize


def step_document(trace: Trace, L: int, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Describe what maps level L to level L + 1; the loss is the last."""
    step = trace.steps[L - 1] if len(trace.steps) >= L else None
    part = trace.loss if step is None else step.layer
    skip = step.skip + 1 if step is not None and step.layer is None else 0
    rule, derivatives, check = rule_of(part, skip), jacobians(trace, L, rows), badge(trace, L)
    return {
        "name": short_names(trace)[L - 1],
        "short": rule.short,
        "says": rule.says,
        "key": "" if step is None else step.key,
        "skip": skip,
        "feeds": [] if step is None else [join + 2 for join in step.also_feeds],
        "elementwise": rule.elementwise,
        "loss": rule.loss,
        "linear": isinstance(part, Linear),
        "forward": rule.forward,
        "derivative": rule.derivative,
        "delta": rule.delta,
        "jacobian": {
            "form": derivatives.form,
            "values": None if derivatives.values is None else packed(derivatives.values),
        },
        "parameters": [] if step is None else parameter_documents(trace, L, rows),
        "check": {"passed": check.passed, "error": check.error, "says": check.says},
        "derivation": None if part is None else derivation_document(part),
    }


def derivation_document(part: Layer | Loss) -> dict[str, Any] | None:
    """Say how far a built-in rule is from the independent derivation; None for any other."""
    found = derivation(part)
    if found is None:
        return None
    return {"passed": found.ulps <= found.stated, "says": found.says}


def parameter_documents(trace: Trace, L: int, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Describe the parameters of step L: values, gradients summed over all rows, path counts."""
    step, dtype = trace.steps[L - 1], trace.z[1].dtype
    found, per_row = [], own_gradients(trace, L, rows)
    for name in step.parameter_shapes():
        full = f"{step.key}.{name}"
        value = trace.params[L - 1][name]
        counts = trace.count_paths(full)
        found.append(
            {
                "name": name,
                "full": full,
                "shape": list(value.shape),
                "value": packed(value),
                # a float32 network's gradient has float32's digits, in float64
                "gradient": packed(trace.gradient[full].astype(dtype)),
                "per_row": None if per_row is None else packed(per_row[name]),
                "paths": str(counts.n_paths),
                "multiplications": str(counts.multiplications),
                "recursion": str(counts.recursion_multiplications),
            }
        )
    return found


def own_gradients(trace: Trace, L: int, rows: NDArray[np.intp]) -> dict[str, NDArray] | None:
    """Return each row's own gradient of a layer that is no Linear; None where that is too much.

    A Linear needs none of this: its gradient is δ · z, and the page has both.
    """
    layer, shapes = trace.steps[L - 1].layer, trace.steps[L - 1].parameter_shapes()
    size = len(rows) * sum(int(np.prod(shape)) for shape in shapes.values())
    if layer is None or isinstance(layer, Linear) or not 0 < size <= MOST_OWN:
        return None
    grad = {name: np.empty((len(rows), *shape), trace.z[1].dtype) for name, shape in shapes.items()}
    z_in, z_out, delta = (
        np.ascontiguousarray(level[rows])
        for level in (trace.z[L], trace.z[L + 1], trace.delta[L + 1])
    )
    layer.gradient_per_row(trace.params[L - 1], z_in, z_out, delta, grad)
    return grad


def joint_document(trace: Trace) -> dict[str, Any] | None:
    """Describe the joint rule of the last layer and the loss, or None if there is none."""
    last = trace.steps[-1].layer
    joint = joint_rule(last, trace.loss) if last is not None else None
    if joint is None:
        return None
    rule = rule_of(joint)
    return {"name": short_name(repr(joint)), "delta": rule.derivative, "forward": rule.forward}


def packed(array: NDArray) -> dict[str, str]:
    """Pack an array's numbers as base64 of little-endian bytes, row by row."""
    kind = "f4" if array.dtype == np.float32 else "f8"
    raw = np.ascontiguousarray(array, dtype=np.dtype(f"<{kind}")).tobytes()
    return {"dtype": kind, "base64": base64.b64encode(raw).decode("ascii")}


def as_script_json(content: dict[str, Any]) -> str:
    """Write JSON that may stand inside a script element, whatever the names in it are."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    # Lone halves of surrogate pairs, as in undecodable file names, have no place in UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
