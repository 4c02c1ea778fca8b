"""`backpass evaluate`: a saved model measured on a file with known classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from backpass.cli import saved, words
from backpass.cli.measuring import measured
from backpass.cli.progress import watching
from backpass.cli.rows import TextForm, read_rows
from backpass.cli.terminal import results, warn
from backpass.modelfile import FitRecord


def run(
    model_path: Path,
    data: Path,
    target: str | None,
    missing_values: tuple[str, ...] | None,
    encoding: str,
    decimal: str,
    as_json: bool,
) -> None:
    """Print the model's measures beside the trivial model's, or one JSON object."""
    notes: list[str] = []
    with watching(f"measuring on {data.name}", silent=as_json) as meter:
        model = saved.open_model(model_path, data)
        record: FitRecord | None = getattr(model, "fit_record_", None)
        column = saved.target_column(model, model_path, target)
        rows = read_rows(
            data,
            column,
            TextForm(encoding, decimal, saved.sparse_form(model)),
            notes,
            weight=None if record is None else record.weight,
            missing_values=saved.missing_values(model, missing_values),
            kinds=saved.kinds(model),
            on_rows=meter.rows,
        )
        shares = None if record is None else np.array(record.class_totals)
        tally, trivial_tally = measured(model, rows, shares, notes, data)
    scores = tally.scores()
    trivial = None if trivial_tally is None else trivial_tally.scores()
    warn(notes)
    if as_json:
        answer = {
            **scores.to_document(),
            "trivial": None if trivial is None else trivial.to_document(),
            "warnings": notes,
        }
        print(json.dumps(answer, allow_nan=False))
        return
    console = results()
    console.print(f"[bold]{model_path.name} on {data.name} → {column}[/bold]")
    console.print(words.measures([("this model", scores), ("class shares only", trivial)]))
