"""The softmax, class probabilities from scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class Softmax(Layer):
    """Softmax: z_out_k = π_k = e^{z_k} / ∑_j e^{z_j}, row by row.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, n_classes)
    Derivative  ∂π_j/∂z_i = π_j ([i = j] - π_i), hence δ_in_i = π_i (δ_out_i - ∑_j δ_out_j π_j)
    Source      Kwitt (2018), softmax posterior, p. 2.

    The row's maximum is taken off first: it cancels in the quotient, and no exponential overflows.
    """

    def forward(self, params, z_in, z_out):
        np.subtract(z_in, z_in.max(axis=1, keepdims=True), out=z_out)
        np.exp(z_out, out=z_out)
        np.divide(z_out, z_out.sum(axis=1, keepdims=True), out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        mean = (delta_out * z_out).sum(axis=1, keepdims=True)
        np.multiply(z_out, delta_out - mean, out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        # The Jacobian is symmetric: a direction goes forward by the sum by which δ goes back.
        mean = (dot_z_in * z_out).sum(axis=1, keepdims=True)
        np.multiply(z_out, dot_z_in - mean, out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        mean = (delta_out * z_out).sum(axis=1, keepdims=True)
        dot_mean = (dot_delta_out * z_out + delta_out * dot_z_out).sum(axis=1, keepdims=True)
        np.multiply(z_out, dot_delta_out - dot_mean, out=dot_delta_in)
        dot_delta_in += dot_z_out * (delta_out - mean)
