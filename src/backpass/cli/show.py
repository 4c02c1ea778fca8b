"""`backpass show`: what a model file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backpass.cli import coefficients, words
from backpass.cli.terminal import results
from backpass.modelfile import load


def run(path: Path) -> None:
    """Print a saved model: how it was fitted, and its coefficients or layers."""
    model = load(path)
    console = results()
    console.print(f"[bold]{path.name}[/bold]")
    console.print(words.facts(_facts(model)))
    console.print()
    if coefficients.has_errors(model):
        console.print(str(model.summary()), soft_wrap=True, markup=False)
    else:
        console.print(parameters(model))


def parameters(model: Any) -> Any:
    """Lay out the coefficients of a linear model, or the layers of a network."""
    if hasattr(model, "coef_"):
        heads, rows = coefficients.table_rows(model)
        shown = [
            [cell if isinstance(cell, str) else words.number(cell) for cell in row] for row in rows
        ]
        return words.columns(heads, shown, left=2 if heads[0] == "class" else 1)
    named = model.network_.parameters(model.theta_)
    rows = [
        [f"{place}", repr(layer), _sizes(named, str(place))]
        for place, layer in enumerate(model.network_.layers)
    ]
    rows.append(["", repr(model.network_.loss), ""])
    return words.columns(["", "layer", "parameters"], rows, left=2)


def _sizes(named: dict[str, np.ndarray], place: str) -> str:
    count = sum(value.size for name, value in named.items() if name.split(".")[0] == place)
    return f"{count:,}" if count else ""


def _facts(model: Any) -> list[tuple[str, str]]:
    record = getattr(model, "fit_record_", None)
    kind = type(model).__name__
    said = [("model", f"{kind}, {words.counted(model.network_.n_parameters, 'parameter')}")]
    if kind == "LogisticRegression":
        penalty = "maximum likelihood" if np.isinf(model.C) else f"C = {model.C:g}"
        said[0] = ("model", f"logistic regression, {penalty}")
        said.append(("objective", coefficients.reached(model)))
    classes = [str(label) for label in model.classes_.tolist()]
    target = "" if record is None else f"{record.target}: "
    said.append(("classes", target + ", ".join(classes)))
    if record is not None:
        said.append(("fitted on", words.counted(record.n_rows, "row")))
        if record.test is not None:
            scores = ", ".join(
                f"{word} {words.number(record.test.get(key))}"
                for key, word in words.MEASURES.items()
            )
            said.append(("held out", scores))
    if hasattr(model, "coef_") and len(classes) == 2:
        said.append(("reading", f"a positive coefficient speaks for {classes[1]}"))
    return said
