"""The log-softmax, logarithms of class probabilities from scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class LogSoftmax(Layer):
    """Log-softmax: z_out_k = log π_k = z_k - log ∑_j e^{z_j}, row by row.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, n_classes)
    Derivative  ∂z_out_j/∂z_in_i = [i = j] - π_i with π = e^{z_out},
                hence δ_in_i = δ_out_i - π_i ∑_j δ_out_j
    Source      Kwitt (2018), network B and Figure 1, p. 3.

    With m the place of the row's maximum, log ∑_j e^{z_j} = z_m + log1p(∑_{j≠m} e^{z_j - z_m}):
    nothing overflows, and a class that is nearly certain keeps its log-probability
    (-1.9e-22 for two classes 50 apart, where log(1 - 1.9e-22) would be 0).
    """

    def forward(self, params, z_in, z_out):
        top, rest = split_off_maximum(z_in, z_out)
        np.subtract(z_in, top, out=z_out)
        np.subtract(z_out, np.log1p(rest), out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        total = delta_out.sum(axis=1, keepdims=True)
        np.subtract(delta_out, np.exp(z_out) * total, out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        mean = (np.exp(z_out) * dot_z_in).sum(axis=1, keepdims=True)
        np.subtract(dot_z_in, mean, out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        total = delta_out.sum(axis=1, keepdims=True)
        dot_total = dot_delta_out.sum(axis=1, keepdims=True)
        pi = np.exp(z_out)
        np.subtract(dot_delta_out, pi * (dot_total + dot_z_out * total), out=dot_delta_in)


def split_off_maximum(z, scratch):
    """Return each row's maximum z_m and ∑_{j≠m} e^{z_j - z_m}, (n_rows, 1); overwrites scratch."""
    if not len(z):
        return z[:, :1], z[:, :1]
    place = z.argmax(axis=1)[:, None]
    top = np.take_along_axis(z, place, axis=1)
    np.exp(np.subtract(z, top, out=scratch), out=scratch)
    np.put_along_axis(scratch, place, 0.0, axis=1)
    return top, scratch.sum(axis=1, keepdims=True)
