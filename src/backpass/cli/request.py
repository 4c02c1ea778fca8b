"""What `fit` was asked to do, checked as far as it can be without reading the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer


@dataclass(frozen=True)
class FitRequest:
    """The options of `fit`. missing_values None: the usual markers; missing None: by the model."""

    data: Path
    target: str
    out: Path | None = None
    report: Path | None = None
    test: Path | None = None
    test_size: float = 0.2
    C: float | None = None
    cv: bool = False
    hidden: tuple[int, ...] | None = None
    categorical: tuple[str, ...] = ()
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
        **options: Any,
    ) -> FitRequest:
        """Build a request from what was typed; typer.BadParameter says what contradicts what."""
        options["categorical"] = names(options["categorical"])
        options["drop"] = names(options["drop"])
        if missing_values is not None:
            options["missing_values"] = tuple(missing_values.split(","))
        _refuse_contradictions(options, test_size, mle, hidden)
        if mle:
            options["C"] = math.inf
        if test_size is not None:
            options["test_size"] = test_size
        return cls(hidden=None if hidden is None else _sizes(hidden), **options)


def names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Split `A,B`, also given as several options, into names."""
    split = [name.strip() for text in given or () for name in text.split(",")]
    return tuple(dict.fromkeys(name for name in split if name))


def _refuse_contradictions(
    options: dict[str, Any], test_size: float | None, mle: bool, hidden: str | None
) -> None:
    target, weight, out = options["target"], options["weight"], options["out"]
    if mle and options["C"] is not None:
        raise typer.BadParameter("--mle is the fit without penalty, so it takes no --C")
    if mle and hidden is not None:
        raise typer.BadParameter("--mle is for the model without --hidden layers")
    if options["cv"] and (mle or hidden is not None or options["C"] is not None):
        raise typer.BadParameter("--cv chooses C, so it goes with no --C, --mle or --hidden")
    if options["C"] is not None and not options["C"] > 0.0:
        raise typer.BadParameter(f"--C {options['C']:g}: it is a number above 0")
    if test_size is not None and not 0.0 <= test_size < 1.0:
        raise typer.BadParameter(f"--test-size {test_size:g}: it is a share, from 0 to below 1")
    if test_size and options["test"] is not None:
        raise typer.BadParameter("--test FILE and --test-size are two ways to the same; choose one")
    if options["quiet"] and options["json"]:
        raise typer.BadParameter("--quiet prints nothing and --json prints an object; choose one")
    if options["missing"] not in (None, "indicator", "drop", "raise"):
        raise typer.BadParameter(f"--missing {options['missing']}: indicator, drop or raise")
    if options["decimal"] not in (".", ","):
        raise typer.BadParameter(f"--decimal {options['decimal']}: it is . or ,")
    if options["class_weight"] not in (None, "balanced"):
        raise typer.BadParameter(
            f"--class-weight {options['class_weight']}: only balanced is known"
        )
    for name, column in (("--target", target), ("--weight", weight)):
        if column is not None and column in options["drop"]:
            raise typer.BadParameter(f"'{column}' is both {name} and in --drop")
    if weight == target:
        raise typer.BadParameter(f"'{target}' is both --target and --weight")
    report = options["report"]
    if report is not None and report.suffix not in (".html", ".htm"):
        raise typer.BadParameter(f"--report {report}: a report ends in .html")
    if out is not None and out.suffix != ".safetensors":
        raise typer.BadParameter(f"--out {out}: a model file ends in .safetensors")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise typer.BadParameter(f"--hidden {text}: whole numbers above 0, such as 64,64")
    return sizes
