"""The coefficients of a fitted linear model, named and on both scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backpass.encoding import Encoding

_MOST_CLASS_COLUMNS = 6


@dataclass(frozen=True)
class Coefficient:
    """One number of `coef_`. of: the class whose logit it adds to.

    per_deviation: the same for one standard deviation of its column, the scale on which
    coefficients compare; None where a model does not know its columns' deviations.
    """

    name: str
    of: str
    value: float
    per_deviation: float | None

    def to_document(self) -> dict[str, Any]:
        """Return the coefficient for JSON."""
        return {
            "name": self.name,
            "class": self.of,
            "value": self.value,
            "per_deviation": self.per_deviation,
        }


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
    """Return the largest coefficients by what one standard deviation of their column changes."""

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
