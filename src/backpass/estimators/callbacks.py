"""What callbacks of a training are shown: one read-only state per epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpass.network import Network


@dataclass(frozen=True)
class EpochState:
    """A training after one epoch. Nothing in it can change the training.

    epoch : epochs done so far, counted from 1. theta : a copy, not writeable.
    loss : mean loss over the epoch, penalty included, as in `loss_curve_`.
    validation_score : on the rows set aside, their accuracy, or minus their mean loss with
        early_stopping="log_loss"; None without early stopping.
    learning_rate : the rate that the next epoch starts with. network : the network θ belongs to.
    """

    epoch: int
    theta: NDArray[np.float64]
    loss: float
    validation_score: float | None
    learning_rate: float
    network: Network


Callback = Callable[[EpochState], object]
