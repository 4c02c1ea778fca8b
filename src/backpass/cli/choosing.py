"""`fit --cv`: the penalty's strength by the log-loss on rows left out, fold by fold.

Columns are learned anew in each fold, since means and levels of the rows left out would tell the
fit about them. Within a fold the path runs from the strongest penalty to the weakest, each fit
starting where the last one ended.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backpass.cli.measuring import measured
from backpass.data.dataset import Dataset, Store
from backpass.streaming import fold

N_FOLDS = 5
STRENGTHS = tuple(float(C) for C in np.logspace(-4.0, 4.0, 10))


@dataclass(frozen=True)
class Tried:
    """One strength: the mean of the folds' log-losses, and the standard error of that mean."""

    C: float
    log_loss: float
    error: float


def choose(
    made: Callable[[], Any],
    table: Store,
    seed: int,
    path: Path,
    on_turn: Callable[[str], object],
) -> tuple[float, list[Tried]]:
    """Return the strength of least log-loss, and what was tried.

    made: makes the estimator. on_turn: told in words which fit is next.
    """
    losses = np.empty((N_FOLDS, len(STRENGTHS)))
    for place in range(N_FOLDS):
        kept, left_out = fold(table, place, N_FOLDS, seed)
        data, model = Dataset(None, kept, {}), made().set_params(warm_start=True)
        for turn, C in enumerate(STRENGTHS):
            on_turn(f"fold {place + 1} of {N_FOLDS}, C = {C:.3g}")
            model.set_params(C=C)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the fit that is kept says what there is to say
                model.fit(data)
            tally, _ = measured(model, left_out, None, [], path)
            losses[place, turn] = tally.scores().log_loss
    means = losses.mean(axis=0)
    errors = losses.std(axis=0, ddof=1) / np.sqrt(N_FOLDS)
    tried = [Tried(*map(float, row)) for row in zip(STRENGTHS, means, errors, strict=True)]
    return STRENGTHS[int(means.argmin())], tried
