"""Values together with their derivative along a direction, for exact Hessian products.

An array of shape (2, n_rows, width) carries z and ż. `DualLayer` and `DualLoss` dress a layer and a
loss so that the network's two loops carry such pairs through unchanged: forward, ż follows z;
backward, δ̇ follows δ; and ∂C/∂θ comes with its derivative along the direction, H·direction.
Source: Pearlmutter (1994), "Fast exact multiplication by the Hessian".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backpass.layers.base import Layer
from backpass.losses.base import Loss
from backpass.steps import Step
from backpass.theta import Array


def lane(params: Mapping[str, Array], index: int) -> dict[str, Array]:
    """Pick the values (0) or the direction (1) out of stacked parameters."""
    return {name: array[index] for name, array in params.items()}


@dataclass(frozen=True)
class DualLayer(Layer):
    """A layer on pairs (z, ż) and (δ, δ̇); params and grad are stacked the same way."""

    layer: Layer

    def forward(self, params, z_in, z_out):
        here, dot = lane(params, 0), lane(params, 1)
        self.layer.forward(here, z_in[0], z_out[0])
        self.layer.tangent(here, dot, z_in[0], z_out[0], z_in[1], z_out[1])

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        here, dot = lane(params, 0), lane(params, 1)
        self.layer.backward(here, z_in[0], z_out[0], delta_out[0], delta_in[0])
        self.layer.backward_tangent(
            here, dot, z_in[0], z_out[0], z_in[1], z_out[1], delta_out[0], delta_out[1], delta_in[1]
        )

    def gradient(self, params, z_in, z_out, delta_out, grad):
        here, dot = lane(params, 0), lane(params, 1)
        self.layer.gradient(here, z_in[0], z_out[0], delta_out[0], lane(grad, 0))
        self.layer.gradient_tangent(
            here, dot, z_in[0], z_out[0], z_in[1], z_out[1],
            delta_out[0], delta_out[1], lane(grad, 1),
        )  # fmt: skip


@dataclass(frozen=True)
class DualLoss(Loss):
    """A loss on pairs (z, ż): the value is the plain loss, δ comes with δ̇."""

    loss: Loss

    def targets(self, y, n_rows, width, dtype):
        return self.loss.targets(y, n_rows, width, dtype)

    def refuse_targets(self, targets, width):
        self.loss.refuse_targets(targets, width)

    def value(self, z, y, loss_out):
        self.loss.value(z[0], y, loss_out)

    def delta(self, z, y, delta_in):
        self.loss.delta(z[0], y, delta_in[0])
        self.loss.tangent(z[0], y, z[1], delta_in[1])

    def tangent(self, z, y, dot_z, dot_delta_in):
        raise NotImplementedError("a second direction through the recursion is not needed here.")


def dual_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Dress every layer of an unrolled network; sums stay, since ż of a sum is the sum of the ż."""
    return tuple(
        step if step.layer is None else replace(step, layer=DualLayer(step.layer)) for step in steps
    )
