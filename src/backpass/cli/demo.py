"""`backpass demo`: a whole fit of real data, with the commands that would do the same."""

from __future__ import annotations

import shlex
from importlib import resources

from backpass.cli import show
from backpass.cli.account import describe
from backpass.cli.fit import fit
from backpass.cli.request import FitRequest
from backpass.cli.terminal import results, warn


def run() -> None:
    """Fit the Palmer penguins and print what the fit found; nothing is written."""
    console = results()
    console.print(
        "Penguins of three species, measured on islands of the Palmer Archipelago, Antarctica.\n"
        "Four fifths of them are fitted; the others are kept to see how good the fit is.\n"
    )
    with resources.as_file(resources.files("backpass.data") / "penguins.csv") as path:
        fitted = fit(FitRequest(data=path, target="species"))
        data = shlex.quote(str(path))
    warn(fitted.notes)
    describe(fitted)
    console.print("\n[bold]all coefficients[/bold], by the species whose logit they add to")
    console.print(show.parameters(fitted.model))
    console.print("\n[bold]to go on[/bold]")
    for command in (
        f"backpass fit {data} --target species --out penguins.safetensors",
        "backpass show penguins.safetensors",
        f"backpass predict penguins.safetensors {data} --proba",
        "backpass fit --help",
    ):
        console.print(f"  {command}", soft_wrap=True)
