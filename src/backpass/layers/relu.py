"""The rectified linear unit, the note's own example of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class ReLU(Layer):
    """Rectified linear unit: z_out = max(0, z_in), element by element.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, width)
    Derivative  ∂z_out/∂z_in = [z_in > 0], hence δ_in = δ_out · [z_in > 0]
    Source      Kwitt (2018), Example, p. 4-5; the derivative at 0 is 0, as there.
    """

    def forward(self, params, z_in, z_out):
        np.maximum(z_in, 0.0, out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, z_in > 0.0, out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        np.multiply(dot_z_in, z_in > 0.0, out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        # The second derivative is 0 on both sides of the kink, and 0 at it by the convention.
        np.multiply(dot_delta_out, z_in > 0.0, out=dot_delta_in)
