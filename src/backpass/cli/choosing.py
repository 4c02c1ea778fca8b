"""`fit --cv`: the penalty's strength by the log-loss on rows left out, fold by fold.

It is `LogisticRegressionCV` over the rows of a file, with folds drawn by --seed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backpass.data.dataset import Dataset, Store
from backpass.data.errors import DataError

N_FOLDS = 5


@dataclass(frozen=True)
class Tried:
    """One strength: the mean of the folds' log-losses, and the standard error of that mean."""

    C: float
    log_loss: float
    error: float


def choose(model: Any, table: Store, seed: int, path: Path) -> tuple[float, list[Tried]]:
    """Return the strength of least log-loss for a LogisticRegression, and what was tried."""
    from backpass.estimators import LogisticRegressionCV
    from backpass.estimators.folds import stratified

    folds = stratified(N_FOLDS, table.labels.read(slice(None)), seed)
    search = LogisticRegressionCV(cv=folds, refit=False)
    own = model.get_params()
    search.set_params(**{name: own[name] for name in search.get_params() if name in own})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit that is kept says what there is to say
            search.fit(Dataset(None, table, {}))
    except DataError as error:
        raise error.in_file(path) from None
    found = search.cv_results_
    columns = (found["param_C"], -found["mean_test_score"], found["se_test_score"])
    return search.C_, [Tried(*map(float, row)) for row in zip(*columns, strict=True)]
