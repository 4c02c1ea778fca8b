"""`backpass fit`: read, hold out, fit, measure, say."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass import metrics
from backpass.cli import coefficients, words
from backpass.cli.measuring import measured
from backpass.cli.request import FitRequest
from backpass.cli.rows import LabelledRows, read_labelled
from backpass.cli.terminal import (
    at_most_threads,
    collected_warnings,
    peak_memory_mb,
    progress,
    results,
    warn,
)
from backpass.data.cells import MISSING_VALUES
from backpass.data.errors import DataError
from backpass.data.labels import labels_of, places_of
from backpass.data.split import stratified_split
from backpass.data.values import kind_of_type
from backpass.encoding import Encoding
from backpass.modelfile import FitRecord, save

_MOST_SHOWN = 10


@dataclass(frozen=True)
class Fit:
    """A fit and all that there is to say about it."""

    request: FitRequest
    model: Any
    train: metrics.Scores
    test: metrics.Scores | None
    trivial: metrics.Scores | None
    notes: list[str]
    seconds: float


def run(request: FitRequest) -> None:
    """Fit as asked; print tables, or one JSON object, or nothing."""
    _refuse_bad_place(request.out)
    with at_most_threads(request.threads):
        fitted = fit(request)
    if request.out is not None:
        save(fitted.model, request.out)
    warn(fitted.notes)
    if request.json:
        print(json.dumps(_document(fitted), allow_nan=False))
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


def describe(fitted: Fit) -> None:
    """Print a fit for people to read."""
    request, model = fitted.request, fitted.model
    console = results()
    console.print(f"[bold]{request.data.name} → {request.target}[/bold]", markup=True)
    console.print(words.facts(_facts(fitted)))
    console.print()
    if fitted.test is not None:
        console.print(
            words.measures(
                [
                    ("held-out rows", fitted.test),
                    ("class shares only", fitted.trivial),
                    ("rows fitted on", fitted.train),
                ]
            )
        )
    else:
        console.print(words.measures([("rows fitted on", fitted.train)]))
    if request.hidden is None:
        console.print()
        console.print(_influential(model))
    console.print()
    console.print(words.facts(_costs(fitted)))


def _facts(fitted: Fit) -> list[tuple[str, str]]:
    request, model = fitted.request, fitted.model
    encoding = model.encoding_
    held = (
        "none held out"
        if fitted.test is None
        else f"{fitted.test.n_rows:,} from {request.test.name} to measure on"
        if request.test
        else f"{fitted.test.n_rows:,} held out by class, seed {request.seed}"
    )
    said = [("rows", f"{fitted.train.n_rows:,} to fit on, {held}")]
    classes = [str(label) for label in model.classes_.tolist()]
    totals = np.array(model.fit_record_.class_totals)
    shares = [f"{c} {s:.1%}" for c, s in zip(classes, totals / totals.sum(), strict=True)]
    said.append(("classes", f"{len(classes)}: " + _cut(shares, 6)))
    width = len(encoding.coef_names)
    said.append(
        ("columns", f"{len(encoding.columns)}, encoded as {words.counted(width, 'number')} a row")
    )
    if encoding.dropped:
        said.append(("left out", _cut([f"{name} ({why})" for name, why in encoding.dropped], 6)))
    gaps = [f"{c.name} {c.n_missing:,}" for c in encoding.columns if c.n_missing]
    if gaps:
        said.append(("missing", _cut(gaps, 6) + "; filled in, and marked in columns of their own"))
    said.append(("model", _model_words(request, model)))
    return said


def _model_words(request: FitRequest, model: Any) -> str:
    scale = "on standardised numbers" if request.standardize else "on the numbers as they are"
    if request.hidden is not None:
        return f"perceptron, hidden layers {list(request.hidden)}, {scale}"
    if np.isinf(model.C):
        return "logistic regression by maximum likelihood"
    return f"logistic regression, penalty C = {model.C:g} {scale}"


def _influential(model: Any) -> Any:
    listed = coefficients.coefficients(model)
    top = coefficients.most_influential(listed, _MOST_SHOWN)
    several = len(model.classes_) > 2
    heads = [f"most influential of {len(listed):,}", *(["class"] if several else [])]
    rows = [
        [
            c.name,
            *([c.of] if several else []),
            words.number(c.value),
            words.number(c.per_deviation),
        ]
        for c in top
    ]
    return words.columns([*heads, "coefficient", "per std. dev."], rows, left=1 + several)


def _costs(fitted: Fit) -> list[tuple[str, str]]:
    model, request = fitted.model, fitted.request
    said = []
    if request.hidden is None:
        gap = words.number(model.gap_, 2)
        proof = (
            f"within {gap} of the minimum, proven"
            if model.converged_
            else f"NOT converged: proven only to be within {gap} of the minimum"
        )
        said.append(("objective", f"{words.number(model.objective_, 7)}, {proof}"))
        said.append(("passes", f"{model.passes_:.1f} over the rows"))
    else:
        said.append(("loss", f"{words.number(model.loss_)} per row, after {model.n_iter_} epochs"))
    said.append(("cost", f"{fitted.seconds:.1f} s, peak memory {peak_memory_mb():,.0f} MB"))
    if request.out is None:
        said.append(("model file", "none; --out M.safetensors keeps the model"))
    else:
        said.append(("model file", f"{request.out}; next: backpass show {request.out}"))
    return said


def _document(fitted: Fit) -> dict[str, Any]:
    """Return everything that the tables say, for JSON."""
    request, model = fitted.request, fitted.model
    linear = request.hidden is None
    return {
        "n_rows": fitted.train.n_rows,
        "n_features": len(model.encoding_.columns),
        "classes": model.classes_.tolist(),
        "objective": model.objective_ if linear else None,
        "gap": model.gap_ if linear else None,
        "converged": model.converged_ if linear else None,
        "passes": model.passes_ if linear else None,
        "seconds": round(fitted.seconds, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "train": fitted.train.to_document(),
        "test": None if fitted.test is None else fitted.test.to_document(),
        "trivial": None if fitted.trivial is None else fitted.trivial.to_document(),
        "coefficients": [c.to_document() for c in coefficients.coefficients(model)]
        if linear
        else None,
        "intercepts": model.intercept_.tolist() if linear else None,
        "left_out": dict(model.encoding_.dropped),
        "warnings": fitted.notes,
        "model": None if request.out is None else str(request.out),
    }


def _cut(parts: list[str], most: int) -> str:
    shown = ", ".join(parts[:most])
    return f"{shown} and {len(parts) - most} more" if len(parts) > most else shown
