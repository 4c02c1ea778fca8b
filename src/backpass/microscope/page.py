"""The page: one HTML file with its style, its script and the trace inside, and nothing outside."""

from __future__ import annotations

import html
import os
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from backpass.data.atomic import written_beside
from backpass.microscope.document import as_script_json, document
from backpass.trace import Trace

# In this order: each file uses what stands before it.
SCRIPTS = (
    "numbers.js",
    "trace.js",
    "state.js",
    "mathml.js",
    "sums.js",
    "heat.js",
    "drawing.js",
    "rule.js",
    "inspector.js",
    "parameters.js",
    "paths.js",
    "rows.js",
    "tables.js",
    "training.js",
    "main.js",
)


def page(trace: Trace, title: str | None = None, **options: Any) -> str:
    """Return the page as text; options are those of `document`."""
    return filled(document(trace, **options), title)


def filled(content: dict[str, Any], title: str | None = None) -> str:
    """Put a document into the page."""
    name = title if title is not None else content["title"]
    return Template(asset("page.html")).substitute(
        title=html.escape(str(name)),
        style=asset("style.css"),
        script="\n".join(asset(script) for script in SCRIPTS),
        data=as_script_json(content),
    )


def write(text: str, path: str | os.PathLike[str]) -> None:
    """Write the page whole or not at all."""
    with written_beside(path) as beside:
        # A name with half a surrogate pair cannot be encoded; it is shown with a sign instead.
        beside.write_bytes(text.encode("utf-8", "replace"))


def framed(text: str) -> str:
    """Return the page inside a frame of its own, as notebooks show it."""
    return (
        '<iframe title="Microscope" sandbox="allow-scripts" style="width:100%;height:820px;'
        'box-sizing:border-box;border:1px solid #8886;border-radius:8px" '
        f'srcdoc="{html.escape(text)}"></iframe>'
    )


@cache
def asset(name: str) -> str:
    """Read one of the page's parts."""
    return (files("backpass.microscope") / "assets" / name).read_text(encoding="utf-8")
