"""`backpass fit`: read, hold out, fit, measure, say."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.cli import words
from backpass.cli.account import Fit, as_document, describe
from backpass.cli.measuring import measured
from backpass.cli.request import FitRequest
from backpass.cli.rows import LabelledRows, read_labelled
from backpass.cli.terminal import (
    at_most_threads,
    collected_warnings,
    progress,
    warn,
)
from backpass.data.cells import MISSING_VALUES
from backpass.data.errors import DataError
from backpass.data.labels import labels_of, places_of
from backpass.data.split import stratified_split
from backpass.data.values import kind_of_type
from backpass.encoding import Encoding
from backpass.modelfile import FitRecord, save


def run(request: FitRequest) -> None:
    """Fit as asked; print tables, or one JSON object, or nothing."""
    _refuse_bad_place(request.out)
    with at_most_threads(request.threads):
        fitted = fit(request)
    if request.out is not None:
        save(fitted.model, request.out)
    warn(fitted.notes)
    if request.json:
        print(json.dumps(as_document(fitted), allow_nan=False))
    elif not request.quiet:
        describe(fitted)


def fit(request: FitRequest) -> Fit:
    """Read the data, fit, and measure; DataError names file, record and column."""
    started = time.perf_counter()
    silent = request.quiet or request.json
    with progress(f"reading {request.data.name}", silent):
        rows, held_out, notes = _read(request)
    try:
        labels = labels_of(rows.labels, request.target)
        with progress(f"fitting {len(labels):,} rows", silent), collected_warnings(notes):
            model = _fitted(request, rows, labels)
    except DataError as error:
        raise error.in_file(request.data) from None
    usable = model.encoding_.usable_rows(rows.columns)
    if not usable.all():  # the fit has left them out by itself
        lost = words.counted(int(np.count_nonzero(~usable)), "row")
        notes.append(f"{request.data.name}: {lost} with missing values left out of the fit.")
        rows = rows.take(usable)
    y, _ = places_of(rows.labels, model.classes_, request.target)
    shares = np.bincount(y, rows.weight).astype(np.float64)
    with progress("measuring", silent):
        train, _ = measured(model, rows, request.target, shares, notes, request.data)
        test = trivial = None
        if held_out is not None:
            file = request.test or request.data
            test, trivial = measured(model, held_out, request.target, shares, notes, file)
    model.fit_record_ = FitRecord(
        request.target,
        request.weight,
        MISSING_VALUES if request.missing_values is None else request.missing_values,
        tuple(float(share) for share in shares),
        len(y),
        request.seed,
        None if test is None else test.to_document(),
    )
    seconds = time.perf_counter() - started
    return Fit(request, model, train, test, trivial, notes, seconds)


def _refuse_bad_place(out: Path | None) -> None:
    """Raise before the work, not after it, where the model cannot be written."""
    if out is None:
        return
    folder = out.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, f"there is no folder '{folder}' to write to", str(out))
    if out.is_dir() or not os.access(folder, os.W_OK):
        raise PermissionError(13, "cannot be written", str(out))


def _read(request: FitRequest) -> tuple[LabelledRows, LabelledRows | None, list[str]]:
    """Return the rows to fit on, those held out, and notes."""
    common: dict[str, Any] = {
        "weight": request.weight,
        "categorical": request.categorical,
        "missing_values": request.missing_values,
    }
    rows = read_labelled(request.data, request.target, drop=request.drop, **common)
    notes = list(rows.notes)
    if request.test is not None:
        kinds = {name: kind_of_type(rows.columns[name]) for name in rows.columns.column_names}
        kinds = {name: kind for name, kind in kinds.items() if name not in request.categorical}
        held_out = read_labelled(request.test, request.target, kinds=kinds, **common)
        return rows, held_out, [*notes, *held_out.notes]
    if request.test_size == 0.0 or len(rows.labels) < 2:
        return rows, None, notes
    words_of_rows = np.array(rows.labels.to_pylist())
    kept, held = stratified_split(words_of_rows, request.test_size, request.seed)
    if not len(held):
        note = "too few rows to hold any out; nothing was measured on new ones."
        return rows, None, [*notes, note]
    return rows.take(kept), rows.take(held), notes


def _fitted(request: FitRequest, rows: LabelledRows, labels: NDArray) -> Any:
    """Fit the model that was asked for."""
    from backpass.estimators import LogisticRegression, MLPClassifier

    if request.hidden is None:
        model = LogisticRegression(
            C=1.0 if request.C is None else request.C,
            standardize=request.standardize,
            class_weight=request.class_weight,
            missing=request.missing,
        )
        return model.fit(rows.columns, labels, sample_weight=rows.weight)
    # A perceptron's steps depend on its inputs' units, so here the encoding itself standardises.
    encoding = Encoding.learn(
        rows.columns, missing=request.missing or "indicator", standardize=request.standardize
    )
    usable = encoding.usable_rows(rows.columns)
    rows, labels = rows.take(usable), labels[usable]
    network = MLPClassifier(
        request.hidden,
        class_weight=request.class_weight,
        random_state=request.seed,
        alpha=1e-4 if request.C is None else 1.0 / request.C,
    )
    network.fit(encoding.transform(rows.columns), labels, sample_weight=rows.weight)
    network.encoding_ = encoding
    network.n_features_in_ = rows.columns.num_columns
    network.feature_names_in_ = np.array(rows.columns.column_names, dtype=object)
    return network
