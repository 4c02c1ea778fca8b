"""From the scores of all splits to the candidate that is chosen, by one of two rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from backpass.estimators.crossing import Path

Vector = NDArray[np.float64]


def gathered(paths: Sequence[Sequence[Path]], what: str) -> NDArray:
    """Return one number of every fit, (n_splits, n_l1_ratios, n_Cs)."""
    return np.array([[getattr(path, what) for path in split] for split in paths])


def results(
    paths: Sequence[Sequence[Path]], Cs: Sequence[float], l1_ratios: Sequence[float], n_rows: int
) -> dict[str, Any]:
    """Return what GridSearchCV calls cv_results_: a column per (l1_ratio, C), C running fastest."""
    scores = gathered(paths, "scores").reshape(len(paths), -1)
    ratio, C = (side.ravel() for side in np.meshgrid(l1_ratios, Cs, indexing="ij"))
    mean = scores.mean(axis=0)
    params = [{"C": c, "l1_ratio": r} for c, r in zip(C.tolist(), ratio.tolist(), strict=True)]
    if np.isnan(mean).any():
        raise ValueError(
            f"the score of {params[int(np.isnan(mean).argmax())]} is nan, so nothing can be "
            "chosen; look at `scoring`: a split may lack what it needs, such as rows of a class."
        )
    passes = gathered(paths, "rows_evaluated").sum(axis=0).ravel() / n_rows
    return {
        "params": params,
        "param_C": C,
        "param_l1_ratio": ratio,
        **{f"split{place}_test_score": row for place, row in enumerate(scores)},
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=0),  # of the splits, as in GridSearchCV
        "se_test_score": standard_error(scores),
        "rank_test_score": rankdata(-mean, method="min").astype(np.int32),
        "passes": passes,
        "gap": gathered(paths, "gap").max(axis=0).ravel(),
        "converged": gathered(paths, "converged").all(axis=0).ravel(),
    }


def standard_error(scores: Vector) -> Vector:
    """Return the standard error of the mean over splits, by column; nan for a single split."""
    if len(scores) < 2:
        return np.full(scores.shape[1], np.nan)
    return scores.std(axis=0, ddof=1) / np.sqrt(len(scores))


def best(found: dict[str, Any]) -> int:
    """Return the candidate of the best mean score; of equals the first, so the smallest C."""
    return int(found["mean_test_score"].argmax())


def strongest_within_one_error(found: dict[str, Any]) -> int:
    """Return the smallest C, at the best l1_ratio, that is within a standard error of the best.

    Source: Breiman, Friedman, Olshen & Stone (1984), section 3.4.3: the simplest of the models that
    the data cannot tell from the best.
    """
    top = best(found)
    error = found["se_test_score"][top]
    mean, ratio = found["mean_test_score"], found["param_l1_ratio"]
    enough = (mean >= mean[top] - error) & (ratio == ratio[top])
    return int(np.flatnonzero(enough)[0]) if enough.any() else top


def coefficients(paths: Sequence[Sequence[Path]], names: Sequence[str]) -> NDArray[np.float64]:
    """Return (n_splits, n_l1_ratios, n_Cs, n_outputs, n_columns + 1), the intercept last.

    names: of the columns that the whole has; nan where a split did not have one.
    """
    place = {name: column for column, name in enumerate(names)}
    first = paths[0][0].theta[0]
    shape = (len(paths), len(paths[0]), len(paths[0][0].theta), len(first), len(names) + 1)
    out = np.full(shape, np.nan)
    for split, row in enumerate(paths):
        for ratio, path in enumerate(row):
            for turn, (theta, own) in enumerate(zip(path.theta, path.names, strict=True)):
                known = [column for column, name in enumerate(own) if name in place]
                to = [place[own[column]] for column in known]
                out[split, ratio, turn][:, [*to, -1]] = theta[:, [*known, -1]]
    return out
