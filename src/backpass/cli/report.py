"""A fit put into the story that a report tells."""

from __future__ import annotations

import importlib.util
import platform
import zlib
from typing import Any

import numpy as np

import backpass
from backpass.cli import account, coefficients
from backpass.data.columns import Category
from backpass.data.stored import StoredTable
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
    story = Story(
        title=f"{request.data.name} → {request.target}",
        facts=[*account.facts(fitted), *_provenance(fitted)],
        outcome=account.outcome(fitted),
        warnings=fitted.notes,
        classes=[str(label) for label in model.classes_.tolist()],
        tally=tally,
        measured_on="on the rows fitted on" if fitted.test is None else "on held-out rows",
        measures=measures,
        columns=_columns(model.encoding_),
        coefficients=_coefficients(model) if hasattr(model, "coef_") else (),
        course=getattr(model, "history_", None),
        losses=getattr(model, "loss_curve_", ()),
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
        ("data", f"fingerprint {fitted.fingerprint} of the decoded rows"),
        ("versions", f"backpass {backpass.__version__}, Python {python}, {versions}"),
    ]


def fingerprint(table: StoredTable) -> str:
    """Return eight hexadecimal digits of the decoded rows: names, levels and all values."""
    crc = zlib.crc32(repr((table.names, table.target)).encode())
    for column in table.columns:
        crc = zlib.crc32(repr(column).encode(), crc)
    for name, array in table.arrays().items():
        for shard in array.shards:
            crc = zlib.crc32(f"{name} {shard.n_rows} {shard.crc32}".encode(), crc)
    return f"{crc:08x}"


def _columns(encoding: Any) -> list[tuple[str, str]]:
    """Say what became of every column."""
    said = []
    for column in encoding.columns:
        if isinstance(column, Category):
            words = f"category, {len(column.levels):,} levels"
        else:
            words = "true or false" if column.boolean else "number"
            words += f", mean {column.mean:.4g}, standard deviation {column.scale:.4g}"
        if column.n_missing:
            words += f"; {column.n_missing:,} missing"
        said.append((column.name, words))
    return said + [(name, f"left out: {why}") for name, why in encoding.dropped]


def _coefficients(model: Any) -> list[dict[str, Any]]:
    """List coefficients; intervals where the fit is of maximum likelihood and has them."""
    listed = [c.to_document() | {"of": c.of} for c in coefficients.coefficients(model)]
    intervals = _intervals(model) if np.isinf(model.C) and model.converged_ else {}
    return [c | {"interval": intervals.get((c["of"], c["name"]))} for c in listed]


def _intervals(model: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Return 95 % intervals by class and column, of the coefficients whose scale they share."""
    if len(model.classes_) > 2:
        return {}  # the table compares with a reference class; coefficients here are centred
    frame = model.summary().to_frame()
    of = str(model.classes_[1])
    return {
        (of, str(name)): (float(low), float(high))
        for name, low, high in zip(frame.index, frame["[0.025"], frame["0.975]"], strict=True)
        if np.isfinite([low, high]).all()
    }
