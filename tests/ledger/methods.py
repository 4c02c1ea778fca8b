"""Calls every method of a layer or loss at drawn numbers, and returns what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from tests.ledger.examples import N_IN, Example

import backpass as bp
from backpass.layers import Layer
from backpass.losses import Loss

Arrays = dict[str, np.ndarray]
PARAMETERS = {"weight": "w", "bias": "b"}  # as the code and as the formulas call them


@dataclass(frozen=True)
class Point:
    """A number for every symbol. rows: arrays with one row each; shared: w, b and their dots."""

    rows: Arrays
    shared: Arrays
    classes: np.ndarray
    example: Example

    def each_row(self) -> Iterator[tuple[Arrays, int]]:
        for row, label in enumerate(self.classes):
            yield {**{name: a[row] for name, a in self.rows.items()}, **self.shared}, int(label)


def drawn_point(part: Any, example: Example) -> Point:
    """Draw all that the formula of a layer or loss may speak of."""
    rng = np.random.default_rng(0)
    z = np.concatenate([example.ordinary(rng, (4, N_IN)), example.extreme])
    n_out = part.output_width(N_IN) if isinstance(part, Layer) else N_IN
    rows = {"z": z, "dot_z": rng.normal(size=z.shape)}
    rows |= {name: rng.normal(size=(len(z), n_out)) for name in ("delta", "dot_delta")}
    rows["mask"] = 2.0 * rng.integers(0, 2, z.shape) if example.masked else np.ones_like(z)
    rows["target"] = rng.choice(example.labels, z.shape)
    if example.targets is not None:
        rows["target"][-len(example.targets) :] = example.targets
    bias = float("bias" in part.shapes()) if isinstance(part, Layer) else 1.0
    shared = {"w": rng.normal(size=(n_out, N_IN)), "b": bias * rng.normal(size=n_out)}
    shared |= {
        "dot_w": rng.normal(size=shared["w"].shape), "dot_b": bias * rng.normal(size=n_out)
    }  # fmt: skip
    point = Point(rows, shared, rng.integers(0, N_IN, len(z)), example)
    if isinstance(part, bp.Residual):
        rows["delta"] = _trace(part, point).delta[-2]  # what its network sends back to it
    return point


@singledispatch
def written(part: Any, point: Point) -> Arrays:
    """Call every method of a layer or loss at a point; return what each writes, over nan."""
    raise TypeError(f"the ledger has no way to call {part!r}")


@written.register
def _(layer: Layer, point: Point) -> Arrays:
    rows = point.rows
    names = {name: PARAMETERS[name] for name in layer.shapes()}
    params = {name: point.shared[symbol] for name, symbol in names.items()}
    dot_params = {name: point.shared[f"dot_{symbol}"] for name, symbol in names.items()}
    if point.example.masked:
        params = {"mask": rows["mask"]}
    z, delta = rows["z"], rows["delta"]
    out: Arrays = {}

    def write(name: str, like: np.ndarray, method, *inputs) -> np.ndarray:
        out[name] = np.full_like(like, np.nan)
        method(*inputs, out[name])
        return out[name]

    def write_named(method, *inputs, n_rows: tuple[int, ...] = ()) -> None:
        grad = {name: np.full((*n_rows, *params[name].shape), np.nan) for name in names}
        method(*inputs, grad)
        out.update({f"{method.__name__} {name}": value for name, value in grad.items()})

    z_out = write("forward", delta, layer.forward, params, z)
    here = (params, z, z_out, delta)
    write("backward", z, layer.backward, *here)
    moving = (params, dot_params, z, z_out, rows["dot_z"])
    dot_z_out = write("tangent", delta, layer.tangent, *moving)
    moving = (*moving, dot_z_out, delta, rows["dot_delta"])
    write("backward_tangent", z, layer.backward_tangent, *moving)
    if names:
        write_named(layer.gradient, *here)
        write_named(layer.gradient_per_row, *here, n_rows=(len(z),))
        write_named(layer.gradient_tangent, *moving)
    return out


@written.register
def _(loss: Loss, point: Point) -> Arrays:
    z = point.rows["z"]
    y = point.classes if point.example.of_classes else point.rows["target"]
    out = {"value": np.full(len(z), np.nan), "delta": np.full_like(z, np.nan)}
    out["tangent"] = np.full_like(z, np.nan)
    loss.value(z, y, out["value"])
    loss.delta(z, y, out["delta"])
    loss.tangent(z, y, point.rows["dot_z"], out["tangent"])
    return out


@written.register
def _(residual: bp.Residual, point: Point) -> Arrays:
    trace = _trace(residual, point)
    gradient = {f"gradient {name}": value for name, value in trace.gradient.items()}
    return {"forward": trace.z[-2], "backward": trace.delta[1], **gradient}


def _trace(residual: bp.Residual, point: Point) -> bp.Trace:
    """Trace the network that is this Residual and a loss: the network is where its sums are."""
    net = bp.Network([residual], bp.CrossEntropyLoss())
    theta = net.flatten({"0.0.weight": point.shared["w"], "0.0.bias": point.shared["b"]})
    return net.trace(theta, point.rows["z"], point.classes)
