"""Binary cross-entropy of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlog1py, xlogy

from backpass.losses.base import Loss, refuse_outside_unit, unit_targets


@dataclass(frozen=True)
class BCELoss(Loss):
    """Binary cross-entropy: loss = -∑_k y_k log π_k + (1 - y_k) log(1 - π_k), summed over outputs.

    Shapes      z = π, delta_in: (n_rows, n_outputs), probabilities of label 1
                y: (n_rows, n_outputs), or (n_rows,) for one output; 0, 1 or in [0, 1]
    Derivative  ∂loss/∂π_k = (1 - y_k) / (1 - π_k) - y_k / π_k
    Source      Kwitt (2018), Eq. 4 and 5, p. 2. One output is the note's network A;
                more outputs are as many independent labels (multilabel).

    A term with y_k = 0 or 1 - y_k = 0 is 0 whatever the logarithm, as in the likelihood (Eq. 3).
    After `Sigmoid` the network replaces both by their joint rule, see `pairs.py`.
    """

    def targets(self, y, n_rows, width, dtype):
        return unit_targets(y, n_rows, width, dtype)

    def refuse_targets(self, targets, width):
        refuse_outside_unit(targets)

    def value(self, z, y, loss_out):
        np.add.reduce(-xlogy(y, z) - xlog1py(1.0 - y, -z), axis=1, out=loss_out)

    def delta(self, z, y, delta_in):
        np.subtract(_share(1.0 - y, 1.0 - z), _share(y, z), out=delta_in)

    def tangent(self, z, y, dot_z, dot_delta_in):
        bend = _share(1.0 - y, np.square(1.0 - z)) + _share(y, np.square(z))
        np.multiply(bend, dot_z, out=dot_delta_in)


def _share(y, z):
    """Divide y by z where y is not 0; a label that did not occur asks nothing of π."""
    return np.divide(y, z, out=np.zeros_like(z), where=y != 0.0)
