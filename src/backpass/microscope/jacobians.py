"""∂z^{L+1}/∂z^L of every row, in the smallest form that is exact.

A page of a wide network could not hold a full matrix for each row. Most need none: a Linear's
matrix is its weight in every row, and an elementwise layer's is a diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.layers import Linear
from backpass.microscope.rules import rule_of
from backpass.theta import Array
from backpass.trace import Trace

MOST_ENTRIES = 2**16  # of one row's full matrix; beyond it a page goes without


@dataclass(frozen=True)
class Jacobians:
    """One step's derivatives of all chosen rows.

    form: "weight" (the layer's weight, in every row), "identity", "diagonal" (values are
    (n_rows, width)), "dense" (n_rows, width out, width in), or "unknown" (too large to keep).
    """

    form: str
    values: NDArray | None = None


def form_of(trace: Trace, L: int) -> tuple[str, int]:
    """Return the form of step L's derivative, L = 1, 2, ..., and how many numbers a row needs."""
    n_in = trace.z[L].shape[1]
    if len(trace.steps) < L:
        return "dense", n_in
    layer = trace.steps[L - 1].layer
    if layer is None:
        return "identity", 0
    if isinstance(layer, Linear):
        return "weight", 0
    if rule_of(layer).elementwise:
        return "diagonal", n_in
    entries = n_in * trace.z[L + 1].shape[1]
    return ("dense", entries) if entries <= MOST_ENTRIES else ("unknown", 0)


def jacobians(trace: Trace, L: int, rows: NDArray[np.intp]) -> Jacobians:
    """Return the derivatives of step L (1, 2, ..., the loss last) for the rows asked for."""
    form, _ = form_of(trace, L)
    if form == "diagonal":
        return Jacobians(form, diagonal(trace, L, rows))
    if form != "dense":
        return Jacobians(form)
    if len(trace.steps) < L:
        # The recursion starts with the loss's own derivative, so it is there already.
        return Jacobians(form, trace.delta[L][rows][:, None, :])
    matrices = [trace.jacobian(L, int(row)) for row in rows]
    shape = (len(rows), trace.z[L + 1].shape[1], trace.z[L].shape[1])
    return Jacobians(form, np.array(matrices).reshape(shape))


def diagonal(trace: Trace, L: int, rows: NDArray[np.intp]) -> Array:
    """Return f'(z) of an elementwise layer: what it sends back for δ = 1 in every unit."""
    layer, params = trace.steps[L - 1].layer, trace.params[L - 1]
    assert layer is not None  # a sum's derivative is the identity
    z, z_next = np.ascontiguousarray(trace.z[L][rows]), np.ascontiguousarray(trace.z[L + 1][rows])
    out = np.empty_like(z)
    layer.backward(params, z, z_next, np.ones_like(z_next), out)
    return out
