"""Lowering: a visible table of the layers and losses that the compiled plan understands.

`lower` rewrites a network of these into one `Plan`, tables of numbers that a single compiled
function runs through without coming back to Python between layers. A network with any other layer
(a user's own, say) has no plan and runs layer by layer. Results are equal up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.batch import Batch
from backpass.layers import Dropout, Linear, ReLU, Sigmoid, Tanh
from backpass.losses import BCEWithLogitsLoss, CrossEntropyLoss, Loss
from backpass.steps import Step
from backpass.tape import Tape
from backpass.theta import Layout

# The numbers are those of kernels/plan.py; that is imported when a plan first runs: Numba is heavy.
LINEAR, JOIN = 0, 5
KINDS = {Linear: LINEAR, ReLU: 1, Tanh: 2, Sigmoid: 3, Dropout: 4}
LOSSES = {CrossEntropyLoss: 0, BCEWithLogitsLoss: 1}

NO_LABELS, NO_WEIGHT = np.empty(0, np.int64), np.empty(0)
NO_TARGETS = {np.dtype(kind): np.empty((0, 1), kind) for kind in (np.float64, np.float32)}


@dataclass(frozen=True, eq=False)
class Plan:
    """A network as tables of numbers; `kernels.plan.plan_cost_gradient` describes them."""

    steps: NDArray[np.int64]
    feeds_start: NDArray[np.int64]
    feeds: NDArray[np.int64]
    lowest: int
    loss_kind: int
    smoothing: float

    def run(
        self, theta: NDArray, cut: Batch, tape: Tape, grad: NDArray
    ) -> tuple[float, float, bool]:
        """Evaluate one slice on a tape; fill grad unless it is empty.

        Returns the cost, the sum of squares of all z, δ and grad, and whether the loss has a
        meaning for every target; where not, nothing was evaluated.
        """
        from backpass.kernels.plan import plan_cost_gradient

        if len(cut.X) == 0:
            grad[...] = 0.0
            return 0.0, 0.0, True
        labelled = self.loss_kind == LOSSES[CrossEntropyLoss]
        if len(grad):
            tape.allocate_delta()
        return plan_cost_gradient(
            self.steps, self.feeds_start, self.feeds, tape.level_widths, tape.offsets, self.lowest,
            self.loss_kind, self.smoothing,
            theta, cut.X,
            cut.y if labelled else NO_LABELS,
            NO_TARGETS[tape.dtype] if labelled else cut.y,
            NO_WEIGHT if cut.weight is None else cut.weight,
            tape.z_flat, tape.delta_flat, tape.loss, grad,
        )  # fmt: skip


def lower(steps: Sequence[Step], loss: Loss, layout: Layout, lowest: int) -> Plan | None:
    """Return a network's plan, or None where a layer or the loss is not in the tables above."""
    if type(loss) not in LOSSES or not steps:
        return None
    table = np.full((len(steps), 4), -1, dtype=np.int64)
    for L, step in enumerate(steps):
        if step.layer is None:
            table[L, 0], table[L, 3] = JOIN, step.skip
        elif type(step.layer) in KINDS:
            table[L, 0] = KINDS[type(step.layer)]
        else:
            return None
        for column, name in ((1, "weight"), (2, "bias")):
            where = layout.slices.get(f"{step.key}.{name}")
            if where is not None:
                table[L, column] = where.start
    return Plan(
        steps=table,
        feeds_start=np.cumsum([0, *(len(step.also_feeds) for step in steps)]),
        feeds=np.array([join for step in steps for join in step.also_feeds], dtype=np.int64),
        lowest=lowest,
        loss_kind=LOSSES[type(loss)],
        smoothing=float(getattr(loss, "label_smoothing", 0.0)),
    )
