"""`fit(dataset)`: a dataset as the fit of a table takes it, without the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.dataset import Dataset
from backpass.data.errors import DataError
from backpass.data.stored import StoredTable
from backpass.data.stored_sparse import LABEL, StoredSparse, StoredSparseRows
from backpass.estimators.given import Given
from backpass.estimators.inputs import row_weights
from backpass.streaming import RowValues, label_numbers, prepare


def is_dataset(X: Any) -> bool:
    """Tell whether X is a dataset, made by `open_dataset` or `ingest`."""
    return isinstance(X, Dataset)


def read_dataset(
    estimator: Any,
    dataset: Dataset,
    y: Any,
    sample_weight: Any,
    missing: str,
    reference: Callable[[], Mapping[str, str] | None],
) -> Given:
    """Learn the encoding and classes of a dataset, and set them on the estimator.

    Weights, where there are any, are held in memory with the labels: 16 bytes a row.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "a dataset brings its labels and weights along; name their columns as target= and "
            "weight= in open_dataset, and call fit(dataset)."
        )
    try:
        table = dataset.table
        if isinstance(table, StoredSparse):
            return _read_sparse(estimator, table)
        return _read_table(estimator, table, missing, reference)
    except DataError as error:
        raise (error if dataset.path is None else error.in_file(dataset.path)) from None


def _read_table(
    estimator: Any,
    table: StoredTable,
    missing: str,
    reference: Callable[[], Mapping[str, str] | None],
) -> Given:
    estimator._target = table.target.name  # which `reference` may name too
    read = prepare(table, missing, reference())
    estimator.encoding_, estimator.classes_ = read.encoding, read.classes
    estimator.n_features_in_ = len(table.names)
    estimator.feature_names_in_ = np.array(table.names, dtype=object)
    labels: NDArray | RowValues = read.y
    weight = None if read.weight is None else read.weight[:]
    if weight is not None or estimator.class_weight is not None:
        labels = read.y[:]
        weight = row_weights(weight, estimator.class_weight, labels, labels, read.classes)
    rows = read.stored.rows()
    return Given(rows, labels, weight, table.n_rows - rows.n_rows)


def _read_sparse(estimator: Any, table: StoredSparse) -> Given:
    """Read libsvm rows, which need no encoding."""
    estimator._target, estimator.encoding_ = LABEL, None
    estimator.classes_, places = table.classes()
    estimator.n_features_in_ = table.n_columns
    estimator.__dict__.pop("feature_names_in_", None)
    labels = label_numbers(table.labels, places)
    if estimator.class_weight is None:
        return Given(StoredSparseRows(table), labels, None, 0)
    y = labels[:]
    weight = row_weights(None, estimator.class_weight, y, y, estimator.classes_)
    return Given(StoredSparseRows(table), y, weight, 0)
