"""Which columns a table teaches, and which are of no use, whatever the table's storage."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.data.columns import Column, learn_column
from backpass.data.errors import DataError
from backpass.data.text_column import Text
from backpass.data.values import is_missing

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_POLICIES = ("indicator", "drop", "raise")


class Learnable(Protocol):
    """A table that columns can be learned from, whatever its storage."""

    names: list[str]
    n_rows: int

    def learn(
        self, names: list[str], indicator: bool, complete: bool
    ) -> tuple[dict[str, Column | str], int]:
        """Learn these columns from all rows, or from those with no value missing in them.

        Returns each column, or why it is of no use, and the number of rows learned from.
        """
        ...

    def missing_counts(self, names: list[str]) -> dict[str, int]:
        """Count the missing values of those of these columns that have any."""
        ...


class TableInMemory:
    """A pyarrow table to learn from."""

    def __init__(self, table: pa.Table, categorical: Collection[str]) -> None:
        self.table, self.categorical = table, categorical
        self.names, self.n_rows = table.column_names, table.num_rows

    def learn(
        self, names: list[str], indicator: bool, complete: bool
    ) -> tuple[dict[str, Column | str], int]:
        rows = self.table.select(names)
        if complete:
            rows = rows.filter(_complete(rows))
        if rows.num_rows == 0:
            return {}, 0
        learned = {
            name: learn_column(rows[name], name, name in self.categorical, indicator)
            for name in names
        }
        return learned, rows.num_rows

    def missing_counts(self, names: list[str]) -> dict[str, int]:
        counts = {name: int(is_missing(self.table[name]).sum()) for name in names}
        return {name: count for name, count in counts.items() if count}


def learn_columns(
    table: Learnable, missing: str
) -> tuple[tuple[Column, ...], tuple[tuple[str, str], ...], int]:
    """Return the columns of use, (name, why) of the others, and the number of rows learned from."""
    dropped: list[tuple[str, str]] = []
    names, complete = list(table.names), False
    while True:
        learned, n_rows = table.learn(names, missing == "indicator", complete)
        if n_rows == 0:
            counts = table.missing_counts(names)
            most = max(counts, key=counts.__getitem__)
            raise DataError(
                f"no rows are left to learn from, of {table.n_rows:,}. Column '{most}' alone has "
                f"{counts[most]:,} missing values."
            )
        useless = {name: why for name, why in learned.items() if isinstance(why, str)}
        dropped += useless.items()
        if len(useless) == len(learned):
            reasons = ", ".join(f"'{name}' is {why}" for name, why in dropped[:8])
            raise DataError(f"no column is left that could tell the classes apart: {reasons}.")
        # Under "drop" a column of no use must not cost the rows where it is missing, so it goes
        # first; and columns that vary over all rows may not over the complete ones.
        names = [name for name in names if name not in useless]
        gaps = missing == "drop" and not complete and table.missing_counts(names)
        if not useless and not gaps:
            columns = [column for column in learned.values() if not isinstance(column, str)]
            columns.sort(key=lambda column: isinstance(column, Text))
            return tuple(columns), tuple(dropped), n_rows
        complete = missing == "drop"


def check_policy(missing: str) -> None:
    """Raise ValueError where a policy for missing values is not one of the known ones."""
    if missing not in MISSING_POLICIES:
        raise ValueError(f"missing={missing!r}; expected one of {list(MISSING_POLICIES)}.")


def _complete(table: pa.Table) -> NDArray[np.bool_]:
    complete = np.ones(table.num_rows, dtype=bool)
    for name in table.column_names:
        complete &= ~is_missing(table[name])
    return complete
