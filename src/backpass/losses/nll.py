"""Negative log-likelihood of log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.losses.base import Loss, class_labels, refuse_labels


@dataclass(frozen=True)
class NLLLoss(Loss):
    """Negative log-likelihood: loss = -z_y, the log-probability of the row's own class.

    Shapes      z, delta_in: (n_rows, n_classes), log-probabilities
                y: (n_rows,), integer classes 0 to n_classes - 1
    Derivative  ∂loss/∂z_k = -[k = y]
    Source      Kwitt (2018), network B and Figure 1, p. 2-3: -z_ik where 𝕀_k(y_i) ≠ 0.

    After `LogSoftmax` the network replaces both by their joint rule, see `pairs.py`.
    """

    def targets(self, y, n_rows, width, dtype):
        return class_labels(y, n_rows, width)

    def refuse_targets(self, targets, width):
        refuse_labels(targets, width)

    def value(self, z, y, loss_out):
        np.negative(z[np.arange(len(y)), y], out=loss_out)

    def delta(self, z, y, delta_in):
        delta_in[...] = 0.0
        delta_in[np.arange(len(y)), y] = -1.0

    def tangent(self, z, y, dot_z, dot_delta_in):
        dot_delta_in[...] = 0.0  # the loss is linear in z
