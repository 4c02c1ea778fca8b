"""How a table's columns become a model's: the schema, its names and scales, tables encoded by it.

The intermediate form, `Codes`, keeps categorical columns as integers, as `rows` does for a fit;
only `transform` writes them out as columns of 0 and 1. What a single column needs is in the
classes `Number`, `Category` and `Text`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.data import document
from backpass.data.columns import Category, Column, Number, level_codes
from backpass.data.errors import DataError
from backpass.data.mixed import MixedColumns, MixedRows, MixedTable
from backpass.data.table import as_table
from backpass.data.text_column import Text, TextRows
from backpass.data.unseen import Unseen, UnseenWarning
from backpass.data.values import is_missing, number_values, refuse_unusable
from backpass.data.word_rows import WordTable, beside
from backpass.data.words import count_words, missing_texts
from backpass.encoding.codes import Codes, mixed_columns, side_by_side
from backpass.encoding.learning import Learnable, TableInMemory, check_policy, learn_columns
from backpass.encoding.reading import checked_fields
from backpass.encoding.refusals import (
    refuse_absent,
    refuse_missing,
    refuse_same_names,
    refuse_unknown_levels,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Encoding:
    """How a table's columns become the columns of a model; made by `Encoding.learn`.

    columns: Number and Category, in the table's order, which is the order of coefficients too;
    after them each Text, which has thousands.
    missing: "indicator" (the mean, or an own category; beside it a column that says where values
    were missing, if any were at the fit), "drop" or "raise".
    dropped: (name, why) of columns that carry no information. n_rows: rows learned from.
    standardize: whether numbers leave as (x - mean) / scale.
    """

    columns: tuple[Column, ...]
    missing: str
    dropped: tuple[tuple[str, str], ...] = ()
    n_rows: int = 0
    standardize: bool = False

    @classmethod
    def learn(
        cls,
        table: Any,
        *,
        missing: str,
        categorical: Collection[str] = (),
        drop: Collection[str] = (),
        reference: Mapping[str, str] | None = None,
        standardize: bool = False,
    ) -> Encoding:
        """Learn columns, levels, means and scales from a pandas, polars or pyarrow table.

        categorical: columns that are categories whatever they hold. drop: columns left out.
        reference: None gives every level a coefficient; a mapping, also an empty one, leaves out
        each category's baseline, the level named or else the first.
        Raises DataError naming the column.
        """
        check_policy(missing)
        table = as_table(table)
        refuse_absent(table.column_names, [*categorical, *drop])
        table = table.drop_columns(list(drop))
        for name in table.column_names:
            refuse_unusable(table[name], name, declared=name in categorical)
        rows = TableInMemory(table, categorical)
        return cls.learn_from(rows, missing=missing, reference=reference, standardize=standardize)

    @classmethod
    def learn_from(
        cls,
        table: Learnable,
        *,
        missing: str,
        reference: Mapping[str, str] | None = None,
        standardize: bool = False,
    ) -> Encoding:
        """Learn from a table of any storage, as `learn` does from one in memory."""
        check_policy(missing)
        if table.n_rows == 0:
            raise DataError("no rows are left to learn from.")
        if missing == "raise":
            refuse_missing(table.missing_counts(table.names), table.n_rows)
        columns, dropped, n_rows = learn_columns(table, missing)
        made = cls(columns, missing, dropped, n_rows, standardize)
        refuse_same_names(made.coef_names)
        return made if reference is None else made.with_baselines(reference)

    def with_baselines(self, reference: Mapping[str, str]) -> Encoding:
        """Return the encoding that leaves out one level per category: the one named, or the first.

        Without a penalty all levels and an intercept have no unique coefficients; so one level is
        the baseline, against which the others are measured.
        """
        refuse_unknown_levels(reference, self.columns)
        return replace(
            self,
            columns=tuple(
                replace(c, baseline=str(reference.get(c.name, c.levels[0])))
                if isinstance(c, Category)
                else c
                for c in self.columns
            ),
        )

    @property
    def column_names(self) -> list[str]:
        """Names of the columns that the model uses."""
        return [column.name for column in self.columns]

    @property
    def kinds(self) -> dict[str, Any]:
        """Say how a file's cells of each column are to be read: "number", "text", ..."""
        return {column.name: column.kind for column in self.columns}

    @property
    def coef_names(self) -> list[str]:
        """Names of the encoded columns: `age`, `age (missing)`, `sex=male`, `sex (missing)`."""
        return [name for column in self.columns for name in column.coef_names]

    @property
    def level_names(self) -> list[list[str]]:
        """Names of the encoded columns of every category."""
        return [column.coef_names for column in self.columns if isinstance(column, Category)]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean of every encoded column over the rows learned from, (n_coefs,), before scaling."""
        return np.array([m for c in self.columns for m in c.means(self.n_rows)])

    @property
    def scales(self) -> NDArray[np.float64]:
        """Standard deviation of every encoded column over the rows learned from, (n_coefs,).

        A number's is taken over its present values. Indicators and levels are 0 or 1, so theirs
        is that of a share p, √(p(1 - p)).
        """
        return np.array([s for c in self.columns for s in c.scales(self.n_rows)])

    @property
    def is_number(self) -> NDArray[np.bool_]:
        """Mark the encoded columns, (n_coefs,), that hold measured numbers, which have a scale."""
        return np.array(
            [
                isinstance(c, Number) and not c.boolean and name == c.name
                for c in self.columns
                for name in c.coef_names
            ],
            dtype=bool,
        )

    def complete_rows(self, table: Any) -> NDArray[np.bool_]:
        """Mark the rows, (n_rows,), that have a value in every column that the model uses."""
        table = self._matched(as_table(table))
        complete = np.ones(table.num_rows, dtype=bool)
        for column in self.columns:
            complete &= ~_is_missing(table[column.name], column)
        return complete

    def usable_rows(self, table: Any) -> NDArray[np.bool_]:
        """Mark the rows, (n_rows,), that `transform` takes: for some policies the complete ones.

        Where missing values may not be, neither may values that the fit did not see.
        """
        table = self._matched(as_table(table))
        usable = np.ones(table.num_rows, dtype=bool)
        for column in self.columns:
            if self.takes_missing(column):
                continue
            if isinstance(column, Category):
                usable &= level_codes(table[column.name], column)[0] >= 0
            else:
                usable &= ~_is_missing(table[column.name], column)
        return usable

    def codes(self, table: Any) -> Codes:
        """Encode a table but for its free text; columns are matched by name in any order.

        Raises DataError where a column is absent or of another kind than at the fit, for infinite
        numbers (with the record), and where the policy for missing values does not allow them.
        An UnseenWarning counts the values that the fit did not see.
        """
        table = self._matched(as_table(table))
        unseen: dict[str, Unseen] = {}
        absent: dict[str, int] = {}
        numbers: list[NDArray[np.float64]] = []
        categories: list[NDArray[np.int32]] = []
        for column in self.columns:
            cells = table[column.name]
            if isinstance(column, Text):
                lost = int(_is_missing(cells, column).sum())
            elif isinstance(column, Category):
                code, strangers = level_codes(cells, column)
                categories.append(code)
                lost = int(np.count_nonzero(code < 0))
                if strangers is not None:
                    unseen[column.name] = strangers
            else:
                value = number_values(cells, column.name)
                gone = np.isnan(value)
                lost = int(np.count_nonzero(gone))
                numbers.extend(self.number_columns(column, value, gone))
            if lost and not self.takes_missing(column):
                absent[column.name] = lost
        refuse_missing(absent, table.num_rows, unseen, at_fit=False)
        if unseen:
            warnings.warn(UnseenWarning(unseen, table.num_rows), stacklevel=2)
        return Codes(
            side_by_side(numbers, table.num_rows, np.float64),
            side_by_side(categories, table.num_rows, np.int32),
        )

    def transform(self, table: Any) -> NDArray[np.float64] | sparse.csr_array:
        """Encode a table as one array, (n_rows, n_coefs) float64, categories as columns of 0 and 1.

        It is a CSR array where there are columns of free text; a word that the fit did not see
        counts for nothing.

        A missing or unseen value of a category without an own category for it is 0 in all of the
        category's columns; under a penalty their coefficients sum to zero, so that is the middle.
        """
        codes = self.codes(table)
        out = np.empty((len(codes.numbers), self.mixed_columns.n_columns))
        self.expand(codes, out)
        return beside(sparse.csr_array(out), self._words(table)) if self.texts else out

    def rows(self, table: Any) -> NDArray[np.float64] | MixedRows:
        """Encode a table as rows for a fit: categories stay codes; numbers alone are one array."""
        codes = self.codes(table)
        if self.texts:
            plain = MixedTable(codes.numbers, codes.categories, self.mixed_columns)
            return WordTable(plain, self._words(table))
        if not codes.categories.shape[1]:
            return codes.numbers
        return MixedTable(codes.numbers, codes.categories, self.mixed_columns)

    def expand(self, codes: Codes, out: NDArray[np.float64]) -> None:
        """Write encoded rows out as numbers, (n_rows, n_coefs), categories as 0 and 1."""
        out[...] = 0.0
        out[:, self.mixed_columns.numbers_at] = codes.numbers
        columns = self.mixed_columns.of_codes(codes.categories)
        rows, categories = np.nonzero(columns >= 0)
        out[rows, columns[rows, categories]] = 1.0

    @cached_property
    def mixed_columns(self) -> MixedColumns:
        """Say which encoded columns, words aside, are numbers, and which are of what category."""
        return mixed_columns(self.columns)

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """List the columns of free text."""
        return tuple(column for column in self.columns if isinstance(column, Text))

    @cached_property
    def text_rows(self) -> TextRows:
        """Return what turns counts of words into tf-idf, for these columns in this order."""
        return TextRows(self.texts)

    def _words(self, table: Any) -> sparse.csr_array:
        cells = self._matched(as_table(table)).select([text.name for text in self.texts])
        return self.text_rows.encoded(count_words(cells.columns, [None] * len(self.texts)))

    def to_json(self) -> str:
        """Write the encoding as JSON; `from_json` gives an equal one."""
        return json.dumps(self.to_document(), allow_nan=False)

    def to_document(self) -> dict[str, Any]:
        """Return the encoding as plain dicts, lists, texts and numbers."""
        return {
            "missing": self.missing,
            "standardize": self.standardize,
            "n_rows": self.n_rows,
            "columns": [c.to_document() for c in self.columns],
            "dropped": [list(pair) for pair in self.dropped],
        }

    @classmethod
    def from_json(cls, text: str) -> Encoding:
        """Read what `to_json` wrote; DocumentError (a ValueError) says what is wrong, and where."""
        return cls.from_document(document.parse(text))

    @classmethod
    def from_document(cls, plain: Any, where: str = "encoding") -> Encoding:
        """Read what `to_document` returned, checking every key, type and range."""
        return cls(**checked_fields(plain, where))

    def _matched(self, table: pa.Table) -> pa.Table:
        refuse_absent(table.column_names, self.column_names)
        return table.select(self.column_names)

    def takes_missing(self, column: Column) -> bool:
        """Say whether a missing or unseen value of a column has a place in the model."""
        if self.missing != "indicator":
            return False
        # Where there is a baseline, zeros in all of a category's columns mean that.
        if not isinstance(column, Category):
            return True
        return column.own_category or column.baseline is None

    def number_columns(
        self, column: Number, value: NDArray[np.float64], gone: NDArray[np.bool_]
    ) -> list[NDArray[np.float64]]:
        """Return the columns that one number becomes: itself, imputed, and its indicator."""
        columns = []
        if column.varies:
            filled = np.where(gone, column.mean, value)
            scaled = self.standardize and not column.boolean
            columns.append((filled - column.mean) / column.scale if scaled else filled)
        if column.indicator:
            columns.append(gone.astype(np.float64))
        return columns


def _is_missing(cells: pa.ChunkedArray, column: Column) -> NDArray[np.bool_]:
    return missing_texts(cells) if isinstance(column, Text) else is_missing(cells)
