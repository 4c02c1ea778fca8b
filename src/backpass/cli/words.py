"""Numbers and tables in the form that commands print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from backpass.metrics import Scores

MEASURES = {
    "accuracy": "accuracy",
    "log_loss": "log-loss",
    "auc": "AUC",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}

_GAP = "  "  # before every column
_LEAST = 8  # letters that a word keeps


def number(value: float | None, digits: int = 4) -> str:
    """Write a number with so many significant digits: 0.8532, -1.234e-07, 10319."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    magnitude = math.floor(math.log10(abs(value)))
    if -4 <= magnitude < 7:
        return f"{value:,.{max(digits - 1 - magnitude, 0)}f}"
    return f"{value:.{digits - 1}e}"


def facts(pairs: Sequence[tuple[str, str]]) -> Table:
    """Lay out names and what is to be said of them."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, said in pairs:
        table.add_row(f"  {name}", Text(said))
    return table


@dataclass(frozen=True)
class Columns:
    """Rows under heads; the first `left` columns are words, the others numbers.

    Rich's own Table takes 0.2 ms a row, which a model with 100,000 coefficients shows: here every
    cell is one line, so that all there is to lay out is a width per column.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        widths = [max(map(cell_len, cells)) for cells in zip(self.heads, *self.rows, strict=True)]
        # In a narrow window words are cut, the longest first: half a number is a wrong number.
        over = sum(widths) + len(_GAP) * len(widths) - options.max_width
        for place in sorted(range(self.left), key=lambda place: -widths[place]):
            cut = max(0, min(over, widths[place] - _LEAST))
            widths[place] -= cut
            over -= cut
        yield Segment(self._line(self.heads, widths) + "\n", Style(bold=True))
        for row in self.rows:
            yield Segment(self._line(row, widths) + "\n")

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blank = " " * (width - cell_len(cell))
            if place >= self.left:
                cells.append(blank + cell)
            elif cell_len(cell) > width:
                cells.append(set_cell_size(cell, width - 1) + "…")
            else:
                cells.append(cell + blank)
        return _GAP + _GAP.join(cells).rstrip()


def columns(heads: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> Columns:
    """Lay out rows under heads; line ends and other controls in words become blanks."""
    shown = [[" ".join(str(cell).splitlines()) for cell in row] for row in rows]
    return Columns([" ".join(head.splitlines()) for head in heads], shown, left)


def measures(models: Sequence[tuple[str, Scores | None]]) -> Columns:
    """Lay out the measures of models side by side; those that are None are left out."""
    there = [(name, scores) for name, scores in models if scores is not None]
    rows = [
        [
            word,
            *(f"{getattr(scores, key):.4f}" if _known(scores, key) else "-" for _, scores in there),
        ]
        for key, word in MEASURES.items()
    ]
    rows.append(["rows", *(f"{scores.n_rows:,}" for _, scores in there)])
    return columns(["", *(name for name, _ in there)], rows)


def _known(scores: Scores, key: str) -> bool:
    return not math.isnan(getattr(scores, key))


def counted(count: int, word: str) -> str:
    """Write a count with its word: 1 row, 2,000 rows."""
    if count == 1:
        return f"1 {word}"
    return f"{count:,} {word[:-1]}ies" if word.endswith("y") else f"{count:,} {word}s"
