"""Log-softmax and negative log-likelihood in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backpass.layers.log_softmax import split_off_maximum
from backpass.losses.base import Loss, class_labels, refuse_labels


@dataclass(frozen=True)
class CrossEntropyLoss(Loss):
    """Cross-entropy of logits: loss = log ∑_j e^{z_j} - ∑_k q_k z_k.

    q is the target: 1 at the row's class, or with smoothing ε a mixture with the uniform
    distribution, q_k = (1 - ε) [k = y] + ε / n_classes.

    Shapes      z, delta_in: (n_rows, n_classes), logits
                y: (n_rows,), integer classes 0 to n_classes - 1
    Derivative  ∂loss/∂z_k = π_k - q_k with π = softmax(z)
    Source      Kwitt (2018), p. 3, "combines a log-softmax layer with the negative
                log-likelihood loss"; smoothing: Szegedy et al. (2016), as in PyTorch.

    Exact at any logit: with m the place of the maximum and s = ∑_{j≠m} e^{z_j - z_m},
    loss = ∑_k q_k (z_m - z_k) + log1p(s), and π_y - 1 is computed as -∑_{j≠y} π_j.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(f"{self!r}: label_smoothing must be between 0 and 1.")

    def targets(self, y, n_rows, width, dtype):
        return class_labels(y, n_rows, width)

    def refuse_targets(self, targets, width):
        refuse_labels(targets, width)

    def value(self, z, y, loss_out):
        below = np.empty_like(z)
        top, rest = split_off_maximum(z, below)
        np.subtract(top, z, out=below)
        own = np.take_along_axis(below, y[:, None], axis=1)
        smooth = self.label_smoothing
        expected = (
            own
            if smooth == 0.0
            else (1.0 - smooth) * own + smooth * below.mean(axis=1, keepdims=True)
        )
        np.add(expected[:, 0], np.log1p(rest[:, 0]), out=loss_out)

    def delta(self, z, y, delta_in):
        _, rest = split_off_maximum(z, delta_in)  # e^{z - z_m}, with 0 at the maximum
        at_top = z.argmax(axis=1)[:, None] if len(z) else y[:, None]
        own = y[:, None]
        # ∑_{j≠y} e^{z_j - z_m}: without the maximum's 1 where y is the maximum
        others = np.where(own == at_top, rest, 1.0 + (rest - np.take_along_axis(delta_in, own, 1)))
        np.put_along_axis(delta_in, at_top, 1.0, axis=1)
        np.put_along_axis(delta_in, own, -others, axis=1)
        np.divide(delta_in, 1.0 + rest, out=delta_in)
        if self.label_smoothing:
            share = self.label_smoothing
            np.put_along_axis(delta_in, own, np.take_along_axis(delta_in, own, 1) + share, axis=1)
            np.subtract(delta_in, share / z.shape[1], out=delta_in)

    def tangent(self, z, y, dot_z, dot_delta_in):
        _, rest = split_off_maximum(z, dot_delta_in)
        top = z.argmax(axis=1)[:, None]
        np.put_along_axis(dot_delta_in, top, 1.0, axis=1)
        pi = dot_delta_in / (1.0 + rest)
        # Seen from the maximum's ż, so that where π is 1 to the last bit -∑_{j≠m} π_j ż_j is left.
        turn = dot_z - np.take_along_axis(dot_z, top, axis=1)
        mean = (pi * turn).sum(axis=1, keepdims=True)
        np.multiply(pi, turn - mean, out=dot_delta_in)
