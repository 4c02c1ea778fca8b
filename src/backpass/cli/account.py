"""A fit put into words and tables for people, and into one object for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backpass.cli import coefficients, words
from backpass.cli.choosing import Tried
from backpass.cli.request import FitRequest
from backpass.cli.terminal import results
from backpass.metrics import Scores
from backpass.tallies import Tally

_MOST_SHOWN = 10
_MOST_TABLE_ROWS = 40


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
    peak_memory_mb: float
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
        _estimates(request, model, console)
    console.print()
    console.print(words.facts([*outcome(fitted), _next(request)]))


def _next(request: FitRequest) -> tuple[str, str]:
    if request.out is None:
        return "model file", "none; --out M.safetensors keeps the model"
    return "model file", f"{request.out}; next: backpass show {request.out}"


def facts(fitted: Fit) -> list[tuple[str, str]]:
    """Say what was fitted on what."""
    request, model = fitted.request, fitted.model
    held = (
        "none held out" + (", as --mle takes all" if request.all_for_mle else "")
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
    said += _columns(model)
    weighing = [
        *([f"rows by '{request.weight}'"] if request.weight else []),
        *(["classes to equal shares"] if request.class_weight else []),
    ]
    if weighing:
        said.append(("weights", " and ".join(weighing)))
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


def _columns(model: Any) -> list[tuple[str, str]]:
    """Say what became of the columns."""
    encoding = model.encoding_
    if encoding is None:
        return [("columns", f"{model.n_features_in_:,}, sparse, as they are")]
    width = words.counted(len(encoding.coef_names), "number")
    said = [("columns", f"{len(encoding.columns)}, encoded as {width} a row")]
    if encoding.dropped:
        said.append(("left out", _cut([f"{name} ({why})" for name, why in encoding.dropped], 6)))
    gaps = [f"{c.name} {c.n_missing:,}" for c in encoding.columns if c.n_missing]
    if gaps:
        of = words.counted(model.fit_record_.n_rows, "row")
        filled = f" of the {of} fitted on; filled in, and marked in columns of their own"
        said.append(("missing", _cut(gaps, 6) + filled))
    return said


def _model_words(request: FitRequest, model: Any) -> str:
    if request.hidden is not None:
        scale = "on standardised numbers" if request.standardize else "on the numbers as they are"
        dropout = f", dropout {request.dropout:g}" if request.dropout else ""
        layers = ", ".join(map(str, request.hidden))
        return (
            f"perceptron, hidden layers {layers}, penalty alpha = {model.alpha:g}{dropout}, {scale}"
        )
    if np.isinf(model.C):
        return "logistic regression by maximum likelihood"
    scale = "on standardised columns" if request.standardize else "on the columns as they are"
    return f"logistic regression, penalty C = {model.C:g} {scale}"


def _estimates(request: FitRequest, model: Any, console: Any) -> None:
    """Print the table with errors, if there is one and it is short, or the largest coefficients."""
    if not coefficients.has_errors(model):
        console.print(_influential(model, coefficients.coefficients(model)))
        return
    results = model.summary()
    if len(results.params) <= _MOST_TABLE_ROWS:
        console.print(str(results), soft_wrap=True, markup=False)
        return
    _, listed = coefficients.estimates(model)
    if any(math.isfinite(c.value) for c in listed):
        console.print(_influential(model, listed))
    else:
        console.print("  no coefficient is identified, so there is none to rank")
    where = f"backpass show {request.out}" if request.out else "--out M.safetensors, then show,"
    console.print(f"  {where} has errors and intervals of all", markup=False)


def _influential(model: Any, listed: list[coefficients.Coefficient]) -> Any:
    top = coefficients.most_influential(listed, _MOST_SHOWN)
    several = len(model.classes_) > 2
    speaks = "" if several else f"; + speaks for {model.classes_[1]}"
    heads = [f"most influential of {len(listed):,}{speaks}", *(["class"] if several else [])]
    rows = [
        [
            c.name,
            *([c.of] if several else []),
            _signed(c.value),
            _signed(c.per_deviation),
        ]
        for c in top
    ]
    return words.columns([*heads, "coefficient", "per std. dev."], rows, left=1 + several)


def _signed(value: float | None) -> str:
    return "+inf" if value == math.inf else words.number(value)


def outcome(fitted: Fit) -> list[tuple[str, str]]:
    """Say what was reached, and what it took."""
    model, request = fitted.model, fitted.request
    said = []
    if request.hidden is None:
        said.append(("objective", coefficients.reached(model)))
        said.append(("passes", f"{model.passes_:.1f} over the rows"))
    else:
        best, loss = best_epoch(model)
        judged = model.validation_scores_ is not None
        on = "validation rows, the least met, and kept" if judged else "the rows fitted on"
        said.append(("loss", f"{words.number(loss)} per row in epoch {best} on {on}"))
        said.append(("epochs", f"{model.n_iter_} over the rows"))
    said.append(("time", f"{fitted.seconds:.1f} s, peak memory {fitted.peak_memory_mb:,.0f} MB"))
    return said


def unfinished(request: FitRequest, model: Any) -> list[str]:
    """Say that a fit ended before its time, and what would help, in the words of the flags."""
    if request.hidden is None:
        return [] if model.converged_ else [_not_converged(model)]
    best, _ = best_epoch(model)
    if model.n_iter_ < request.epochs or best < model.n_iter_ - model.n_iter_no_change:
        return []
    return [
        f"training ended after --epochs {request.epochs}, the loss still falling; a larger number "
        "may do better."
    ]


def _not_converged(model: Any) -> str:
    if np.isinf(model.C):
        remedy = (
            "estimates may be infinite, so leave --mle out for a penalty that keeps them finite, "
            "or --drop columns that tell classes apart without error"
        )
    else:
        remedy = "numbers of very different sizes may be the cause; give columns in other units"
    return f"not converged, only within {words.number(model.gap_, 2)} of the minimum: {remedy}."


def best_epoch(model: Any) -> tuple[int, float]:
    """Return the epoch, from 1, whose θ a perceptron has kept, and the loss that speaks for it."""
    if model.validation_scores_ is None:
        return len(model.loss_curve_), float(model.loss_curve_[-1])
    best = int(np.argmax(model.validation_scores_))
    return best + 1, -float(model.validation_scores_[best])


def as_document(fitted: Fit) -> dict[str, Any]:
    """Return everything that the tables say, for JSON."""
    request, model, encoding = fitted.request, fitted.model, fitted.model.encoding_
    train, test, trivial = fitted.scores
    labels = [str(label) for label in model.classes_.tolist()]
    return {
        "data": str(request.data),
        "target": request.target,
        "test_data": None if request.test is None else str(request.test),
        "n_rows": fitted.train.n_rows,
        "n_features": model.n_features_in_ if encoding is None else len(encoding.columns),
        "n_encoded": len(model.coef_names_ if encoding is None else encoding.coef_names),
        "classes": model.classes_.tolist(),
        "weight": request.weight,
        "class_weight": request.class_weight,
        "class_totals": dict(zip(labels, model.fit_record_.class_totals, strict=True)),
        "estimator": _settings(request, model),
        **_reached(request, model),
        "seconds": round(fitted.seconds, 3),
        "peak_memory_mb": round(fitted.peak_memory_mb, 1),
        "train": train.to_document(),
        "test": None if test is None else test.to_document(),
        "trivial": None if trivial is None else trivial.to_document(),
        "cv": [asdict(one) for one in fitted.tried] or None,
        "left_out": {} if encoding is None else dict(encoding.dropped),
        "missing": {}
        if encoding is None
        else {c.name: c.n_missing for c in encoding.columns if c.n_missing},
        "seed": request.seed,
        "fingerprint": fitted.model.fit_record_.fingerprint,
        "warnings": fitted.notes,
        "model": None if request.out is None else str(request.out),
        "report": None if request.report is None else str(request.report),
    }


def _settings(request: FitRequest, model: Any) -> dict[str, Any]:
    """Say which model was fitted; C is null for maximum likelihood, since JSON has no infinity."""
    if request.hidden is None:
        C = None if np.isinf(model.C) else model.C
        return {"kind": "logistic regression", "C": C, "standardize": request.standardize}
    names = ("alpha", "dropout", "epochs", "early_stopping", "standardize")
    return {"kind": "perceptron", "hidden": list(request.hidden)} | {
        name: getattr(request, name) for name in names
    }


def _reached(request: FitRequest, model: Any) -> dict[str, Any]:
    """Return where the fit ended; a perceptron has no proven gap, a regression no epochs."""
    if request.hidden is None:
        errors = coefficients.has_errors(model)
        starts, listed = (
            coefficients.estimates(model) if errors else ([], coefficients.coefficients(model))
        )
        plain = [c.to_document() for c in starts]
        return {
            "objective": model.objective_,
            "gap": model.gap_,
            "converged": model.converged_,
            "passes": model.passes_,
            "separated": coefficients.separated(model),
            "coefficients": [c.to_document() for c in listed],
            "intercepts": [c["value"] for c in plain] if errors else model.intercept_.tolist(),
            "intercept_errors": plain or None,
            "likelihood": _likelihood(model.summary()) if errors else None,
        }
    best, loss = best_epoch(model)
    nothing = dict.fromkeys(
        ("objective", "gap", "converged", "passes", "coefficients", "intercepts")
    )
    return nothing | {"loss": loss, "epochs": model.n_iter_, "best_epoch": best}


def _likelihood(results: Any) -> dict[str, float | None]:
    """Return what the table of coefficients says of the fit as a whole."""
    names = {
        "estimates": "n_estimates",
        "log_likelihood": "llf",
        "without_columns": "llnull",
        "chi2": "llr",
        "chi2_df": "df_model",
        "p": "llr_pvalue",
        "aic": "aic",
        "bic": "bic",
        "mcfadden_r2": "prsquared",
    }
    if results.account.class_weight:  # which makes another model, without a likelihood
        return {"estimates": int(results.n_estimates)}
    found = {key: float(getattr(results, name)) for key, name in names.items()}
    plain = {key: value if math.isfinite(value) else None for key, value in found.items()}
    return plain | {"estimates": int(results.n_estimates), "chi2_df": int(results.df_model)}


def _cut(parts: list[str], most: int) -> str:
    shown = ", ".join(parts[:most])
    return f"{shown} and {len(parts) - most} more" if len(parts) > most else shown
