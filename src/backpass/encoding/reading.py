"""An encoding's document, as a model file holds it, checked before anything is made of it."""

from __future__ import annotations

from typing import Any

from backpass.data import document
from backpass.data.columns import Category, Column, column_from_document
from backpass.data.text_column import Text
from backpass.encoding.learning import MISSING_POLICIES


def checked_fields(plain: Any, where: str) -> dict[str, Any]:
    """Return the fields of an Encoding; DocumentError says what is wrong, and where."""
    got = document.fields(
        plain,
        where,
        missing=document.one_of(*MISSING_POLICIES),
        standardize=document.flag,
        n_rows=document.count,
        columns=document.items(column_from_document),
        dropped=document.items(document.items(document.text)),
    )
    names = [column.name for column in got["columns"]]
    if not names or len(set(names)) != len(names):
        raise document.DocumentError(f"{where}.columns needs one or more, each name once.")
    # Shares of rows are taken of them.
    counted = (c.n_missing + _counted(c) for c in got["columns"])
    if got["n_rows"] < 1 or max(counted) > got["n_rows"]:
        raise document.DocumentError(f"{where}.n_rows is less than what columns counted.")
    kinds = [isinstance(column, Text) for column in got["columns"]]
    if kinds != sorted(kinds):
        raise document.DocumentError(f"{where}.columns: those of free text come last.")
    if any(len(pair) != 2 for pair in got["dropped"]):
        raise document.DocumentError(f"{where}.dropped holds pairs of name and reason.")
    got["dropped"] = tuple((name, why) for name, why in got["dropped"])
    return got


def _counted(column: Column) -> int:
    """Return how many present values a column says that it counted."""
    if isinstance(column, Text):
        return column.n_documents
    return sum(column.counts) if isinstance(column, Category) else 0
