"""Sigmoid and binary cross-entropy in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.sigmoid import slope
from backpass.losses.base import Loss, refuse_outside_unit, unit_targets


@dataclass(frozen=True)
class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of logits: loss = ∑_k log(1 + e^{z_k}) - y_k z_k, summed over outputs.

    Shapes      z, delta_in: (n_rows, n_outputs), logits
                y: (n_rows, n_outputs), or (n_rows,) for one output; 0, 1 or in [0, 1]
    Derivative  ∂loss/∂z_k = sigm(z_k) - y_k
    Source      Kwitt (2018), Eq. 2 put into Eq. 4, p. 1-2: the joint rule of Sigmoid → BCELoss.

    Both are evaluated in the form without cancellation: with e = e^(-|z|),
    loss = (1 - y) max(z, 0) + y max(-z, 0) + log1p(e) and δ = (1 - y) sigm(z) - y sigm(-z),
    so a right label at logit 50 costs 1.9e-22, and a label 1 at logit -1e4 has δ = -1.
    """

    def targets(self, y, n_rows, width, dtype):
        return unit_targets(y, n_rows, width, dtype)

    def refuse_targets(self, targets, width):
        refuse_outside_unit(targets)

    def value(self, z, y, loss_out):
        terms = np.log1p(np.exp(-np.abs(z)))
        terms += (1.0 - y) * np.maximum(z, 0.0)
        terms += y * np.maximum(-z, 0.0)
        np.add.reduce(terms, axis=1, out=loss_out)

    def delta(self, z, y, delta_in):
        small = np.exp(-np.abs(z))
        right = np.where(z >= 0.0, 1.0, small)
        wrong = np.where(z >= 0.0, small, 1.0)
        np.divide((1.0 - y) * right - y * wrong, 1.0 + small, out=delta_in)

    def tangent(self, z, y, dot_z, dot_delta_in):
        np.multiply(slope(z), dot_z, out=dot_delta_in)
