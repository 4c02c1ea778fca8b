"""What users hand to fit and predict, as arrays: tables, sparse matrices, labels, weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, column_or_1d, validate_data

from backpass.data.errors import DataError
from backpass.data.table import as_table, is_table

FLOATS = [np.float64, np.float32]
UNCHECKED: Any = {"ensure_all_finite": False}  # whether numbers are finite is seen afterwards

AT_FIT = (
    "An array is taken as it is: fill them in, leave such rows out, or fit on a table (pandas, "
    "polars, pyarrow), where missing values get the mean and a column that tells where."
)


@dataclass(frozen=True)
class Columns:
    """X as the fit takes it. rows: which of the given rows it holds, None for all of them."""

    X: Any
    encoding: Any
    rows: NDArray[np.intp] | None = None


def is_numeric_frame(X: Any) -> bool:
    """Tell whether a pandas frame is as good as an array: numbers only, none missing."""
    if not is_table(X) or type(X).__module__.partition(".")[0] != "pandas":
        return False
    if not X.columns.is_unique:  # an encoding says which name is there twice
        return False
    if not all(isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in X.dtypes):
        return False
    return not bool(X.isna().to_numpy().any())


def read_for_fit(
    estimator: BaseEstimator,
    X: Any,
    missing: str,
    reference: Mapping[str, str] | None = None,
    standardize: bool = False,
    in_blocks: bool = False,
) -> Columns:
    """Return X as an array, learning an encoding where it is a table with more than numbers.

    An encoding is also learned where the estimator's own `missing` is "indicator": a missing value
    may come later even if none is here. Sets n_features_in_ and feature_names_in_ on the estimator.
    missing: "raise", "drop" or "indicator". reference: None gives every level of a category a
    coefficient; a mapping leaves out the level named, or the first. standardize: whether numbers
    of an encoded table are centred and scaled. in_blocks: the fit reads rows in blocks, of any
    storage and type, and sees for itself whether they are finite; otherwise sparse matrices and
    categories are written out.
    """
    if missing not in ("raise", "drop", "indicator"):
        raise ValueError(f"missing is {missing!r}; it is 'raise', 'drop', 'indicator' or None.")
    asked = getattr(estimator, "missing", None) == "indicator"  # not only a table's default
    if is_table(X) and (asked or not is_numeric_frame(X)):
        return _learn(estimator, X, missing, reference, standardize, in_blocks)
    if missing == "raise" or sparse.issparse(X) or is_table(X):
        if in_blocks:
            array = validate_data(estimator, X, accept_sparse="csr", dtype="numeric", **UNCHECKED)
            return Columns(array, None)
        array = validate_data(estimator, X, accept_sparse="csr", dtype=FLOATS, **UNCHECKED)
        refuse_nonfinite(estimator, array, AT_FIT)
        return Columns(dense(array), None)
    array = validate_data(estimator, X, dtype=FLOATS, ensure_all_finite="allow-nan")
    if missing == "drop" and not np.isnan(array).any():
        return Columns(array, None)
    return _encoded(array_as_table(array), missing, reference, standardize, in_blocks)


def _learn(
    estimator: Any,
    X: Any,
    missing: str,
    reference: Mapping[str, str] | None,
    standardize: bool,
    in_blocks: bool,
) -> Columns:
    """Learn an encoding from a table and note the table's columns on the estimator."""
    table = as_table(X)
    estimator.n_features_in_ = table.num_columns
    estimator.feature_names_in_ = np.array(table.column_names, dtype=object)
    return _encoded(table, missing, reference, standardize, in_blocks)


def _encoded(
    table: Any,
    missing: str,
    reference: Mapping[str, str] | None,
    standardize: bool,
    in_blocks: bool,
) -> Columns:
    from backpass.encoding import Encoding
    from backpass.encoding.refusals import refuse_written_out

    encoding = Encoding.learn(table, missing=missing, reference=reference, standardize=standardize)
    if not in_blocks:
        refuse_written_out(encoding.columns, table.num_rows)
    encoded = encoding.rows if in_blocks else encoding.transform
    if missing != "drop":
        return Columns(encoded(table), encoding)
    complete = encoding.complete_rows(table)
    if complete.all():
        return Columns(encoded(table), encoding)
    return Columns(encoded(table.filter(complete)), encoding, np.flatnonzero(complete))


