"""`fit(data, formula="y ~ C(race) + age:lwt")`: a table, and R's words for what to make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.data.table import as_table, is_table
from backpass.estimators.beside import Beside, target_name
from backpass.estimators.inputs import check_lengths
from backpass.formula import Design, parse_formula


def learn_design(estimator: Any, data: Any, y: Any, formula: str) -> Design:
    """Learn what a formula makes of a table; set n_features_in_ and feature_names_in_.

    Raises ValueError where there is no table, where y is given twice or not at all, and for
    settings of the estimator that contradict the formula.
    """
    if not is_table(data):
        raise ValueError(
            f"a formula names columns, so X is a table (pandas, polars, pyarrow) with them; it is "
            f"{type(data).__name__}."
        )
    missing = estimator.missing or "raise"
    if missing == "indicator":
        raise ValueError(
            "missing='indicator' makes columns that the formula does not name; with one it is "
            "'raise' or 'drop'."
        )
    table = as_table(data)
    parsed = parse_formula(formula, table.column_names)
    if bool(parsed.y) == (y is not None):
        raise ValueError(
            f"the formula {formula!r} has {'a' if parsed.y else 'no'} left side, and y is "
            f"{'given too' if parsed.y else 'not given'}; one of them says what to predict."
        )
    if estimator.fit_intercept and not parsed.intercept:
        raise ValueError(
            f"the formula {formula!r} has no intercept, but fit_intercept is True; set "
            "fit_intercept=False, or take out the - 1."
        )
    target = parsed.y_name or target_name(y)
    reference = {k: v for k, v in (estimator.reference or {}).items() if k != target}
    design = Design.learn(parsed, table, missing, reference, estimator.fit_intercept)
    estimator.n_features_in_ = len(design.column_names)
    estimator.feature_names_in_ = np.array(design.column_names, dtype=object)
    return design


def left_side(design: Design, data: Any) -> NDArray:
    """Return y of every row, by the formula; rows to be left out have that of the row before."""
    table = as_table(data)
    complete = design.complete_rows(table)
    if complete.all():
        return design.labels(table)
    return design.labels(table.filter(complete))[np.maximum(np.cumsum(complete) - 1, 0)]


def whole_rows(
    design: Design,
    data: Any,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    groups: ArrayLike | None = None,
) -> tuple[Any, Beside, int]:
    """Return the rows with a value wherever the formula looks, what is beside them, and how many.

    The last is of the rows left out. Offsets of the formula and of the call are added.
    """
    table = as_table(data)
    check_lengths(table, y, sample_weight, groups)
    kept = np.flatnonzero(design.complete_rows(table)) if design.missing == "drop" else None
    n_given = table.num_rows
    if kept is not None and len(kept) < n_given:
        table = table.take(kept)
        y, sample_weight, groups = (
            None if a is None else np.asarray(a)[kept] for a in (y, sample_weight, groups)
        )
        if offset is not None and np.asarray(offset).ndim:
            offset = np.asarray(offset)[kept]
    own = design.offset(table)
    if own is not None:
        offset = own if offset is None else own + np.asarray(offset, dtype=np.float64)
    labels = design.labels(table) if design.y else y
    beside = Beside.read(table, labels, sample_weight, offset, groups)
    return table, beside, n_given - table.num_rows
