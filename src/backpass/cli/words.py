"""Numbers and tables in the form that commands print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


def columns(heads: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> Table:
    """Lay out rows under heads; the first `left` columns are words, the others numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("", width=0)  # one indent for all
    for place, head in enumerate(heads):
        words = place < left
        table.add_column(
            Text(head), justify="left" if words else "right", no_wrap=True, overflow="ellipsis"
        )
    for row in rows:
        table.add_row("", *(Text(str(cell)) for cell in row))
    return table


def measures(models: Sequence[tuple[str, Scores | None]]) -> Table:
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
