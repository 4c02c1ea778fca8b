"""The columns that a formula makes of a table, as R's model.matrix makes them.

A `Design` is an encoding, as `encoding.Encoding` is one: learned from a table, then the same for
every table. It keeps levels, baselines, means of `scale` and the coefficients of `poly`.

Contrasts follow R: a category stands in a term by its levels but the baseline where the term
without it is in the formula too, else by all levels; without an intercept the first category found
stands by all. In an interaction the first factor's columns vary fastest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.cells import Kind
from backpass.data.errors import DataError, Setting, listed
from backpass.data.table import as_table
from backpass.data.values import as_words, holds_text, is_missing, kind_of_type
from backpass.formula import expression, factors
from backpass.formula.factors import Learned, Levels
from backpass.formula.parse import Factor, Formula

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = NDArray[np.float64]
Term = tuple[tuple[int, bool], ...]  # factors by number, and whether by all of their levels


@dataclass(frozen=True)
class Design:
    """How a table's columns become the columns of a model, by a formula.

    y: nodes of the left side, one or (successes, failures), and y_name. kinds: how a file's cells
    of each column are to be read. scales: standard deviations of the model's columns at the fit.
    """

    text: str
    y: tuple[expression.Node, ...]
    y_name: str
    factors: tuple[Learned, ...]
    terms: tuple[Term, ...]
    offsets: tuple[expression.Node, ...]
    missing: str
    kinds: Mapping[str, Kind]
    scales: Matrix
    n_rows: int

    intercept_name = "(Intercept)"

    @classmethod
    def learn(
        cls,
        formula: Formula,
        table: pa.Table,
        missing: str,
        reference: Mapping[str, str],
        intercept: bool,
    ) -> Design:
        """Learn from the rows of a table in which no value is missing.

        missing: "raise" or "drop". reference: {column: level}, baselines that the formula does not
        name itself. intercept: whether one is fitted. Raises DataError.
        """
        used: dict[Factor, int] = {}
        for term in formula.terms:
            for factor in term:
                used.setdefault(factor, len(used))
        if not used:
            raise DataError(
                f"the formula {formula.text!r} names no column to fit with; what a model without "
                "columns reaches is in the results of any other fit, llnull."
            )
        nodes = [factor.node for factor in used] + list(formula.offsets)
        names = list(dict.fromkeys(name for node in nodes for name in expression.columns_of(node)))
        left = tuple(node for _, node in formula.y)
        _refuse_absent(formula, [*names, *_columns(left)], table)
        whole = _whole(table, [*names, *_columns(left)], missing)
        learned = tuple(factors.learn(factor, whole, reference) for factor in used)
        terms = _contrasts(
            [tuple(used[factor] for factor in term) for term in formula.terms], learned, intercept
        )
        offsets = tuple(expression.learned(node, whole) for node in formula.offsets)
        kinds = {name: kind_of_type(table[name]) for name in names}
        design = cls(
            formula.text,
            left,
            formula.y_name or "y",
            learned,
            terms,
            offsets,
            missing,
            kinds,
            np.empty(0),
            whole.num_rows,
        )
        return design._with_scales(design._matrix(whole))

    def _with_scales(self, matrix: Matrix) -> Design:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Design(**(fields | {"scales": matrix.std(axis=0)}))

    # As an encoding.

    @property
    def column_names(self) -> list[str]:
        """Names of the table's columns that the model uses."""
        return list(self.kinds)

    @property
    def term_names(self) -> dict[str, list[str]]:
        """Names of every term's columns: {"C(race):age": ["C(race)2:age", "C(race)3:age"]}."""
        named = {}
        for term in self.terms:
            names = [""]
            for place, full in term:
                own = self.factors[place].names(full)
                names = [f"{a}:{b}" if a else b for b in own for a in names]
            named[":".join(self.factors[place].label for place, _ in term)] = names
        return named

    @property
    def coef_names(self) -> list[str]:
        """Names of the model's columns, as R has them."""
        return [name for names in self.term_names.values() for name in names]

    @property
    def level_names(self) -> list[list[str]]:
        """Names of the columns of every category that stands as a term by itself."""
        named = zip(self.terms, self.term_names.values(), strict=True)
        return [
            names
            for term, names in named
            if len(term) == 1 and isinstance(self.factors[term[0][0]], Levels)
        ]

    @property
    def is_number(self) -> NDArray[np.bool_]:
        """Mark the columns, (n_coefs,), that hold measured numbers, which have a scale."""
        numbers = [
            not any(isinstance(self.factors[place], Levels) for place, _ in term)
            for term in self.terms
        ]
        return np.repeat(numbers, [len(names) for names in self.term_names.values()])

    def complete_rows(self, table: Any) -> NDArray[np.bool_]:
        """Mark the rows, (n_rows,), that have a value in every column of the formula."""
        table = as_table(table)
        here = [name for name in _columns(self.y) if name in table.column_names]
        return _complete(table, [*self.column_names, *here])

    def usable_rows(self, table: Any) -> NDArray[np.bool_]:
        """Mark the rows, (n_rows,), that are complete and have levels that the fit saw."""
        usable, table = self.complete_rows(table), as_table(table)
        for factor in self.factors:
            if isinstance(factor, Levels):
                usable &= factor.seen(table)
        return usable

    def with_baselines(self, reference: Mapping[str, str]) -> Design:
        """Return the design, whose baselines were learned; DataError for names of no category."""
        categories = {
            expression.node_name(factor.node)
            for factor in self.factors
            if isinstance(factor, Levels)
        }
        for name in reference:
            if name not in categories:
                raise DataError(
                    "reference names it, but it is no category of the formula; those are "
                    f"{listed(sorted(categories)) or 'none'}.",
                    column=name,
                )
        return self

    def transform(self, table: Any) -> Matrix:
        """Return the model's columns of a table, (n_rows, n_coefs).

        Raises DataError where a column is absent, a value missing or a level new.
        """
        return self._matrix(self._whole(table))

    rows = transform

    def offset(self, table: Any) -> NDArray[np.float64] | None:
        """Return the sum of the offset() terms, (n_rows,), nan where a value is missing."""
        if not self.offsets:
            return None
        table = as_table(table)
        _refuse_absent(self, [name for node in self.offsets for name in _columns([node])], table)
        return np.sum([expression.numbers(node, table) for node in self.offsets], axis=0)

    def labels(self, table: Any) -> NDArray:
        """Return y of the left side: labels (n_rows,), or counts of failures and successes."""
        table = as_table(table)
        _refuse_absent(self, _columns(self.y), table)
        if len(self.y) == 2:
            successes, failures = (expression.numbers(node, table) for node in self.y)
            return np.column_stack([failures, successes])
        (node,) = self.y
        if isinstance(node, expression.Column):
            cells = table[node.name]
            if holds_text(cells):
                return np.array(as_words(cells).to_pylist(), dtype=object)
            return cells.to_numpy()
        return expression.evaluate(node, table)

    def _whole(self, table: Any) -> pa.Table:
        table = as_table(table)
        _refuse_absent(self, self.column_names, table)
        return _whole(table, self.column_names, None)

    def _matrix(self, table: pa.Table) -> Matrix:
        columns = []
        for term in self.terms:
            made = np.ones((table.num_rows, 1))
            for place, full in term:
                own = self.factors[place].values(table, full)
                made = (own[:, :, None] * made[:, None, :]).reshape(len(made), -1)
            columns.append(made)
        return np.hstack(columns)

    # In files.

    def to_document(self) -> dict[str, Any]:
        """Return plain dicts, lists, texts and numbers; no text of them is ever evaluated."""
        return {
            "formula": self.text,
            "y": [expression.to_document(node) for node in self.y],
            "y_name": self.y_name,
            "factors": [factor.to_document() for factor in self.factors],
            "terms": [[[place, full] for place, full in term] for term in self.terms],
            "offsets": [expression.to_document(node) for node in self.offsets],
            "missing": self.missing,
            "kinds": [[name, kind] for name, kind in self.kinds.items()],
            "scales": self.scales.tolist(),
            "n_rows": self.n_rows,
        }

    @classmethod
    def from_document(cls, plain: Any, where: str = "encoding") -> Design:
        """Read what `to_document` returned, checking every key, type and range."""
        got = document.fields(
            plain,
            where,
            formula=document.text,
            y=document.items(expression.from_document),
            y_name=document.text,
            factors=document.items(factors.from_document),
            terms=document.items(document.items(_place)),
            offsets=document.items(expression.from_document),
            missing=document.one_of("raise", "drop"),
            kinds=document.items(_kind),
            scales=document.items(document.number),
            n_rows=document.count,
        )
        design = cls(
            text=got.pop("formula"),
            kinds=dict(got.pop("kinds")),
            scales=np.array(got.pop("scales")),
            **got,
        )
        places = [place for term in design.terms for place, _ in term]
        if not places or max(places) >= len(design.factors) or len(design.y) > 2:
            raise document.DocumentError(f"{where}.terms names factors that are not there.")
        width = sum(  # before any name is made: a product of levels can be astronomical
            math.prod(len(design.factors[place].names(full)) for place, full in term)
            for term in design.terms
        )
        if width != len(design.scales):
            raise document.DocumentError(f"{where}.scales does not fit the terms.")
        read = [*(factor.node for factor in design.factors), *design.offsets]
        if set(_columns(read)) != set(design.kinds):
            raise document.DocumentError(f"{where}.kinds names other columns than the factors.")
        return design


