"""How far a command has come, shown on stderr while it works, if that is a terminal.

A line with a bar: the share of the pass or of the epochs that is done, and beside it rows a second,
passes, objective and gap as a fit tells them (see `backpass.watch`). When the work ends it goes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from backpass.cli import words

if TYPE_CHECKING:
    from backpass.watch import Moment

Show = Callable[[str, float | None], None]  # what to say, and the share that is done if known


class Meter:
    """Puts what it is told into words. show: what to do with them; None: nothing is shown."""

    def __init__(self, show: Show | None) -> None:
        self._show = show
        self._started = time.perf_counter()
        self._stage = ""
        self._objective: float | None = None
        self._gap: float | None = None

    def stage(self, name: str) -> None:
        """Say which of several fits goes on now: fold 2 of 5, say."""
        self._stage, self._objective, self._gap = name, None, None

    def rows(self, count: int) -> None:
        """Take the number of rows read so far."""
        self._say([words.counted(count, "row"), self._rate(count)], None)

    def moment(self, moment: Moment) -> None:
        """Take where a convex fit stands."""
        if moment.part is not None and moment.part != self._stage:
            self.stage(moment.part)
        if moment.objective is not None:
            self._objective = moment.objective
        if moment.gap is not None:
            self._gap = moment.gap
        said = [f"pass {moment.passes:.1f}", self._rate(moment.passes * moment.n_rows)]
        if self._objective is not None:
            said.append(f"objective {words.number(self._objective, 6)}")
        if self._gap is not None:
            said.append(f"gap at most {words.number(self._gap, 2)}")
        self._say(said, moment.passes % 1.0)

    def epoch(self, epoch: int, most: int, n_rows: int, loss: float, judged: float | None) -> None:
        """Take where a training stands; judged: the loss on validation rows, if there are any."""
        said = [f"epoch {epoch} of at most {most}", self._rate(epoch * n_rows)]
        said.append(f"loss {words.number(loss)}")
        if judged is not None:
            said.append(f"{words.number(judged)} on validation rows")
        self._say(said, epoch / most)

    def _rate(self, rows: float) -> str:
        return f"{rows / max(time.perf_counter() - self._started, 1e-9):,.0f} rows/s"

    def _say(self, said: list[str], share: float | None) -> None:
        if self._show is not None:
            self._show(", ".join([self._stage, *said] if self._stage else said), share)


@contextmanager
def watching(doing: str, silent: bool = False) -> Iterator[Meter]:
    """Show what is being done while it is, and how far it has come by the meter that this gives."""
    if silent or not sys.stderr.isatty():
        yield Meter(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns: list[Any] = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[said]}"),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        # Names of files are no markup, though rich would read [x] in them as such.
        task = progress.add_task(doing.replace("[", r"\["), total=None, said="")

        def show(said: str, share: float | None) -> None:
            if share is None:
                progress.update(task, said=said)
            else:
                progress.update(task, said=said, total=1.0, completed=share)

        yield Meter(show)
