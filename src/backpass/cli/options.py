"""Arguments and options that several commands take, declared once.

A type here is what a command writes after a parameter's name. From it Typer makes the parser, the
help, the completion, and `make reference` the page of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `fit --out` wrote.")]
Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A .csv, .tsv (plain, .gz, .zst), .parquet, .npy or .npz file, a folder or a quoted "
        "glob of such files.",
    ),
]
Encoding = Annotated[
    str, typer.Option(metavar="cp1252", help="Of the bytes of a text file, if not UTF-8.")
]
Decimal = Annotated[str, typer.Option(metavar=",", help="The sign in numbers, if not a point.")]
FitsTarget = Annotated[
    str | None,
    typer.Option(metavar="COL", help="The column of classes, if it is not the fit's."),
]
FitsMarkers = Annotated[
    str | None,
    typer.Option(
        "--missing-values",
        metavar="'?,NA'",
        help="Markers of missing values, if they are not the fit's.",
    ),
]


def choices(*words: str) -> Callable[[str], list[str]]:
    """Return what tells a shell which words to offer; Typer looks for that parameter's name."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def examples(*commands: str) -> str:
    """Return commands as the end of a help page, a line each."""
    # \b keeps the lines of a paragraph apart.
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])
