"""The parameters that LogisticRegressionCV adds: which values have a meaning, and what they are."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

RULES = ("best", "1se")


def check_parameters(model: Any) -> None:
    """Raise ValueError for the first of the added parameters that has no meaning."""
    strengths(model.Cs)
    shares(model.l1_ratios)
    if model.rule not in RULES:
        raise ValueError(
            f"rule is {model.rule!r}; it is 'best', or '1se' for the strongest penalty within one "
            "standard error of the best."
        )


def strengths(Cs: Any) -> list[float]:
    """Return the inverse strengths to try, rising: the strongest penalty first."""
    if isinstance(Cs, Integral) and not isinstance(Cs, bool):
        if Cs < 1:
            raise ValueError(f"Cs is {Cs}; it is how many to try, 1 or more, or a list of them.")
        return [float(C) for C in np.logspace(-4.0, 4.0, int(Cs))]
    values = _listed("Cs", Cs, "how many strengths to try, or a list of positive numbers")
    for C in values:
        if not _is_real(C) or not C > 0.0:
            raise ValueError(f"Cs has {C!r}; each is a positive number, np.inf for no penalty.")
    return sorted(float(C) for C in values)


def shares(l1_ratios: Any) -> list[float]:
    """Return the shares of the L1 penalty to try, as they were given."""
    values = _listed("l1_ratios", l1_ratios, "a list of numbers from 0 to 1")
    for share in values:
        if not _is_real(share) or not 0.0 <= share <= 1.0:
            raise ValueError(f"l1_ratios has {share!r}; each is a number from 0 to 1.")
    return [float(share) for share in values]


def _listed(name: str, given: Any, what: str) -> list[Any]:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ValueError(f"{name} is {given!r}; it is {what}.")
    values = list(given)
    if not values:
        raise ValueError(f"{name} is empty; it is {what}.")
    return values


def _is_real(value: Any) -> bool:
    return isinstance(value, Real)
