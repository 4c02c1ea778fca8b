"""What `fit` was asked to do, checked as far as it can be without reading the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer


@dataclass(frozen=True)
class FitRequest:
    """The options of `fit`.

    target "": what the data's format names; missing_values None: the usual markers; missing None:
    by the model.
    """

    data: Path
    target: str = ""
    all_for_mle: bool = False  # no rows are held out because of --mle, not because of --test-size
    out: Path | None = None
    report: Path | None = None
    test: Path | None = None
    test_size: float = 0.2
    C: float | None = None
    cv: bool = False
    hidden: tuple[int, ...] | None = None
    alpha: float = 0.1
    dropout: float = 0.0
    epochs: int = 200
    early_stopping: bool = True
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    weight: str | None = None
    class_weight: str | None = None
    missing: str | None = None
    missing_values: tuple[str, ...] | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    standardize: bool = True
    threads: int | None = None
    seed: int = 0
    quiet: bool = False
    json: bool = False

    @classmethod
    def checked(
        cls,
        *,
        test_size: float | None,
        mle: bool,
        hidden: str | None,
        missing_values: str | None,
        no_early_stopping: bool,
        no_standardize: bool,
        **options: Any,
    ) -> FitRequest:
        """Build a request from what was typed; typer.BadParameter says what contradicts what.

        Options that are None were not typed, and have the defaults above.
        """
        for columns in ("categorical", "text", "drop"):
            options[columns] = names(options[columns])
        options["early_stopping"] = not no_early_stopping
        for problem in _contradictions(options, test_size, mle, hidden):
            raise typer.BadParameter(problem)
        options["missing_values"] = markers(missing_values)
        options |= {"test_size": test_size, "standardize": not no_standardize}
        if mle:
            options["C"] = math.inf
        if mle and test_size is None and options["test"] is None:  # errors are of all rows
            options |= {"test_size": 0.0, "all_for_mle": True}
        if hidden is not None:
            options["hidden"] = _sizes(hidden)
        return cls(**{name: value for name, value in options.items() if value is not None})


def markers(text: str | None) -> tuple[str, ...] | None:
    """Split `?,NA` into the markers of missing values; None where nothing was typed."""
    return None if text is None else tuple(text.split(","))


def names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Split `A,B`, also given as several options, into names."""
    split = [name.strip() for text in given or () for name in text.split(",")]
    return tuple(dict.fromkeys(name for name in split if name))


def _contradictions(
    options: dict[str, Any], test_size: float | None, mle: bool, hidden: str | None
) -> Iterator[str]:
    """Say what is wrong with a value, or with two options together."""
    C, target, weight = options["C"], options["target"], options["weight"]
    yield from _wrong_values(options, test_size)
    if mle and C is not None:
        yield "--mle is the fit without penalty, so it takes no --C"
    if mle and hidden is not None:
        yield "--mle is for the model without --hidden layers"
    if options["cv"] and (mle or hidden is not None or C is not None):
        yield "--cv chooses C, so it goes with no --C, --mle or --hidden"
    if hidden is not None and C is not None:
        yield "--C is the penalty of the model without --hidden layers; theirs is --alpha"
    for name in _OF_HIDDEN:
        if hidden is None and options[name] not in (None, True):
            flag = "no-early-stopping" if name == "early_stopping" else name
            yield f"--{flag} is for a perceptron; name its layers with --hidden 64,64"
    if test_size and options["test"] is not None:
        yield "--test FILE and --test-size are two ways to the same; choose one"
    if options["quiet"] and options["json"]:
        yield "--quiet prints nothing and --json prints an object; choose one"
    for name, column in (("--target", target), ("--weight", weight)):
        if column is not None and column in options["drop"]:
            yield f"'{column}' is both {name} and in --drop"
    if weight is not None and weight in options["categorical"]:
        yield f"'{weight}' is both --weight and in --categorical"
    if mle and options["text"]:
        yield (
            "--text is for a fit with a penalty: there are mostly more words than rows, which tell "
            "the classes apart without error, so that without one (--mle) no estimate exists"
        )
    yield from _texts_twice(options, hidden)
    if weight is not None and weight == target:
        yield f"'{target}' is both --target and --weight"


def _texts_twice(options: dict[str, Any], hidden: str | None) -> Iterator[str]:
    """Say which column of free text is asked to be something else too."""
    for other in ("target", "weight", "categorical", "drop"):
        named = [options[other]] if other in ("target", "weight") else options[other]
        for column in options["text"]:
            if column in named:
                yield f"'{column}' is both in --text and --{other}"
    if options["text"] and hidden is not None:
        yield (
            "--text is for the model without --hidden layers: a network's rows are written out, "
            "and words are tens of thousands of columns"
        )


_OF_HIDDEN = ("alpha", "dropout", "epochs", "early_stopping")


def _wrong_values(options: dict[str, Any], test_size: float | None) -> Iterator[str]:
    C, alpha, dropout = options["C"], options["alpha"], options["dropout"]
    if C is not None and not C > 0.0:
        yield f"--C {C:g}: it is a number above 0"
    if alpha is not None and not 0.0 <= alpha < math.inf:
        yield f"--alpha {alpha:g}: it is a number, 0 or more"
    if dropout is not None and not 0.0 <= dropout < 1.0:
        yield f"--dropout {dropout:g}: it is a share, from 0 to below 1"
    if test_size is not None and not 0.0 <= test_size < 1.0:
        yield f"--test-size {test_size:g}: it is a share, from 0 to below 1"
    if options["missing"] not in (None, "indicator", "drop", "raise"):
        yield f"--missing {options['missing']}: indicator, drop or raise"
    if options["decimal"] not in (".", ","):
        yield f"--decimal {options['decimal']}: it is . or ,"
    if options["class_weight"] not in (None, "balanced"):
        yield f"--class-weight {options['class_weight']}: only balanced is known"
    report, out = options["report"], options["out"]
    if report is not None and report.suffix not in (".html", ".htm"):
        yield f"--report {report}: a report ends in .html"
    if out is not None and out.suffix != ".safetensors":
        yield f"--out {out}: a model file ends in .safetensors"


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise typer.BadParameter(f"--hidden {text}: whole numbers above 0, such as 64,64")
    return sizes
