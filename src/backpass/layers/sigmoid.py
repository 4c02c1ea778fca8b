"""The logistic sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class Sigmoid(Layer):
    """Logistic sigmoid: z_out = sigm(z_in) = 1 / (1 + e^(-z_in)), element by element.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, width)
    Derivative  ∂z_out/∂z_in = sigm(z_in) sigm(-z_in) = z_out (1 - z_out),
                hence δ_in = δ_out · z_out (1 - z_out)
    Source      Kwitt (2018), Eq. 2, p. 1.

    With e = e^(-|z|), which never overflows, sigm(|z|) = 1 / (1 + e) and sigm(-|z|) = e / (1 + e):
    both tails keep full relative precision. `1 - z_out` does not (it is 0 from z = 37 on,
    where the derivative is 1e-16), so `backward` starts from z_in.
    """

    def forward(self, params, z_in, z_out):
        small = np.exp(-np.abs(z_in))
        np.divide(np.where(z_in >= 0.0, 1.0, small), 1.0 + small, out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, slope(z_in), out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        np.multiply(dot_z_in, slope(z_in), out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        # sigm'' = sigm' · (sigm(-z) - sigm(z)) = -sigm' · tanh(z / 2)
        bend = -np.tanh(0.5 * z_in) * dot_z_in * delta_out
        np.multiply(dot_delta_out + bend, slope(z_in), out=dot_delta_in)


def slope(z):
    """sigm'(z) = e / (1 + e)² with e = e^(-|z|), to full relative precision in both tails."""
    small = np.exp(-np.abs(z))
    return small / np.square(1.0 + small)
