"""From an objective and where its fit ended to the results that people read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from backpass.inference.covariance import covariance, group_codes
from backpass.inference.estimates import Account
from backpass.inference.optimum import Optimum
from backpass.inference.results import Results

FAR = 0.05  # standard errors off the optimum: then rows or weights are not those of the fit


def results(
    account: Account,
    optimum: Optimum,
    cov: str = "hessian",
    groups: ArrayLike | None = None,
    read: Callable[[Any, Any], Any] | None = None,
    n_jobs: int | None = -1,
) -> Results:
    """Return the results at an optimum with the covariance asked for. Raises ValueError.

    read: turns rows and offsets as users give them into arrays as the fit saw them.
    """
    likelihood = optimum.likelihood
    if account.class_weight and cov != "HC0":
        raise ValueError(
            f"with class_weight cov={cov!r} is not offered: such weights count no rows. Use "
            "cov='HC0', whose errors are right for them, or fit with class_weight=None."
        )
    seen = covariance(likelihood, optimum.beta, optimum.inverse, cov, groups, account.class_weight)
    given = likelihood.scale.covariance(seen, likelihood.n_contrasts)
    n_groups = None if groups is None else group_codes(groups, likelihood)[1]
    return Results(account, optimum, cov, given, n_groups, read, n_jobs)


def refuse_other_rows(optimum: Optimum, reached: bool) -> None:
    """Raise ValueError where the rows are not those of the fit: the gradient is then not zero."""
    if reached and not optimum.decrement <= FAR:
        raise ValueError(
            "X, y, sample_weight and offset are not those of the fit: on them the estimates are "
            f"{optimum.decrement:.3g} standard errors off the maximum of the likelihood. Give the "
            "rows of the fit, or fit again."
        )
