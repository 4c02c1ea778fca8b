"""Encoded rows while categories are still integers, and where their columns will stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.columns import Category, Column
from backpass.data.mixed import Border, MixedColumns
from backpass.data.text_column import Text


@dataclass(frozen=True)
class Codes:
    """Encoded rows before categories are written out.

    numbers: (n_rows, n_numbers) float64, imputed, with the indicators of missing values among them.
    categories: (n_rows, n_categories) int32. A level's place in the column's `levels`; one past the
    last for the own category of missing values; -1 for a missing or unseen value that has none.
    """

    numbers: NDArray[np.float64]
    categories: NDArray[np.int32]


def side_by_side(columns: Sequence[NDArray], n_rows: int, dtype: Any) -> NDArray:
    """Return columns as one matrix, (n_rows, n_columns), also where there is none."""
    out = np.empty((n_rows, len(columns)), dtype)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out


def mixed_columns(columns: Sequence[Column]) -> MixedColumns:
    """Say which encoded columns, words aside, are numbers, and which are of what category."""
    place, numbers = 0, list[int]()
    borders, of_code = list[Border](), list[NDArray[np.int32]]()
    for column in columns:
        if isinstance(column, Text):
            break  # columns of words are beside these
        stop = place + len(column.coef_names)
        if isinstance(column, Category):
            # One entry longer than the codes: the last, reached by code -1, leads nowhere too.
            to = np.full(len(column.levels) + 2, -1, np.int32)
            to[column.coef_codes] = np.arange(place, stop)
            of_code.append(to)
            borders.append(Border(place, stop))
        else:
            numbers.extend(range(place, stop))
        place = stop
    at = np.array(numbers, dtype=np.intp)
    return MixedColumns(place, at, tuple(borders), tuple(of_code))
