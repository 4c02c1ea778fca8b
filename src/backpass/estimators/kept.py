"""A fitted estimator from the parts that a file holds: do they fit each other, and what was kept.

For `summary()` of a LogisticRegression a file keeps, at C=inf, the results without rows; at finite
C the deviations of an array's columns, of which the table is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.document import DocumentError
from backpass.estimators import logistic_parameters, mlp_parameters, stack
from backpass.estimators.minimum import own_network
from backpass.estimators.statistics import Statistics
from backpass.inference import kept

RESULTS = "results."  # before the names of arrays that belong to the results


def put_together(model: Any, multilabel: bool) -> None:
    """Check the parts of a model, and set what they make; ValueError where they do not fit."""
    encoding, names = model.encoding_, getattr(model, "feature_names_in_", None)
    n_in = model.n_features_in_ if encoding is None else len(encoding.coef_names)
    if names is not None and len(names) != model.n_features_in_:
        raise ValueError(f"{len(names)} names for {model.n_features_in_} columns.")
    if encoding is not None and names is None:  # the fit was on an array
        for name in encoding.column_names:
            if not _names_place(name, model.n_features_in_):
                raise ValueError(f"'{name[:60]}' names no column of an array.")
    if isinstance(model, Statistics):
        _put_linear(model, n_in)
        return
    mlp_parameters.check_parameters(model)
    stack.own_network(model.network_, n_in, len(model.classes_), multilabel)
    model._multilabel = multilabel


def _put_linear(model: Any, n_in: int) -> None:
    logistic_parameters.check_parameters(model)
    n_outputs = 1 if len(model.classes_) == 2 else len(model.classes_)
    parts = model.network_.parameters(model.theta_)
    model.fit_intercept = "0.bias" in parts
    expected = own_network(n_in, n_outputs, model.fit_intercept)
    if (model.network_.layers, model.network_.loss) != (expected.layers, expected.loss):
        raise ValueError(
            f"the network is {model.network_!r}; for {n_in} columns and {len(model.classes_)} "
            f"classes it is {expected!r}."
        )
    if len(model.coef_names_) != n_in:
        raise ValueError(f"{len(model.coef_names_)} names for {n_in} coefficients.")
    model.coef_ = parts["0.weight"].copy()
    model.intercept_ = parts["0.bias"].copy() if model.fit_intercept else np.zeros(n_outputs)


def _names_place(name: str, n_columns: int) -> bool:
    place = name[1:]
    return name[:1] == "x" and place.isdecimal() and place.isascii() and int(place) < n_columns


def to_file(model: Any) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any] | None]:
    """Return arrays by name and a document; None for an estimator without `summary`."""
    if not isinstance(model, Statistics):
        return {}, None
    arrays: dict[str, NDArray[np.float64]] = {}
    said: dict[str, Any] = {"target": model._target, "stride": 1, "results": None}
    if model.encoding_ is None and model._spread is not None:
        arrays["deviations"], said["stride"] = model._spread[0], int(model._spread[1])
    if model._results is not None:
        found, said["results"] = kept.to_file(model._results, model._known())
        arrays |= {RESULTS + name: array for name, array in found.items()}
    return arrays, said


def restore(model: Any, arrays: Mapping[str, NDArray[np.float64]], plain: Any) -> None:
    """Give a model back what `to_file` kept; DocumentError where it is not of this model."""
    if plain is None or not isinstance(model, Statistics):
        if plain is not None or arrays:
            raise DocumentError("holds statistics of another estimator, or none for its arrays.")
        return
    got = document.fields(
        plain,
        "statistics",
        target=document.text,
        stride=document.count,
        results=document.anything,
    )
    model._target = got["target"]
    of_results = {
        name.removeprefix(RESULTS): array
        for name, array in arrays.items()
        if name.startswith(RESULTS)
    }
    others = {name: array for name, array in arrays.items() if not name.startswith(RESULTS)}
    deviations = others.pop("deviations", None)
    if others or (got["results"] is None and of_results):
        raise DocumentError(f"has arrays of no use: {sorted(others or of_results)[:5]}.")
    if deviations is not None:
        if deviations.shape != (model.coef_.shape[1],) or not got["stride"]:
            raise DocumentError("deviations are not one for each column.")
        model._spread = deviations, got["stride"]
    if got["results"] is not None:
        where = "statistics.results"
        model._results = kept.from_file(of_results, got["results"], model._known(), where)
