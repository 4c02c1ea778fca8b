"""Dropout: the identity in a network, a random mask while a trainer runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.base import Layer


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout with probability p: as a layer of a network, the identity z_out = z_in.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, width)
    Derivative  ∂z_out/∂z_in = 1, hence δ_in = δ_out
    Source      Srivastava et al. (2014), in the inverted form: kept values are scaled by 1/(1-p)
                in training, so prediction changes nothing. The note's recursion, p. 4.

    A layer keeps no generator, so it cannot draw. The trainer hands the mask in as the
    constant `mask` beside the parameters: 0 or 1/(1-p) per value, a function of
    (seed, layer, epoch, row number). Then z_out = z_in · mask and δ_in = δ_out · mask.
    """

    p: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.p < 1.0:
            raise ValueError(f"{self!r}: p is a probability, 0 <= p < 1.")

    def forward(self, params, z_in, z_out):
        np.multiply(z_in, params.get("mask", 1.0), out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, params.get("mask", 1.0), out=delta_in)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        np.multiply(dot_z_in, params.get("mask", 1.0), out=dot_z_out)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        np.multiply(dot_delta_out, params.get("mask", 1.0), out=dot_delta_in)