def is_plain(estimator: Any, X: Any) -> bool:
    """Tell whether X may be taken as it is: a finite float64 array as wide as the fit's array.

    scikit-learn's validation of one row takes twenty times as long as its prediction. Names of
    columns, other types, and whatever may need a message go through it all the same.
    """
    return (
        type(X) is np.ndarray
        and X.dtype == np.float64
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and estimator.encoding_ is None
        and "feature_names_in_" not in estimator.__dict__
        and math.isfinite(_sum(X))  # where it overflows, every number is looked at
    )


def refuse_nonfinite(estimator: Any, X: Any, remedy: str) -> None:
    """Raise ValueError naming the columns with missing values, or else the first infinite number.

    X: array or sparse matrix. remedy: what to do about missing values. scikit-learn's own check
    knows neither the columns nor what this estimator can do, and recommends other classifiers.
    """
    if math.isfinite(_sum(X.data if sparse.issparse(X) else X)):
        return
    if sparse.issparse(X):
        entries = X.tocoo()
        bad = ~np.isfinite(entries.data)
        rows, columns, values = entries.row[bad], entries.col[bad], entries.data[bad]
    else:
        rows, columns = np.nonzero(~np.isfinite(X))
        values = X[rows, columns]
    if not len(values):
        return
    names = getattr(estimator, "feature_names_in_", None)
    gone = np.isnan(values)
    if not gone.any():
        raise ValueError(
            f"X, row {rows[0]}, {_column(names, columns[0])}: {values[0]} is not a finite number; "
            "mend the value or leave the row out."
        )
    counts = Counter(columns[gone].tolist())
    parts = [f"{_column(names, j)} ({counts[j]:,})" for j in sorted(counts)[:8]]
    more = f" and {len(counts) - 8} more columns" if len(counts) > 8 else ""
    raise ValueError(
        f"X: values are missing (NaN) in {', '.join(parts)}{more} of {X.shape[0]:,} rows. {remedy}"
    )


def _column(names: NDArray | None, place: int) -> str:
    return f"column {place}" if names is None else f"column '{names[place]}'"


