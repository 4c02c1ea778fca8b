"""A fit put into the story that a report tells."""

from __future__ import annotations

import importlib.util
import platform
import zlib
from typing import Any

import numpy as np

import backpass
from backpass.cli import account, words
from backpass.cli.coefficients import coefficients as coefficients_of
from backpass.cli.coefficients import estimates, has_errors, separated
from backpass.data.columns import Category
from backpass.data.dataset import Store
from backpass.data.text_column import Text
from backpass.report import Story, write_report


def refuse_without_charts() -> None:
    """Raise before the work, not after it, where the library that draws is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError(
            "--report draws with Matplotlib, which is not installed; "
            "pip install 'backpass[report]' brings it."
        )


def write(fitted: account.Fit) -> None:
    """Write the report that was asked for."""
    request, model = fitted.request, fitted.model
    assert request.report is not None
    tally = fitted.train if fitted.test is None else fitted.test
    measures = [("rows fitted on", fitted.train)]
    if fitted.test is not None and fitted.trivial is not None:
        measures = [
            ("held-out rows", fitted.test),
            ("class shares only", fitted.trivial),
            *measures,
        ]
    recorder = fitted.recorder
    listed, intervals = _coefficients(model) if hasattr(model, "coef_") else ([], "")
    judged = getattr(model, "validation_scores_", None) or []
    story = Story(
        title=f"{request.data.name} → {request.target}",
        facts=[*account.facts(fitted), *_provenance(fitted)],
        outcome=account.outcome(fitted),
        warnings=fitted.notes,
        classes=[str(label) for label in model.classes_.tolist()],
        tally=tally,
        measured_on="on the rows fitted on" if fitted.test is None else "on held-out rows",
        measures=measures,
        columns=_columns(model.encoding_, fitted.train.n_rows),
        coefficients=listed,
        intervals=intervals,
        course=getattr(model, "history_", None),
        losses=getattr(model, "loss_curve_", ()),
        validation=[-score for score in judged],
        training=() if recorder is None else recorder.epochs,
        layers=() if recorder is None else recorder.document()["layers"],
    )
    write_report(story, request.report)


def _provenance(fitted: account.Fit) -> list[tuple[str, str]]:
    versions = ", ".join(
        f"{name} {importlib.import_module(name).__version__}"
        for name in ("numpy", "scipy", "numba")
    )
    python = platform.python_version()
    return [
        ("seed", f"{fitted.request.seed}"),
        ("data", f"fingerprint {fitted.model.fit_record_.fingerprint} of the decoded rows"),
        ("versions", f"backpass {backpass.__version__}, Python {python}, {versions}"),
    ]


def fingerprint(table: Store) -> str:
    """Return eight hexadecimal digits of the decoded rows: names, levels and all values."""
    crc = zlib.crc32(repr((table.names, table.target)).encode())
    for column in table.columns:
        crc = zlib.crc32(repr(column).encode(), crc)
    for name, array in table.arrays().items():
        for shard in array.shards:
            crc = zlib.crc32(f"{name} {shard.n_rows} {shard.crc32}".encode(), crc)
    return f"{crc:08x}"


def _columns(encoding: Any, n_rows: int) -> list[tuple[str, str]]:
    """Say what became of every column, and why."""
    said = []
    if encoding is None:  # sparse rows
        return []
    of = words.counted(n_rows, "row")
    for column in encoding.columns:
        missing = (
            f"; {words.counted(column.n_missing, 'value')} missing of the {of} fitted on"
            if column.n_missing
            else ""
        )
        if isinstance(column, Category):
            n_levels = words.counted(len(column.levels), "level")
            how = f"category of {n_levels}, a number 0 or 1 for each"
            if column.baseline is not None:
                how += f" but {column.baseline}, with which they are compared"
            how += (
                f"{missing}, a level of their own" if missing and column.own_category else missing
            )
        elif isinstance(column, Text):
            buckets = words.counted(len(column.words), "bucket")
            how = f"free text, tf-idf of {buckets} of words{missing}"
            if column.indicator:
                how += ", without words and marked in a column of their own"
        else:
            kind = "true or false" if column.boolean else "number"
            how = f"{kind}, mean {column.mean:.4g}, standard deviation {column.scale:.4g}{missing}"
            if column.indicator:
                how += ", filled in with the mean and marked in a column of their own"
        said.append((column.name, how))
    return said + [(name, f"left out: {why}") for name, why in encoding.dropped]


def _coefficients(model: Any) -> tuple[list[dict[str, Any]], str]:
    """List coefficients and say what intervals they have: those of maximum likelihood alone.

    Of several classes, intervals are of the difference to a reference class, and so are the
    coefficients beside them; the model's own are centred over the classes, and have none.
    """
    errors = has_errors(model)
    found = estimates(model)[1] if errors else coefficients_of(model)
    listed = [c.to_document() | {"of": c.of, "interval": None} for c in found]
    if np.isfinite(model.C):
        return listed, "a penalty pulls estimates towards 0, so there are no intervals"
    if not errors:
        return listed, "the fit kept no curvature, so there are no intervals"
    if not (model.converged_ or separated(model)):
        return listed, "the optimum was not reached, so there are no intervals"
    finite = [c | {"interval": (c["low"], c["high"])} for c in listed if c["high"] is not None]
    said = "lines are 95 % intervals"
    if len(model.classes_) > 2:
        said += f"; each class is compared with {found[0].against}"
    if lost := len(listed) - len(finite):
        said += f"; {words.counted(lost, 'coefficient')} left out, without a finite estimate"
    return finite, said
