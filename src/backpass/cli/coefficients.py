"""The coefficients of a fitted linear model, named and on both scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backpass.cli import words
from backpass.encoding import Encoding

_MOST_CLASS_COLUMNS = 6


@dataclass(frozen=True)
class Coefficient:
    """One number of `coef_`. of: the class whose logit it adds to.

    per_deviation: the same for one standard deviation of its column, the scale on which
    coefficients compare; None where a model does not know its columns' deviations.
    Of an estimate of maximum likelihood, value is ±inf where classes are separated and NaN where
    the rows determine none; against: the class compared with; errors: std_err, z, p, low, high.
    """

    name: str
    of: str
    value: float
    per_deviation: float | None
    against: str | None = None
    errors: dict[str, float] | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the coefficient for JSON, which knows no infinity: "limit" says which way."""
        said = {
            "name": self.name,
            "class": self.of,
            "value": _finite(self.value),
            "per_deviation": _finite(self.per_deviation),
        }
        if self.errors is None:
            return said
        limit = {math.inf: "+inf", -math.inf: "-inf"}.get(self.value)
        errors = {name: _finite(value) for name, value in self.errors.items()}
        return said | {"against": self.against, "limit": limit} | errors


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def has_errors(model: Any) -> bool:
    """Tell whether a model is one of maximum likelihood whose fit kept its curvature."""
    return hasattr(model, "coef_") and bool(np.isinf(model.C)) and model._results is not None


def separated(model: Any) -> bool:
    """Tell whether classes are separated, so that the likelihood has its maximum at infinity."""
    return has_errors(model) and model._results.separation is not None


def reached(model: Any) -> str:
    """Say which objective a fit reached, and within what of the least that is proven to be."""
    at, gap = words.number(model.objective_, 7), words.number(model.gap_, 2)
    if separated(model):
        return f"{at}; the maximum is at infinity, where classes are separated"
    if not model.converged_:
        return f"{at}, NOT converged: proven only to be within {gap} of the minimum"
    return f"{at}, within {gap} of the minimum, proven"


def estimates(model: Any) -> tuple[list[Coefficient], list[Coefficient]]:
    """Return intercepts and coefficients of a fit with errors, each class against the same one.

    Columns in order, classes within. They are not `coef_` where that is centred over the classes,
    or where it is no more than the point at which a search for an infinite estimate ended.
    """
    results = model.summary()
    against, *of = map(str, results.account.classes)
    frame = results.to_frame().to_numpy().reshape(len(of), -1, 6)
    scales = [None] * len(model.coef_names_) if model.encoding_ is None else model.encoding_.scales
    n_intercepts = int(results.account.intercept)
    names = [*results.account.names[:n_intercepts], *map(str, model.coef_names_)]
    deviations = [*[None] * n_intercepts, *scales]
    listed = [
        Coefficient(
            name,
            label,
            float(row[0]),
            None if deviation is None else float(row[0] * deviation),
            against,
            dict(zip(("std_err", "z", "p", "low", "high"), map(float, row[1:]), strict=True)),
        )
        for j, (name, deviation) in enumerate(zip(names, deviations, strict=True))
        for label, row in zip(of, frame[:, j], strict=True)
    ]
    first = n_intercepts * len(of)
    return listed[:first], listed[first:]


def coefficients(model: Any) -> list[Coefficient]:
    """List a LogisticRegression's coefficients, columns in order, classes within; no intercepts.

    Words of free text, which have no order of their own, come by what they weigh.
    """
    scales = None if model.encoding_ is None else model.encoding_.scales
    classes = [str(label) for label in model.classes_.tolist()]
    of = classes[1:] if len(classes) == 2 else classes
    return [
        Coefficient(
            str(name),
            of[k],
            float(model.coef_[k, j]),
            None if scales is None else float(model.coef_[k, j] * scales[j]),
        )
        for j, name in _columns(model)
        for k in range(len(of))
    ]


def _columns(model: Any) -> list[tuple[int, str]]:
    """List place and name of every column, in the order to show them in."""
    named = list(enumerate(model.coef_names_))
    encoding = model.encoding_
    if not isinstance(encoding, Encoding) or not encoding.texts:
        return named
    weight = np.abs(model.coef_ * encoding.scales).max(axis=0)
    n_plain = encoding.mixed_columns.n_columns
    return named[:n_plain] + sorted(named[n_plain:], key=lambda one: -weight[one[0]])


def most_influential(listed: list[Coefficient], count: int) -> list[Coefficient]:
    """Return the largest coefficients by what one standard deviation of their column changes.

    Those that the rows do not determine have no size. Where no estimate is finite there is none to
    rank: which of two infinite ones is larger means nothing.
    """
    if not any(math.isfinite(c.value) for c in listed):
        return []
    listed = [c for c in listed if not math.isnan(c.value)]

    def size(coefficient: Coefficient) -> float:
        known = coefficient.per_deviation
        return abs(coefficient.value if known is None else known)

    return sorted(listed, key=size, reverse=True)[:count]


def table_rows(model: Any) -> tuple[list[str], list[list[float | str | None]]]:
    """Return heads and rows of the full table: one line per column of the model, intercept first.

    Up to six classes stand side by side; more are listed one below the other, class by class.
    """
    listed = coefficients(model)
    classes = [str(label) for label in model.classes_.tolist()]
    if len(classes) == 2:
        rows: list[list[float | str | None]] = [["(intercept)", float(model.intercept_[0]), None]]
        rows += [[c.name, c.value, c.per_deviation] for c in listed]
        return ["", "coefficient", "per std. dev."], rows
    if len(classes) <= _MOST_CLASS_COLUMNS:
        rows = [["(intercept)", *map(float, model.intercept_)]]
        rows += [[str(name), *map(float, model.coef_[:, j])] for j, name in _columns(model)]
        return ["", *classes], rows
    rows = [
        [of, "(intercept)", float(b), None] for of, b in zip(classes, model.intercept_, strict=True)
    ]
    rows += [[c.of, c.name, c.value, c.per_deviation] for c in listed]
    rows.sort(key=lambda row: classes.index(str(row[0])))
    return ["class", "", "coefficient", "per std. dev."], rows