def _sum(values: NDArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # inf - inf is an answer too
        return float(np.add.reduce(values, axis=None))


def _remedy(estimator: Any, X: Any) -> str:
    """Say what to do about missing values that come after a fit without any."""
    refit = hasattr(estimator, "missing") and not sparse.issparse(X)
    return (
        "The fit was on numbers with none missing and learned nothing to put there: fill them in, "
        f"leave such rows out{', or fit with missing=' + repr('indicator') if refit else ''}."
    )


def read_for_predict(estimator: Any, X: Any, in_blocks: bool = False) -> Any:
    """Return X as the array that the fit saw; ValueError where columns differ from the fit's.

    in_blocks: CSR stays as it is, and a table with categories becomes `Rows`.
    """
    encoding = estimator.encoding_
    if encoding is not None:
        encoded = encoding.rows if in_blocks else encoding.transform
    if encoding is None:
        array = validate_data(
            estimator, X, accept_sparse="csr", dtype=FLOATS, reset=False, **UNCHECKED
        )
        refuse_nonfinite(estimator, array, _remedy(estimator, array))
        return array if in_blocks else dense(array)
    if is_table(X):
        return encoded(X)
    if hasattr(estimator, "feature_names_in_"):
        raise ValueError(
            f"X is {type(X).__name__}, but the fit was on a table whose columns are known by name; "
            f"give a table with the columns {', '.join(map(repr, encoding.column_names[:8]))}"
            f"{', ...' if len(encoding.column_names) > 8 else ''}."
        )
    array = validate_data(estimator, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
    return encoded(array_as_table(array))


def array_as_table(array: NDArray) -> Any:
    """Give the columns of an array names, x0, x1, ..., with nan as missing."""
    import pyarrow as pa

    return pa.table(
        {f"x{j}": pa.array(column, from_pandas=True) for j, column in enumerate(array.T)}
    )


def dense(X: Any) -> NDArray:
    """Return X as an ndarray. Sparse matrices are written out in full."""
    return X.toarray() if sparse.issparse(X) else X


def read_labels(y: ArrayLike | None) -> NDArray:
    """Return y as (n_rows,) labels.

    Raises ValueError where there is none, in a row or at all, and where labels are no classes.
    """
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None.")
    if getattr(getattr(y, "dtype", None), "kind", "") in "iub" and hasattr(y, "to_numpy"):
        y = y.to_numpy()  # pandas' nullable types, which scikit-learn would take for floats
    labels = column_or_1d(y, warn=True)
    _refuse_unlabelled(labels)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def _refuse_unlabelled(labels: NDArray) -> None:
    """Raise ValueError naming the first row without a label, or labels that have no order."""
    if labels.dtype.kind not in "fO":
        return
    if labels.dtype.kind == "f":
        gone = np.isnan(labels)
    else:
        import pandas as pd  # whose pd.NA is neither equal to itself nor different

        gone = pd.isna(labels)
    if gone.any():
        row = int(gone.argmax())
        shown = "None" if labels[row] is None else "NaN"
        raise ValueError(
            f"y, row {row}: {shown} is no label; leave the rows without one out "
            f"({int(gone.sum()):,} of {len(labels):,})."
        )
    if labels.dtype.kind == "O" and pd.api.types.infer_dtype(labels).startswith("mixed"):
        _refuse_unordered(labels)


def _refuse_unordered(labels: NDArray) -> None:
    kinds = {type(label).__name__: label for label in labels.tolist()}
    try:
        sorted(kinds.values())
    except TypeError:
        examples = " and ".join(f"{label!r} ({kind})" for kind, label in sorted(kinds.items()))
        raise ValueError(
            f"y has labels of several kinds, such as {examples}; make them all text or all numbers."
        ) from None


def check_reference(reference: Mapping[str, str], encoding: Any) -> None:
    """Raise DataError where `reference` names what is no categorical column, or no level of it."""
    if encoding is not None:
        encoding.with_baselines(reference)
        return
    for name in reference:
        raise DataError(
            "reference names it, but X is an array or a table of numbers alone and has no "
            "categorical columns; make it one (pandas: .astype('category')), or take it out of "
            "reference.",
            column=name,
        )


def row_weights(
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
    X: Any,
    y: NDArray,
    classes: NDArray,
) -> NDArray[np.float64] | None:
    """Return the weight of every row, (n_rows,) float64, or None where all are 1.

    y: classes by number, 0 to n_classes - 1. class_weight="balanced" weighs class k by
    ∑w / (n_classes · its weight), as in scikit-learn.
    """
    if sample_weight is None and class_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64).copy()
    if not np.isfinite(weight).all() or (weight < 0.0).any():
        row = int((~(weight >= 0.0) | ~np.isfinite(weight)).argmax())
        raise ValueError(
            f"sample_weight, row {row}: {weight[row]}; weights are finite and not negative."
        )
    if not weight.any():
        raise ValueError("sample_weight is zero in every row; give at least one row some weight.")
    if class_weight is not None:
        weight *= _class_factors(class_weight, classes, y, weight)[y]
    return weight


def _class_factors(
    class_weight: Mapping[Any, float] | str,
    classes: NDArray,
    y: NDArray,
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight is {class_weight!r}; it is a dict, 'balanced' or None.")
        totals = np.bincount(y, weight, minlength=len(classes))
        with np.errstate(divide="ignore"):  # a class without rows has no row to weigh
            return weight.sum() / (len(classes) * totals)
    return compute_class_weight(dict(class_weight), classes=classes, y=classes[y])


def check_lengths(*arrays: Any) -> None:
    """Raise ValueError where X, y and weights have different numbers of rows."""
    check_consistent_length(*(array for array in arrays if array is not None))
