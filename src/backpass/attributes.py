"""What a model file holds of an estimator beside network and θ: parameters, attributes, classes.

Each reader states what it expects, key by key, and raises DocumentError where a file differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.document import DocumentError

_WHOLE_TYPES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_LABEL_TYPES = ("str", "object", "bool", "float32", "float64", *_WHOLE_TYPES)

_finite_numbers = document.items(document.number)
_COMMON = {
    "n_features_in_": document.count,
    "feature_names_in_": document.items(document.text),
    "n_iter_": document.count,
}
# What a file keeps of each estimator beside network, θ, classes and encoding: attribute -> check.
ATTRIBUTES: dict[str, dict[str, document.Check]] = {
    "LogisticRegression": _COMMON
    | {
        "objective_": document.number,
        "cost_": document.number,
        "null_objective_": document.number,
        "gap_": document.real,
        "passes_": document.number,
        "converged_": document.flag,
        "has_offset_": document.flag,
        "coef_names_": document.items(document.text),
    },
    "MLPClassifier": _COMMON
    | {
        "loss_": document.number,
        "best_loss_": document.optional(document.number),
        "loss_curve_": _finite_numbers,
        "validation_scores_": document.optional(_finite_numbers),
        "best_validation_score_": document.optional(document.number),
        "t_": document.count,
    },
}
_NAME_ARRAYS = ("feature_names_in_", "coef_names_")
# NumPy gives every text of an array the room of the longest: characters of all together.
_MOST_CHARACTERS = 10_000_000


@dataclass(frozen=True)
class FitRecord:
    """What is worth knowing of a fit from a file later on; `fit_record_` of a fitted estimator.

    target, weight: column names. missing_values: the file's markers. class_totals: weight of each
    class in the rows fitted on, which makes the trivial model. test: held-out scores by name.
    fingerprint: of the decoded rows; None in files of format 1.
    """

    target: str
    weight: str | None
    missing_values: tuple[str, ...]
    class_totals: tuple[float, ...]
    n_rows: int
    seed: int
    test: Mapping[str, float | None] | None
    fingerprint: str | None = None

    @classmethod
    def from_document(cls, plain: Any, where: str) -> FitRecord:
        """Read a record, checking every field."""
        got = document.fields(
            plain,
            where,
            target=document.text,
            weight=document.optional(document.text),
            missing_values=document.items(document.text),
            class_totals=_finite_numbers,
            n_rows=document.count,
            seed=document.count,
            test=document.optional(_scores),
            fingerprint=document.optional(document.text),
        )
        return cls(**got)


def _scores(plain: Any, where: str) -> dict[str, float | None]:
    if type(plain) is not dict:
        raise DocumentError(f"{where} is not an object.")
    check = document.optional(document.number)
    return {document.text(k, where): check(v, f"{where}.{k}") for k, v in plain.items()}


def params_document(model: Any) -> dict[str, Any]:
    """Return the parameters that are plain values; the others play no part in prediction."""
    stored = {}
    for name, value in model.get_params(deep=False).items():
        try:
            stored[name] = document.wrapped(value)
        except TypeError:
            continue
    return stored


def params_from(plain: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read parameters by name. known: those that the estimator has."""
    values = document.unwrapped_by_name(plain, "params")
    strange = [name[:60] for name in values if name not in known]
    if strange:
        raise DocumentError(f"params names {strange[:5]}, which this estimator does not have.")
    return values


def fitted_document(model: Any) -> dict[str, Any]:
    """Return the fitted attributes as JSON holds them."""
    stored = {}
    for name in ATTRIBUTES[type(model).__name__]:
        if hasattr(model, name):
            value = getattr(model, name)
            value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            # Firth's gap is NaN, which JSON does not have.
            stored[name] = document.wrapped(value) if type(value) is float else value
    return stored


def fitted_from(plain: Any, estimator: str) -> dict[str, Any]:
    """Read the fitted attributes; all must be there but the names of an array's columns."""
    if type(plain) is not dict:
        raise DocumentError("fitted is not an object.")
    asked = dict(ATTRIBUTES[estimator])
    if "feature_names_in_" not in plain:
        del asked["feature_names_in_"]
    values = document.fields(plain, "fitted", **asked)
    for name, value in values.items():
        if name in _NAME_ARRAYS:
            values[name] = np.array(value, dtype=object)
        elif isinstance(value, tuple):
            values[name] = list(value)
    return values


def classes_document(classes: NDArray) -> dict[str, Any]:
    """Return labels with their type; ValueError where they are no plain values."""
    kind = "str" if classes.dtype.kind in "U" else classes.dtype.name
    if kind not in _LABEL_TYPES or (kind == "object" and not all(type(c) is str for c in classes)):
        raise ValueError(
            f"cannot save classes of type {classes.dtype}; labels are texts, numbers or booleans."
        )
    return {"type": kind, "labels": classes.tolist()}


def classes_from(plain: Any) -> NDArray:
    """Read labels into an array of their type."""
    got = document.fields(
        plain,
        "classes",
        type=document.one_of(*_LABEL_TYPES),
        labels=document.items(document.anything),
    )
    kind = got["type"]
    check = _label_check(kind)
    labels = [check(label, f"classes.labels[{i}]") for i, label in enumerate(got["labels"])]
    if kind == "str" and len(labels) * max(map(len, labels), default=0) > _MOST_CHARACTERS:
        raise DocumentError("classes has labels that are too long.")
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is looked for
        made = np.array(labels, dtype=kind)
    # Here and not before: an array may round numbers, and cut texts, to the same.
    if len(labels) < 2 or len(np.unique(made)) != len(labels):
        raise DocumentError("classes needs two labels or more, each once.")
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise DocumentError(f"classes has a label beyond {kind}.")
    return made


def _label_check(kind: str) -> document.Check:
    if kind in ("str", "object"):
        return document.text
    if kind == "bool":
        return document.flag
    if kind.startswith("float"):
        return document.number
    ends = np.iinfo(kind)

    def whole(value: Any, where: str) -> int:
        if type(value) is not int or not ends.min <= value <= ends.max:
            raise DocumentError(f"{where} is not a whole number of type {kind}.")
        return value

    return whole
