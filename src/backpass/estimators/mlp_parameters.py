"""Checks of an MLPClassifier's parameters: each says what came and what the parameter takes."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backpass.estimators.stack import ACTIVATIONS

CHOICES = {
    "activation": tuple(ACTIVATIONS),
    "solver": ("adam", "sgd", "lbfgs"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "dtype": ("float32", "float64"),
}
# name: (least, most, whether least and most themselves are allowed)
RANGES: dict[str, tuple[float, float, bool, bool]] = {
    "alpha": (0.0, np.inf, True, False),
    "learning_rate_init": (0.0, np.inf, False, False),
    "power_t": (0.0, np.inf, True, False),
    "momentum": (0.0, 1.0, True, True),
    "beta_1": (0.0, 1.0, True, False),
    "beta_2": (0.0, 1.0, True, False),
    "epsilon": (0.0, np.inf, False, False),
    "validation_fraction": (0.0, 1.0, False, False),
    "tol": (0.0, np.inf, True, False),
    "dropout": (0.0, 1.0, True, False),
    "n_iter_no_change": (1.0, np.inf, True, True),
}


def check_parameters(model: Any) -> None:
    """Raise ValueError for the first parameter that has no meaning."""
    for name, choices in CHOICES.items():
        value = getattr(model, name)
        if str(value) not in choices:
            raise ValueError(f"{name} is {value!r}; it is one of {', '.join(map(repr, choices))}.")
    for name, (least, most, with_least, with_most) in RANGES.items():
        value = getattr(model, name)
        number = float(value) if isinstance(value, Real) else np.nan
        inside = (
            least < number < most
            or (with_least and number == least)
            or (with_most and number == most)
        )
        if not inside:
            edges = f"{'[' if with_least else '('}{least:g}, {most:g}{']' if with_most else ')'}"
            raise ValueError(f"{name} is {value!r}; it is a number in {edges}.")
    if not isinstance(model.max_iter, Integral) or model.max_iter < 1:
        raise ValueError(f"max_iter is {model.max_iter!r}; it is a whole number, 1 or more.")
    if str(model.early_stopping) not in ("False", "True", "log_loss"):
        raise ValueError(
            f"early_stopping is {model.early_stopping!r}; it is False, True (by accuracy) or "
            "'log_loss'."
        )
    batch = model.batch_size
    if batch != "auto" and (not isinstance(batch, Integral) or batch < 1):
        raise ValueError(f"batch_size is {batch!r}; it is 'auto' or a whole number, 1 or more.")
    if model.solver == "lbfgs":
        for name in ("dropout", "early_stopping", "callbacks"):
            if getattr(model, name):
                raise ValueError(
                    f"{name}={getattr(model, name)!r} belongs to training in epochs, which "
                    "solver='lbfgs' does not do; use 'adam' or 'sgd'."
                )


def check_partial(model: Any, classes: ArrayLike | None) -> None:
    """Raise ValueError where a call of partial_fit cannot be done, or lacks its classes."""
    first = not hasattr(model, "classes_")
    if model.early_stopping:
        raise ValueError(
            "partial_fit sees rows only once, so early_stopping=True cannot set any aside; "
            "use early_stopping=False."
        )
    if isinstance(model.class_weight, str):
        raise ValueError(
            f"class_weight={model.class_weight!r} needs all rows at once; give a dict."
        )
    if first and classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if not first and classes is not None:
        named = np.unique(np.asarray(classes))
        if not np.array_equal(model.classes_, named):
            raise ValueError(
                f"classes={named.tolist()} is not the same as on the last call to "
                f"partial_fit, {model.classes_.tolist()}."
            )


def hidden_sizes(given: Any) -> list[int]:
    """Return hidden_layer_sizes as a list; one number is one layer."""
    sizes = list(given) if isinstance(given, Iterable) else [given]
    for size in sizes:
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(
                f"hidden_layer_sizes is {given!r}; sizes are whole numbers, 1 or more."
            )
    return [int(size) for size in sizes]
