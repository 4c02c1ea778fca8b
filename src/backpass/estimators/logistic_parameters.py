"""The constructor's parameters of LogisticRegression: which values have a meaning."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

SOLVERS = ("auto", "newton", "newton-cg", "lbfgs", "prox-newton")


def check_parameters(model: Any) -> None:
    """Raise ValueError for the first parameter that has no meaning."""
    if not _is_real(model.C) or not model.C > 0.0:
        raise ValueError(f"C is {model.C!r}; it is a positive number, np.inf for no penalty.")
    if not _is_real(model.l1_ratio) or not 0.0 <= model.l1_ratio <= 1.0:
        raise ValueError(f"l1_ratio is {model.l1_ratio!r}; it is a number from 0 to 1.")
    if not _is_real(model.tol) or not model.tol >= 0.0:
        raise ValueError(f"tol is {model.tol!r}; it is a number, 0 or more.")
    if not isinstance(model.max_iter, Integral) or model.max_iter < 1:
        raise ValueError(f"max_iter is {model.max_iter!r}; it is a whole number, 1 or more.")
    if model.firth and np.isfinite(model.C):
        raise ValueError(
            f"firth=True is Jeffreys' prior in place of a penalty, but C is {model.C:g}; "
            "set C=np.inf, or firth=False."
        )
    if model.solver not in SOLVERS:
        raise ValueError(f"solver is {model.solver!r}; it is one of {', '.join(SOLVERS)}.")


def _is_real(value: Any) -> bool:
    return isinstance(value, Real)
