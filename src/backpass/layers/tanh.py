"""The hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class Tanh(Layer):
    """Hyperbolic tangent: z_out = tanh(z_in), element by element.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, width)
    Derivative  ∂z_out/∂z_in = 1 - z_out² = (1 - z_out)(1 + z_out),
                hence δ_in = δ_out · (1 - z_out)(1 + z_out)
    Source      tanh(z) = 2 sigm(2z) - 1 with Kwitt (2018), Eq. 2; the note's recursion, p. 4.

    The factored form rounds once less near saturation than 1 - z_out².
    """

    def forward(self, params, z_in, z_out):
        np.tanh(z_in, out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, (1.0 - z_out) * (1.0 + z_out), out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        np.multiply(dot_z_in, (1.0 - z_out) * (1.0 + z_out), out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        slope = (1.0 - z_out) * (1.0 + z_out)
        np.multiply(dot_delta_out, slope, out=dot_delta_in)
        dot_delta_in -= 2.0 * z_out * dot_z_out * delta_out
