"""A fit put into words and tables for people, and into one object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backpass.cli import coefficients, words
from backpass.cli.choosing import Tried
from backpass.cli.request import FitRequest
from backpass.cli.terminal import peak_memory_mb, results
from backpass.metrics import Scores
from backpass.tallies import Tally

_MOST_SHOWN = 10


@dataclass(frozen=True)
class Fit:
    """A fit and all that there is to say about it."""

    request: FitRequest
    model: Any
    train: Tally
    test: Tally | None
    trivial: Tally | None
    notes: list[str]
    seconds: float
    fingerprint: str
    recorder: Any = None
    tried: Sequence[Tried] = ()

    @property
    def scores(self) -> tuple[Scores, Scores | None, Scores | None]:
        """Return the measures of the rows fitted on, held out, and of the trivial model there."""
        test = None if self.test is None else self.test.scores()
        trivial = None if self.trivial is None else self.trivial.scores()
        return self.train.scores(), test, trivial


def describe(fitted: Fit) -> None:
    """Print a fit for people to read."""
    request, model = fitted.request, fitted.model
    console = results()
    console.print(f"[bold]{request.data.name} → {request.target}[/bold]", markup=True)
    console.print(words.facts(facts(fitted)))
    console.print()
    train, test, trivial = fitted.scores
    if test is not None:
        sides = [("held-out rows", test), ("class shares only", trivial), ("rows fitted on", train)]
        console.print(words.measures(sides))
    else:
        console.print(words.measures([("rows fitted on", train)]))
    if request.hidden is None:
        console.print()
        console.print(_influential(model))
    console.print()
    console.print(words.facts(costs(fitted)))


def facts(fitted: Fit) -> list[tuple[str, str]]:
    """Say what was fitted on what."""
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
    if fitted.tried:
        chosen = min(fitted.tried, key=lambda one: one.log_loss)
        ends = f"{fitted.tried[0].C:g} to {fitted.tried[-1].C:g}"
        said.append(
            (
                "choice of C",
                f"the best of {len(fitted.tried)} from {ends} in five folds: log-loss "
                f"{chosen.log_loss:.4f} ± {chosen.error:.4f} on rows left out",
            )
        )
    return said


def _model_words(request: FitRequest, model: Any) -> str:
    if request.hidden is not None:
        scale = "on standardised numbers" if request.standardize else "on the numbers as they are"
        return f"perceptron, hidden layers {list(request.hidden)}, {scale}"
    if np.isinf(model.C):
        return "logistic regression by maximum likelihood"
    scale = "on standardised columns" if request.standardize else "on the columns as they are"
    return f"logistic regression, penalty C = {model.C:g} {scale}"


def _influential(model: Any) -> Any:
    listed = coefficients.coefficients(model)
    top = coefficients.most_influential(listed, _MOST_SHOWN)
    several = len(model.classes_) > 2
    speaks = "" if several else f"; + speaks for {model.classes_[1]}"
    heads = [f"most influential of {len(listed):,}{speaks}", *(["class"] if several else [])]
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


def costs(fitted: Fit) -> list[tuple[str, str]]:
    """Say what was reached, and what it took."""
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


def as_document(fitted: Fit) -> dict[str, Any]:
    """Return everything that the tables say, for JSON."""
    request, model = fitted.request, fitted.model
    linear = request.hidden is None
    train, test, trivial = fitted.scores
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
        "train": train.to_document(),
        "test": None if test is None else test.to_document(),
        "trivial": None if trivial is None else trivial.to_document(),
        "coefficients": [c.to_document() for c in coefficients.coefficients(model)]
        if linear
        else None,
        "intercepts": model.intercept_.tolist() if linear else None,
        "cv": [asdict(one) for one in fitted.tried] or None,
        "left_out": dict(model.encoding_.dropped),
        "warnings": fitted.notes,
        "model": None if request.out is None else str(request.out),
    }


def _cut(parts: list[str], most: int) -> str:
    shown = ", ".join(parts[:most])
    return f"{shown} and {len(parts) - most} more" if len(parts) > most else shown
