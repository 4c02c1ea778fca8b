"""What terms are products of, as learned from a table: a value, levels of a category, polynomials.

Each gives columns and R's names for them: `age`, `C(race)2`, `smokeTRUE`, `poly(age, 2)1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.columns import Category, learn_column, level_codes
from backpass.data.errors import DataError, listed
from backpass.data.unseen import Unseen
from backpass.formula import expression
from backpass.formula.parse import Factor

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = NDArray[np.float64]
LOGICAL = ("FALSE", "TRUE")


@dataclass(frozen=True)
class Value:
    """A number per row."""

    label: str
    node: expression.Node

    def names(self, full: bool) -> list[str]:
        """Name the columns. full: whether all levels have one, which matters to levels alone."""
        return [self.label]

    def values(self, table: pa.Table, full: bool) -> Matrix:
        """Return the columns, (n_rows, n_columns); DataError where a value is not finite."""
        found = expression.numbers(self.node, table)
        bad = ~np.isfinite(found)
        if bad.any():
            row = int(bad.argmax())
            raise DataError(f"{self.label} of the formula is {found[row]}.", record=row + 1)
        return found[:, None]

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        node = expression.to_document(self.node)
        return {"kind": "value", "label": self.label, "node": node}


@dataclass(frozen=True)
class Levels:
    """A category, or a condition with the levels FALSE and TRUE; a column of 0 and 1 per level."""

    label: str
    node: expression.Node
    levels: tuple[str, ...]
    baseline: str

    def names(self, full: bool) -> list[str]:
        """Name the columns: of all levels, or of all but the baseline."""
        return [f"{self.label}{level}" for level in self._shown(full)]

    def values(self, table: pa.Table, full: bool) -> Matrix:
        """Return the columns, (n_rows, n_columns); DataError for a level not seen at the fit."""
        codes = self._codes(table)
        shown = [self.levels.index(level) for level in self._shown(full)]
        return (codes[:, None] == np.array(shown)).astype(np.float64)

    def seen(self, table: pa.Table) -> NDArray[np.bool_]:
        """Mark the rows, (n_rows,), whose level the fit saw."""
        if self._is_condition:
            return np.ones(table.num_rows, dtype=bool)
        return self._found(table)[0] >= 0

    def _shown(self, full: bool) -> list[str]:
        return [level for level in self.levels if full or level != self.baseline]

    def _codes(self, table: pa.Table) -> NDArray[np.intp]:
        if self._is_condition:
            return expression.numbers(self.node, table).astype(np.intp)
        codes, unseen = self._found(table)
        if unseen is not None:
            raise DataError(
                f"holds {listed(unseen.examples)} in {unseen.rows:,} rows, which the fit did not "
                f"see; it knows {listed(self.levels)}.",
                column=expression.node_name(self.node),
                remedies=["leave such rows out", "fit again with them"],
            )
        return codes.astype(np.intp)

    @property
    def _is_condition(self) -> bool:
        return not isinstance(self.node, expression.Column) or self.levels == LOGICAL

    def _found(self, table: pa.Table) -> tuple[NDArray[np.int32], Unseen | None]:
        name, nothing = expression.node_name(self.node), (0,) * len(self.levels)
        return level_codes(table[name], Category(name, self.levels, nothing, 0, False))

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": "levels",
            "label": self.label,
            "node": expression.to_document(self.node),
            "levels": list(self.levels),
            "baseline": self.baseline,
        }


@dataclass(frozen=True)
class Polynomials:
    """Polynomials of a number up to a degree, orthonormal over the rows of the fit, as R's poly.

    p_{k+1} = (x - centres_k) p_k - squares_k / squares_{k-1} p_{k-1}, with squares_k = ∑ p_k² over
    those rows. Source: Kennedy & Gentle (1980), pp. 343-344, as in R.
    """

    label: str
    node: expression.Node
    centres: tuple[float, ...]
    squares: tuple[float, ...]  # of p_0 to p_degree

    @classmethod
    def learn(
        cls, label: str, node: expression.Node, x: NDArray[np.float64], degree: int
    ) -> Polynomials:
        """Learn from the values of the fit; DataError where they are too few for the degree."""
        if len(np.unique(x)) <= degree:
            raise DataError(f"{label} of the formula needs more than {degree} different values.")
        centres: list[float] = []
        squares = [float(len(x))]
        before, here = np.zeros(len(x)), np.ones(len(x))
        for k in range(degree):
            centres.append(float(x @ here**2 / squares[-1]))
            ratio = squares[-1] / squares[-2] if k else 0.0
            before, here = here, (x - centres[-1]) * here - ratio * before
            squares.append(float(here @ here))
        return cls(label, node, tuple(centres), tuple(squares))

    def names(self, full: bool) -> list[str]:
        """Name the columns."""
        degree = len(self.centres)
        return [f"{self.label}{k + 1}" for k in range(degree)] if degree > 1 else [self.label]

    def values(self, table: pa.Table, full: bool) -> Matrix:
        """Return the columns, (n_rows, degree)."""
        x = Value(self.label, self.node).values(table, full)[:, 0]
        columns = []
        before, here = np.zeros(len(x)), np.ones(len(x))
        for k, centre in enumerate(self.centres):
            ratio = self.squares[k] / self.squares[k - 1] if k else 0.0
            before, here = here, (x - centre) * here - ratio * before
            columns.append(here / np.sqrt(self.squares[k + 1]))
        return np.column_stack(columns)

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": "polynomials",
            "label": self.label,
            "node": expression.to_document(self.node),
            "centres": list(self.centres),
            "squares": list(self.squares),
        }


Learned = Value | Levels | Polynomials


def learn(factor: Factor, table: pa.Table, reference: Mapping[str, str]) -> Learned:
    """Learn a factor from whole rows. reference: {column: baseline} where the formula has none."""
    node = expression.learned(factor.node, table)
    if factor.kind == "poly":
        x = Value(factor.label, node).values(table, False)[:, 0]
        return Polynomials.learn(factor.label, node, x, factor.degree)
    found = expression.evaluate(node, table)
    if factor.kind == "value" and found.dtype.kind == "f":
        return Value(factor.label, node)
    name = expression.node_name(node)
    if found.dtype.kind == "b":
        if found.all() or not found.any():
            raise DataError(f"{factor.label} of the formula is always {LOGICAL[int(found[0])]}.")
        levels: tuple[str, ...] = LOGICAL
    else:
        column = learn_column(table[name], name, declared=True, indicator=False)
        if not isinstance(column, Category):
            raise DataError(f"{factor.label} of the formula is {column}.", column=name)
        levels = column.levels
    baseline = str(factor.baseline or reference.get(name, levels[0]))
    if baseline not in levels:
        raise DataError(
            f"the baseline '{baseline}' does not occur; the levels are {listed(levels)}.",
            column=name,
        )
    return Levels(factor.label, node, levels, baseline)


def from_document(plain: Any, where: str) -> Learned:
    """Read what a factor's `to_document` returned, checking every part."""
    kind = plain.get("kind") if type(plain) is dict else None
    shared = {
        "kind": document.one_of("value", "levels", "polynomials"),
        "label": document.text,
        "node": expression.from_document,
    }
    if kind == "levels":
        more = {"levels": document.items(document.text), "baseline": document.text}
    elif kind == "polynomials":
        numbers = document.items(document.number)
        more = {"centres": numbers, "squares": numbers}
    else:
        more = {}
    got = document.fields(plain, where, **shared, **more)
    del got["kind"]
    if kind == "levels":
        if len(set(got["levels"])) != len(got["levels"]) or got["baseline"] not in got["levels"]:
            raise document.DocumentError(f"{where}.levels needs its baseline, no level twice.")
        return Levels(**got)
    if kind == "polynomials":
        squares = got["squares"]
        if len(squares) != len(got["centres"]) + 1 or not all(s > 0.0 for s in squares):
            raise document.DocumentError(f"{where}.squares does not fit its centres.")
        return Polynomials(**got)
    return Value(**got)
