"""Badges: each layer's rule against differences of its own forward map, with the largest error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backpass.check import DerivativeError, check_layer
from backpass.check.differences import derivative
from backpass.layers import Layer
from backpass.losses import Loss
from backpass.theta import Array
from backpass.trace import Trace

MOST_ROWS = 8  # of the trace, on which the error is measured
DIRECTIONS = 3
MOST_VALUES = 2**14  # of a row and the parameters; a larger layer is measured here only
MOST_WIDTH = 2**9  # values of a row: check_layer moves each by itself, so its work is the square

Direction = Mapping[str, Array]  # "" for z, and the parameters by name


@dataclass(frozen=True)
class Badge:
    """What a check found.

    passed: False where check_layer complained. error: the largest relative difference between
    the rule and differences of the map at the values of this trace, None where the map is not
    finite or has a kink there. says: one sentence for a person.
    """

    passed: bool
    error: float | None
    says: str


def badge(trace: Trace, L: int, seed: int = 0) -> Badge:
    """Check step L (1, 2, ..., the loss last) of a trace."""
    rng = np.random.default_rng([seed, L])
    if len(trace.steps) < L:
        return _measured(repr(trace.loss), _loss_error(trace, rng), "")
    layer = trace.steps[L - 1].layer
    if layer is None:
        return Badge(True, 0.0, "The derivative of a sum is 1: nothing to check.")
    n_in = trace.z[L].shape[1]
    size = n_in + sum(int(np.prod(shape)) for shape in layer.shapes().values())
    small = n_in <= MOST_WIDTH and size <= MOST_VALUES
    try:
        if small:
            check_layer(layer, n_in, seed)
    except DerivativeError as error:
        return Badge(False, None, str(error))
    also = "; check_layer passes" if small else "; check_layer is left out of a layer this large"
    return _measured(repr(layer), _layer_error(trace, L, layer, rng), also)


def _measured(name: str, error: float | None, also: str) -> Badge:
    if error is None:
        unseen = f"At these values differences see no derivative of {name} (a kink or an overflow)"
        return Badge(True, None, f"{unseen}{also}.")
    agree = f"Rule and differences of the map agree to {error:.1e} at these values"
    return Badge(True, error, f"{agree}{also}.")


def _layer_error(trace: Trace, L: int, layer: Layer, rng: np.random.Generator) -> float | None:
    """Compare ⟨δ, forward⟩ along random directions with what backward and gradient say."""
    z = trace.z[L][:MOST_ROWS].astype(np.float64)
    params = {name: value.astype(np.float64) for name, value in trace.params[L - 1].items()}
    out: Array = np.empty((len(z), trace.z[L + 1].shape[1]))
    layer.forward(params, z, out)
    delta: Array = rng.normal(size=out.shape)
    rule: dict[str, Array] = {"": np.empty_like(z)}
    layer.backward(params, z, out, delta, rule[""])
    if params:
        grad = {name: np.empty_like(value) for name, value in params.items()}
        layer.gradient(params, z, out, delta, grad)
        rule |= grad

    def value(t: float, way: Direction) -> Array:
        moved = np.empty_like(out)
        there = {name: here + t * way[name] for name, here in params.items()}
        layer.forward(there, z + t * way[""], moved)
        return np.array(np.sum(delta * moved))

    ways = [
        {name: rng.normal(size=part.shape) for name, part in rule.items()}
        for _ in range(DIRECTIONS)
    ]
    return _largest_error(rule, ways, value, float(np.sum(np.abs(delta * out))))


def _loss_error(trace: Trace, rng: np.random.Generator) -> float | None:
    """Compare the loss along random directions with its δ; the loss is the one written."""
    loss: Loss = trace.loss
    z = trace.z[len(trace.z) - 1][:MOST_ROWS].astype(np.float64)
    y = trace.y[:MOST_ROWS]
    # Beside the probabilities 0 and 1, where logarithms end, directions are short.
    reach = np.where((z > 0.0) & (z < 1.0), z * (1.0 - z), 1.0)
    delta = np.empty_like(z)

    def value(t: float, way: Direction) -> Array:
        out: Array = np.empty(len(z))
        loss.value(z + t * way[""], y, out)
        return np.array(out.sum())

    with np.errstate(all="ignore"):  # a probability that was rounded to 0 has an infinite loss
        loss.delta(z, y, delta)
        ways = [{"": reach * rng.normal(size=z.shape)} for _ in range(DIRECTIONS)]
        return _largest_error({"": delta}, ways, value, abs(float(value(0.0, ways[0]))))


def _largest_error(
    rule: Mapping[str, Array],
    ways: Sequence[Direction],
    value: Callable[[float, Direction], Array],
    magnitude: float,
) -> float | None:
    """Return the largest |⟨rule, way⟩ − difference of value along it|, relative to its terms.

    magnitude: the size of what value adds up. None where no direction showed a derivative.
    """
    errors = []
    for way in ways:
        products = np.concatenate([(rule[name] * way[name]).ravel() for name in rule])
        seen = derivative(lambda t, way=way: value(t, way), size=magnitude)  # type: ignore[misc]
        if seen.kinked or seen.lost or not np.isfinite(seen.value + products.sum()):
            continue
        size = float(np.sum(np.abs(products))) or 1.0
        errors.append(abs(float(products.sum()) - float(seen.value)) / size)
    return max(errors) if errors else None
