"""The affine layer, the only built-in one with parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class Linear(Layer):
    """Affine map: z_out = z_in Wᵀ + b, that is z_out_k = ⟨w_k, z_in⟩ + b_k for each output k.

    Shapes      z_in, delta_in: (n_rows, n_in); z_out, delta_out: (n_rows, n_out)
                weight: (n_out, n_in), one row w_k per output; bias: (n_out,). As in PyTorch.
    Derivative  ∂z_out_k/∂z_in_i = w_ki, hence δ_in = δ_out W
                ∂z_out_k/∂w_ki = z_in_i, hence ∂C/∂W = δ_outᵀ z_in, summed over rows
                ∂z_out_k/∂b_k = 1, hence ∂C/∂b = ∑_rows δ_out
    Source      Kwitt (2018), Eq. 1, p. 1; ⟨θ_k, x⟩ on p. 2.

    The bias trick of Eq. 1 writes ⟨w, x⟩ + b as ⟨θ, x⟩ with θ = [b, w] and x = [1, x]: the
    bias is the weight of an input that is always one. So the rule for b is the rule for w
    with z_in_i = 1, which is how `gradient` computes it. The trick stays in the
    algebra: a column of ones in the data would cost a copy of the data.
    """

    n_in: int
    n_out: int
    bias: bool = True

    def __post_init__(self) -> None:
        for field in ("n_in", "n_out"):
            count = getattr(self, field)
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
                raise ValueError(f"{self!r}: {field} must be a whole number, 1 or more.")

    def shapes(self):
        shapes = {"weight": (self.n_out, self.n_in)}
        if self.bias:
            shapes["bias"] = (self.n_out,)
        return shapes

    @property
    def input_width(self):
        return self.n_in

    def output_width(self, n_in):
        return self.n_out

    def forward(self, params, z_in, z_out):
        np.matmul(z_in, params["weight"].T, out=z_out)
        if self.bias:
            np.add(z_out, params["bias"], out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.matmul(delta_out, params["weight"], out=delta_in)

    def gradient(self, params, z_in, z_out, delta_out, grad):
        np.matmul(delta_out.T, z_in, out=grad["weight"])
        if self.bias:
            np.add.reduce(delta_out, axis=0, out=grad["bias"])

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        # The map is bilinear in (W, z), so the product rule is all there is.
        np.matmul(dot_z_in, params["weight"].T, out=dot_z_out)
        dot_z_out += z_in @ dot_params["weight"].T
        if self.bias:
            dot_z_out += dot_params["bias"]

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        np.matmul(dot_delta_out, params["weight"], out=dot_delta_in)
        dot_delta_in += delta_out @ dot_params["weight"]

    def gradient_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_grad,
    ):  # fmt: skip
        np.matmul(dot_delta_out.T, z_in, out=dot_grad["weight"])
        dot_grad["weight"][...] += delta_out.T @ dot_z_in
        if self.bias:
            np.add.reduce(dot_delta_out, axis=0, out=dot_grad["bias"])

    def gradient_per_row(self, params, z_in, z_out, delta_out, grad):
        np.multiply(delta_out[:, :, None], z_in[:, None, :], out=grad["weight"])
        if self.bias:
            grad["bias"][...] = delta_out
