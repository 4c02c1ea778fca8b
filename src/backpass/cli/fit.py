"""`backpass fit`: read, hold out, fit, measure, say."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from backpass.cli import perceptron, report, words
from backpass.cli.account import Fit, as_document, describe, unfinished
from backpass.cli.choosing import Tried, choose
from backpass.cli.measuring import measured
from backpass.cli.progress import Meter, watching
from backpass.cli.report import fingerprint
from backpass.cli.request import FitRequest
from backpass.cli.rows import TextForm, read_rows
from backpass.cli.terminal import (
    at_most_threads,
    collected_warnings,
    peak_memory_mb,
    refuse_bad_place,
    warn,
)
from backpass.data.cells import MISSING_VALUES
from backpass.data.dataset import Dataset, Store, implied_target
from backpass.data.errors import DataError
from backpass.data.stored_sparse import SparseForm, StoredSparse
from backpass.modelfile import FitRecord, save
from backpass.streaming import hold_out
from backpass.watch import told

if TYPE_CHECKING:
    from backpass.microscope import Recorder


def run(request: FitRequest) -> None:
    """Fit as asked; print tables, or one JSON object, or nothing."""
    refuse_bad_place(request.out)
    refuse_bad_place(request.report)
    if request.report is not None:
        report.refuse_without_charts()
    with at_most_threads(request.threads):
        fitted = fit(request)
    if request.out is not None:
        save(fitted.model, request.out)
    if request.report is not None:
        report.write(fitted)
    warn(fitted.notes)
    if request.json:
        print(json.dumps(as_document(fitted), allow_nan=False))
    elif not request.quiet:
        describe(fitted)


def fit(request: FitRequest) -> Fit:
    """Read the data, fit, and measure; DataError names file, record and column."""
    started = time.perf_counter()
    silent = request.quiet or request.json
    notes: list[str] = []
    request = _with_target(request)
    rows, held_out = _read(request, notes, silent)
    try:
        doing = f"fitting {words.counted(rows.n_rows, 'row')}"
        with (
            watching(doing, silent) as meter,
            told(meter.moment),
            collected_warnings(notes) as kinds,
        ):
            model, recorder, tried = _fitted(request, rows, meter, notes)
    except DataError as error:
        raise error.in_file(request.data) from None
    if "SeparationWarning" not in kinds:  # that one says why there is no end to be reached
        notes.extend(unfinished(request, model))
    with watching("measuring", silent):
        train, _ = measured(model, rows, None, [], request.data)
        lost = rows.n_rows - train.n_rows
        if lost:  # the fit has left them out by itself
            lost_rows = words.counted(lost, "row")
            notes.append(
                f"{request.data.name}: {lost_rows} with missing values left out of the fit."
            )
        shares = train.confusion.sum(axis=1)
        test = trivial = None
        if held_out is not None:
            file = request.test or request.data
            test, trivial = measured(model, held_out, shares, notes, file)
    test_scores = None if test is None else test.scores()
    model.fit_record_ = FitRecord(
        request.target,
        request.weight,
        MISSING_VALUES if request.missing_values is None else request.missing_values,
        tuple(float(share) for share in shares),
        train.n_rows,
        request.seed,
        None if test_scores is None else test_scores.to_document(),
        fingerprint(rows),
    )
    seconds = time.perf_counter() - started
    said = (notes, seconds, peak_memory_mb(), recorder, tried)
    return Fit(request, model, train, test, trivial, *said)


def _with_target(request: FitRequest) -> FitRequest:
    """Name the target, if the data's format does; typer.BadParameter where nothing does."""
    target = request.target or implied_target(request.data)
    if target is None:
        raise typer.BadParameter("--target is missing: name the column of classes")
    return replace(request, target=target)


def _read(request: FitRequest, notes: list[str], silent: bool) -> tuple[Store, Store | None]:
    """Return the rows to fit on and those held out; notes are added."""
    form = TextForm(request.encoding, request.decimal)
    common: dict[str, Any] = {
        "weight": request.weight,
        "categorical": request.categorical,
        "text": request.text,
        "missing_values": request.missing_values,
    }
    with watching(f"reading {request.data.name}", silent) as meter:
        rows = read_rows(
            request.data,
            request.target,
            form,
            notes,
            drop=request.drop,
            on_rows=meter.rows,
            **common,
        )
    if request.test is not None:
        kinds = {column.name: column.kind for column in rows.columns}
        known = None
        if isinstance(rows, StoredSparse):
            known = SparseForm(rows.n_columns, rows.first_index)
            kinds = dict.fromkeys(rows.names, "number")
        form = replace(form, sparse=known)
        with watching(f"reading {request.test.name}", silent) as meter:
            held_out = read_rows(
                request.test, request.target, form, notes, kinds=kinds, on_rows=meter.rows, **common
            )
        return rows, held_out
    if request.test_size == 0.0 or rows.n_rows < 2:
        return rows, None
    kept: Store
    kept, held_out = hold_out(rows, request.test_size, request.seed)
    if held_out.n_rows == 0:
        notes.append("too few rows to hold any out; nothing was measured on new ones.")
        return rows, None
    return kept, held_out


def _fitted(
    request: FitRequest, rows: Store, meter: Meter, notes: list[str]
) -> tuple[Any, Recorder | None, Sequence[Tried]]:
    """Fit the model that was asked for; with what is to be said of its training and choice."""
    if request.hidden is not None:
        if isinstance(rows, StoredSparse):
            raise DataError("is libsvm text, whose sparse rows --hidden does not take.")
        return *perceptron.fitted(request, rows, meter, notes), ()
    from backpass.estimators import LogisticRegression

    model = LogisticRegression(
        C=1.0 if request.C is None else request.C,
        standardize=request.standardize,
        class_weight=request.class_weight,
        missing=request.missing,
    )
    tried: list[Tried] = []
    if request.cv:
        C, tried = choose(model, rows, request.seed, request.data)
        meter.stage(f"C = {C:g}")
        model.set_params(C=C)
    model.fit(Dataset(None, rows, {}))
    if isinstance(rows, StoredSparse):  # whose columns go by the file's indices
        model.feature_names_in_ = model.coef_names_ = np.array(rows.names, dtype=object)
    return model, None, tried