def _contrasts(
    terms: list[tuple[int, ...]], learned: Sequence[Learned], intercept: bool
) -> tuple[Term, ...]:
    """Choose, by R's rule, which categories stand by all of their levels, term by term."""
    present: set[frozenset[int]] = {frozenset(term) for term in terms} | {frozenset()}
    made = []
    first = not intercept
    for term in terms:
        coded = []
        for place in term:
            levels = isinstance(learned[place], Levels)
            full = levels and (frozenset(term) - {place} not in present or first)
            first = first and not levels
            coded.append((place, full))
        made.append(tuple(coded))
    return tuple(made)


def _columns(nodes: Sequence[expression.Node]) -> list[str]:
    return [name for node in nodes for name in expression.columns_of(node)]


def _refuse_absent(formula: Any, names: Sequence[str], table: pa.Table) -> None:
    absent = dict.fromkeys(name for name in names if name not in table.column_names)
    if absent:
        raise DataError(
            f"the formula {formula.text!r} names {listed(absent)}, which the table does not have; "
            f"it has {listed(table.column_names, 20)}."
        )


def _whole(table: pa.Table, names: Sequence[str], missing: str | None) -> pa.Table:
    """Return the rows with a value in all these columns; DataError where missing is not "drop".

    missing: None at predict, when no setting helps.
    """
    complete = _complete(table, names)
    if complete.all():
        return table
    if missing == "drop":
        if not complete.any():
            raise DataError("no row has a value in every column of the formula.")
        return table.filter(complete)
    counts = {name: int(is_missing(table[name]).sum()) for name in dict.fromkeys(names)}
    said = ", ".join(f"'{name}' ({count:,})" for name, count in counts.items() if count)
    drop = Setting("leave such rows out", "missing", "drop")
    raise DataError(
        f"values are missing in {said} of {table.num_rows:,} rows.",
        remedies=[drop] if missing else ["leave such rows out"],
    )


def _complete(table: pa.Table, names: Sequence[str]) -> NDArray[np.bool_]:
    complete = np.ones(table.num_rows, dtype=bool)
    for name in names:
        complete &= ~is_missing(table[name])
    return complete


def _place(plain: Any, where: str) -> tuple[int, bool]:
    if type(plain) is not list or len(plain) != 2:
        raise document.DocumentError(f"{where} is no factor of a term.")
    return document.count(plain[0], where), document.flag(plain[1], where)


def _kind(plain: Any, where: str) -> tuple[str, str]:
    if type(plain) is not list or len(plain) != 2:
        raise document.DocumentError(f"{where} is no column and its kind.")
    kind = document.one_of("number", "boolean", "text")(plain[1], where)
    return document.text(plain[0], where), kind
