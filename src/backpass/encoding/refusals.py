"""What a table is refused for by an encoding, in the words of its reader."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from backpass.data.columns import Category, Column
from backpass.data.errors import DataError, Setting, listed
from backpass.data.unseen import Unseen


def refuse_absent(names: Collection[str], asked: Collection[str]) -> None:
    absent = [name for name in asked if name not in names]
    if absent:
        which = "columns are" if len(absent) > 1 else "column is"
        raise DataError(
            f"the {which} not there: {listed(absent)}; the table has {listed(names, 20)}."
        )


def refuse_missing(
    counts: Mapping[str, int],
    n_rows: int,
    unseen: Mapping[str, Unseen] = MappingProxyType({}),
    at_fit: bool = True,
) -> None:
    """Raise DataError where values are missing (or unseen, which is the same) and may not be."""
    if not counts:
        return
    parts = [
        f"'{name}' ({count:,}{_example(name, unseen)})" for name, count in list(counts.items())[:8]
    ]
    more = f" and {len(counts) - 8} more columns" if len(counts) > 8 else ""
    remedies: list[str | Setting] = (
        [
            Setting("fill them in", "missing", "indicator"),
            Setting("leave such rows out", "missing", "drop"),
        ]
        if at_fit
        else [
            "leave such rows out",
            Setting("fit again with values filled in", "missing", "indicator"),
        ]
    )
    unplaced = "" if at_fit else " The model was fitted without, so it cannot place such rows."
    raise DataError(
        f"values are missing in {', '.join(parts)}{more} of {n_rows:,} rows.{unplaced}",
        remedies=remedies,
    )


def _example(name: str, unseen: Mapping[str, Unseen]) -> str:
    return (
        f", among them '{unseen[name].examples[0]}', not seen at the fit" if name in unseen else ""
    )


def refuse_unknown_levels(reference: Mapping[str, str], columns: Iterable[Column]) -> None:
    """Raise DataError where a baseline is asked for that no category of these columns has."""
    categories = {c.name: c for c in columns if isinstance(c, Category)}
    for name, level in reference.items():
        if name not in categories:
            raise DataError(
                f"reference names it, but it is not a categorical column of this fit; those "
                f"are {listed(categories) or 'none'}.",
                column=name,
            )
        if str(level) not in categories[name].levels:
            raise DataError(
                f"reference asks for the level '{level}', which does not occur; the levels are "
                f"{listed(categories[name].levels)}.",
                column=name,
            )


def refuse_same_names(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"two columns would be called {listed(twice)} after encoding; rename one.")


def refuse_written_out(columns: Collection[Column], n_rows: int) -> None:
    """Raise DataError where categories written out as 0 and 1 would take half the memory.

    Numbers alone are the table as it came, so they are never refused.
    """
    categories = [column for column in columns if isinstance(column, Category)]
    width = sum(len(column.coef_codes) for column in categories)
    n_bytes = 8 * n_rows * width
    if n_bytes <= memory() // 2:
        return
    widest = max(categories, key=lambda column: len(column.levels))
    raise DataError(
        f"it has {len(widest.levels):,} levels, and a network needs every level as a column of 0 "
        f"and 1: all categories in {n_rows:,} rows take {n_bytes / 2**30:,.1f} GiB.",
        column=widest.name,
        remedies=[
            "fit a logistic regression, which keeps categories as codes",
            "leave the column out",
            "join levels that are rare",
        ],
    )


def memory() -> int:
    """Return how many bytes of memory the machine has; 8 GiB where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 8 << 30
