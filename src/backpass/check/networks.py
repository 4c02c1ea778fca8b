"""check_network: the derivatives of a whole network, its layers and its loss, on given data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.check.contract import or_nan, written
from backpass.check.differences import Estimate, derivative
from backpass.check.layers import ATTEMPTS, check_near, moved_aside, scales_of
from backpass.check.verdict import (
    SMOOTH,
    Index,
    judge,
    judge_entries,
    refuse_difference,
    unit,
)
from backpass.losses import Loss
from backpass.network import Network
from backpass.theta import Array

MOST_ROWS = 12  # rows of a batch that are tested


def check_network(
    net: Network, X: ArrayLike, y: ArrayLike, theta: ArrayLike | None = None, seed: int = 0
) -> None:
    """Test all derivatives of a network on a few rows of X, y: layers, loss, and the whole.

    Each layer and the loss are tested at the values that they meet in this network; then the
    gradient against the cost, rows' own gradients against that, and Hessian products where every
    layer has tangents. theta: the point to test at, drawn by seed if None. A float32 network
    is tested as its float64 twin. Raises DerivativeError naming layer, parameter and entry,
    with the number given and the number that differences give.
    """
    rng = np.random.default_rng(seed)
    if net.dtype != np.float64:
        net = Network(net.layers, net.loss, "float64", net.fused)
    if theta is None:
        # Beside the zero biases: there rectifiers have kinks and a forgotten bias would not show.
        theta = net.init(seed) + 0.1 * rng.normal(size=net.n_parameters)
    rows, labels = np.asarray(X), np.asarray(y)
    point: Array = np.array(theta, dtype=np.float64)
    net.cost(point, rows, labels)  # what is wrong with these is said here, by the user's own rows
    if not len(rows):
        raise ValueError("check_network needs at least one row of X and y.")
    chosen = np.sort(rng.permutation(len(rows))[:MOST_ROWS])
    rows, labels = rows[chosen], labels[chosen]
    if not check_steps(net, point, rows, labels, rng):
        point = moved_aside(point, rng)  # a layer stands on its kink
    for _ in range(ATTEMPTS):
        if check_whole(net, point, rows, labels, rng) == SMOOTH:
            return
        point = moved_aside(point, rng)


def check_steps(
    net: Network, theta: Array, X: NDArray, y: NDArray, rng: np.random.Generator
) -> bool:
    """Test each layer, and the loss, at the values that they meet; False where one has a kink."""
    trace, smooth = net.trace(theta, X, y), True
    for L, step in enumerate(net.steps, start=1):
        if step.layer is not None:
            z_in, params = trace.z[L].copy(), trace.params[L - 1]
            smooth &= check_near(step.layer, str(step), params, z_in, rng)
    z = trace.z[len(net.evaluated_steps) + 1].copy()
    for _ in range(ATTEMPTS):
        if check_loss(net.evaluated_loss, z, trace.y, rng) == SMOOTH:
            break
        z, smooth = moved_aside(z, rng), False
        if not np.isfinite(or_nan(net.evaluated_loss.value, (z, trace.y), np.empty(len(z)))).all():
            break  # moved out of the loss's domain
    return smooth


def check_loss(loss: Loss, z: Array, y: NDArray, rng: np.random.Generator) -> int:
    """Test a loss: delta against differences of value, tangent against differences of delta."""
    label, here = repr(loss), {"z": z, "y": y}
    written(label, loss.value, here, (len(z),))
    delta = written(label, loss.delta, here, z.shape)

    def seen(column: int) -> Estimate:
        scales = scales_of(z[:, column : column + 1])
        step = scales * np.eye(z.shape[1])[column]

        def f(t: float) -> Array:
            return or_nan(loss.value, (z + t * step, y), np.empty(len(z)))[:, None]

        return derivative(f).per(scales)

    sight = max(
        judge(unit(f"{label}.delta", i), delta[:, i : i + 1], seen(i)) for i in range(z.shape[1])
    )
    dot_z = rng.normal(size=z.shape)
    try:
        bent = written(label, loss.tangent, {**here, "dot_z": dot_z}, z.shape)
    except NotImplementedError:
        return sight  # Hessian products will say so; everything else works
    estimate = derivative(lambda t: or_nan(loss.delta, (z + t * dot_z, y), np.empty_like(z)))
    return max(sight, judge(unit(f"{label}.tangent"), bent, estimate))


def check_whole(
    net: Network, theta: Array, X: NDArray, y: NDArray, rng: np.random.Generator
) -> int:
    """Test gradient against cost, rows against gradient, Hessian products against gradient."""
    weight = rng.uniform(0.5, 1.5, len(X))
    cost, grad = net.cost_and_gradient(theta, X, y, weight)

    def where(at: Index) -> str:
        name, entry = net.layout.name_at(at[0])
        return f"cost_and_gradient, parameter '{name}'{list(entry)}"

    def seen(direction: Array) -> Estimate:
        def f(t: float) -> Array:
            try:
                return np.array(net.cost(theta + t * direction, X, y, weight))
            except FloatingPointError:  # a step too far
                return np.array(np.nan)

        return derivative(f, size=abs(cost))

    sight = judge_entries(where, grad, seen, rng, between_slopes=False)
    per_row = net.gradients_per_row(theta, X, y)
    refuse_difference(where, grad, weight @ per_row, "the weighted sum of gradients_per_row")
    one_by_one = (slice(row, row + 1) for row in range(len(X)))
    refuse_difference(
        lambda at: f"gradients_per_row, row {at[0]}: {where(at[1:])}",
        per_row,
        np.stack([net.cost_and_gradient(theta, X[one], y[one])[1] for one in one_by_one]),
        "cost_and_gradient of that row alone",
    )
    v = rng.normal(size=theta.shape)
    try:
        product = net.hessian_vector_product(theta, X, y, v, weight)
    except NotImplementedError:
        return sight

    def gradient_at(t: float) -> Array:
        try:
            return net.cost_and_gradient(theta + t * v, X, y, weight)[1]
        except FloatingPointError:
            return np.full(theta.shape, np.nan)

    def along_v(at: Index) -> str:
        return where(at).replace("cost_and_gradient", "hessian_vector_product")

    return max(sight, judge(along_v, product, derivative(gradient_at), between_slopes=False))
