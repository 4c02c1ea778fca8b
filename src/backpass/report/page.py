"""The page: one HTML file with its style and drawings inside, no script, and nothing outside."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from backpass.data.atomic import written_beside
from backpass.report.charts import charts
from backpass.report.curves import confusion
from backpass.report.drawing import Chart
from backpass.report.story import Story

_MOST_ROWS = 200  # of a table
_MOST_CLASSES = 15  # of the confusion matrix
_MEASURES = {
    "accuracy": "accuracy",
    "log_loss": "log-loss",
    "auc": "AUC",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}

_STYLE = """
:root { --paper: #faf9f6; --panel: #fff; --ink: #1e2126; --soft: #5d626c; --grid: #e6e3dc;
  --line: #e2dfd7; --wash: #f1efe9; --warn: #fff3cf; --warn-line: #b98a06; --cell: 0, 114, 178;
  --c1: #0072b2; --c2: #c25400; --c3: #00805e; --c4: #b0578a; --c5: #a06f00; --c6: #2f86b8;
  color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171b; --panel: #1c1f25; --ink: #e9e6df;
  --soft: #aeb2ba; --grid: #2c3038; --line: #31353d; --wash: #23272e; --warn: #3a3214;
  --warn-line: #c99a1a; --cell: 86, 180, 233; --c1: #56a8e0; --c2: #f08a3c; --c3: #35c398;
  --c4: #dd94bd; --c5: #e6ac2f; --c6: #8cc8ee; color-scheme: dark; } }
@media print { :root { --paper: #fff; --panel: #fff; --ink: #000; --soft: #444; --grid: #ddd;
  --line: #bbb; --wash: #f2f2f2; --warn: #fff; --cell: 0, 114, 178; --c1: #0072b2; --c2: #c25400;
  --c3: #00805e; --c4: #b0578a; --c5: #a06f00; --c6: #2f86b8; color-scheme: light; }
  h2, figcaption, summary { break-after: avoid; } .charts { display: block; }
  figcaption, tr, svg, section:has(.confusion) { break-inside: avoid; }
  .charts section { margin-top: 16px; } section:not(.wide) svg { max-width: 400px; margin: 0; }
  .scroller { overflow: visible; } .wide svg { min-width: 0; }
  td, thead th { white-space: normal; overflow-wrap: anywhere; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details > summary { list-style: none; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui,
  -apple-system, "Segoe UI", Roboto, Arial, sans-serif; font-variant-numeric: tabular-nums; }
main, header, footer { max-width: 1100px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; } footer { padding: 24px 20px 36px; color: var(--soft); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 4px; } p { margin: 0 0 8px; } .soft { color: var(--soft); }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px 20px 18px; margin-top: 16px; min-width: 0; }
.warnings { background: var(--warn); border-left: 4px solid var(--warn-line); }
.warnings ul { margin: 0; padding-left: 1.2em; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 16px; margin-top: 16px; } .charts section { margin: 0; } .wide { grid-column: 1 / -1; }
figure { margin: 0; } .wide svg { min-width: 540px; }
svg { display: block; width: 100%; height: auto; max-width: 760px; margin: 0 auto; }
svg text { font-family: inherit; }
.scroller { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: 3px 14px 3px 0; text-align: right; vertical-align: top; font-weight: 400; }
thead th { color: var(--soft); border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
.words td { overflow-wrap: anywhere; } thead th, td { white-space: nowrap; }
.words td { white-space: normal; } .facts th { color: var(--soft); white-space: nowrap; }
.confusion td { padding: 6px 12px; text-align: right; background: rgba(var(--cell), var(--share)); }
.confusion td.full { color: #fff; } .confusion th { padding: 6px 12px; }
summary { cursor: pointer; color: var(--soft); margin-top: 8px; }
:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px; }
@media (max-width: 480px) { .facts th { white-space: normal; } section { padding: 14px; } }
"""


def write_report(story: Story, path: str | os.PathLike[str]) -> None:
    """Write the page whole or not at all."""
    text = page(story)
    with written_beside(path) as beside:
        # A name with half a surrogate pair cannot be encoded; it is shown with a sign instead.
        beside.write_bytes(text.encode("utf-8", "replace"))


def page(story: Story) -> str:
    """Return the page as text."""
    title = html.escape(story.title)
    body = "".join(_sections(story))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1></header>\n<main>\n{body}</main>\n"
        '<footer class="small">Written by backpass; this page is one file and asks nothing of '
        "the network.</footer>\n</body>\n</html>\n"
    )


def _sections(story: Story) -> Iterable[str]:
    if story.warnings:
        points = "".join(f"<li>{html.escape(note)}</li>" for note in story.warnings)
        yield f'<section class="warnings"><h2>Warnings</h2><ul>{points}</ul></section>\n'
    yield f"<section><h2>What was fitted</h2>{_facts(story.facts)}</section>\n"
    yield f"<section><h2>How good it is</h2>{_measures(story)}</section>\n"
    yield '<div class="charts">\n'
    drawn = charts(story)
    for chart in drawn:
        if _is_wide(chart):
            break
        yield _figure(chart)
    yield f"<section><h2>Confusion</h2>{_confusion(story)}</section>\n"
    yield from (_figure(chart) for chart in drawn if _is_wide(chart))
    yield "</div>\n"
    if story.columns:
        heads = ["column", "what became of it"]
        columns = _table(heads, story.columns, "words", most=len(story.columns))
        yield f"<section><h2>Columns</h2>{columns}</section>\n"
    yield f"<section><h2>What was reached</h2>{_facts(story.outcome)}</section>\n"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(said)}</td></tr>'
        for name, said in pairs
    )
    return f'<div class="scroller"><table class="facts words">{rows}</table></div>'


def _measures(story: Story) -> str:
    scores = [tally.scores() for _, tally in story.measures]
    rows: list[list[Any]] = [
        [word, *(_measure(getattr(score, key)) for score in scores)]
        for key, word in _MEASURES.items()
    ]
    rows.append(["rows", *(score.n_rows for score in scores)])
    return _table(["", *(name for name, _ in story.measures)], rows)


def _measure(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"


def _confusion(story: Story) -> str:
    """Lay out true classes against predicted ones, each row by its shares."""
    shares = confusion(story.tally)
    if len(shares) > _MOST_CLASSES:
        return _most_confused(story, shares)
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in story.classes)
    rows = []
    for name, row, counts in zip(story.classes, shares, story.tally.confusion, strict=True):
        cells = "".join(
            f'<td style="--share:{0.85 * share:.2f}"{" class=full" if share > 0.6 else ""}>'
            f"{_text(float(count))}<br>{share:.1%}</td>"
            for share, count in zip(row, counts, strict=True)
        )
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    return (
        f'<p class="soft">Rows are true classes, columns what they were called; shares are of the '
        f"true class, {html.escape(story.measured_on)}.</p>"
        f'<div class="scroller"><table class="confusion"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _most_confused(story: Story, shares: np.ndarray) -> str:
    """List the largest confusions, where a matrix would be too wide to read."""
    counts = story.tally.confusion.copy()
    np.fill_diagonal(counts, 0.0)
    order = np.argsort(counts, axis=None)[::-1][:30]
    rows = [
        [story.classes[a], story.classes[b], counts[a, b], shares[a, b]]
        for a, b in zip(*np.unravel_index(order, counts.shape), strict=True)
        if counts[a, b] > 0.0
    ]
    return _table(["true class", "called", "rows", "share of the true class"], rows)


def _is_wide(chart: Chart) -> bool:
    """Tell whether a drawing takes the width of the page; the square ones stand side by side."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart.svg)
    assert box is not None
    return float(box[1]) > 400.0


def _figure(chart: Chart) -> str:
    wide = ' class="wide"' if _is_wide(chart) else ""
    title, says = html.escape(chart.title), html.escape(chart.says)
    table = _table(chart.heads, chart.rows)
    return (
        f'<section{wide}><figure role="group" aria-label="{title}"><h2>{title}</h2>'
        f'<figcaption class="soft">{says}</figcaption>\n'
        f'<div class="scroller">{chart.svg}</div>\n'
        f"<details><summary>The numbers</summary>{table}</details></figure></section>\n"
    )


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], style: str = "", most: int = _MOST_ROWS
) -> str:
    top = "".join(f'<th scope="col">{html.escape(str(head))}</th>' for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(cell))}</td>" for cell in row) + "</tr>"
        for row in rows[:most]
    )
    left = len(rows) - most
    more = f'<p class="soft">{left:,} more rows are not listed.</p>' if left > 0 else ""
    return (
        f'<div class="scroller" tabindex="0"><table class="{style}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more}"
    )


def _text(value: Any) -> str:
    """Write a cell: words as they are, whole numbers with separators, others with five digits."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    number = float(value)
    if not np.isfinite(number):
        return "–" if np.isnan(number) else "∞" if number > 0.0 else "−∞"
    if number == round(number) and abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:.5g}"
