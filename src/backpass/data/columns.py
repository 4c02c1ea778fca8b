"""One column of a table: what is learned from it, and how its cells become numbers or codes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.cells import Kind
from backpass.data.errors import DataError, Remedy, Setting, declare, leave_out
from backpass.data.moments import Moments, moments_of
from backpass.data.text_column import Text
from backpass.data.unseen import EXAMPLES, Unseen
from backpass.data.values import as_words, holds_text, number_values

if TYPE_CHECKING:
    import pyarrow as pa

# A text column with more values than this, and new ones in more than nine rows of ten, names rows.
_FEW_LEVELS = 10
_IDENTIFIER_SHARE = 0.9


@dataclass(frozen=True)
class Number:
    """A numeric or boolean column.

    mean and scale (standard deviation, 0 where the value never varies) are taken over the present
    values of the rows learned from. indicator: a further column tells where values are missing.
    """

    name: str
    mean: float
    scale: float
    n_missing: int
    indicator: bool
    boolean: bool = False

    @property
    def kind(self) -> Kind:
        """Say how a file's cells are to be read."""
        return "boolean" if self.boolean else "number"

    @property
    def varies(self) -> bool:
        """Say whether the value itself gets a column; if not, only its indicator tells anything."""
        return self.scale > 0.0

    @property
    def coef_names(self) -> list[str]:
        """Name the encoded columns."""
        return [self.name] * self.varies + [f"{self.name} (missing)"] * self.indicator

    def means(self, n_rows: int) -> list[float]:
        """Mean of each encoded column."""
        return [self.mean] * self.varies + [self.n_missing / n_rows] * self.indicator

    def scales(self, n_rows: int) -> list[float]:
        """Standard deviation of each encoded column."""
        share = _share_scale(self.n_missing, n_rows)
        return [self.scale] * self.varies + [share] * self.indicator

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "mean": self.mean,
            "scale": self.scale,
            "n_missing": self.n_missing,
            "indicator": self.indicator,
        }

    @classmethod
    def from_document(cls, plain: Any, where: str) -> Number:
        """Read what `to_document` returned; DocumentError where anything differs."""
        got = document.fields(
            plain,
            where,
            kind=document.one_of("number", "boolean"),
            name=document.text,
            mean=document.number,
            scale=document.number,
            n_missing=document.count,
            indicator=document.flag,
        )
        boolean = got.pop("kind") == "boolean"
        if got["scale"] < 0.0 or (got["scale"] == 0.0 and not got["indicator"]):
            raise document.DocumentError(f"{where}.scale is {got['scale']}; expected more than 0.")
        return cls(**got, boolean=boolean)


@dataclass(frozen=True)
class Category:
    """A text or categorical column.

    levels, with the number of rows of each, in their own order or sorted. own_category: missing and
    unseen values form one more, after the last. baseline: the level without a coefficient, if any.
    """

    name: str
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    n_missing: int
    own_category: bool
    baseline: str | None = None

    @property
    def kind(self) -> Kind:
        """Say how a file's cells are to be read."""
        return "text"

    @property
    def coef_names(self) -> list[str]:
        """Name the encoded columns."""
        names = [f"{self.name}={level}" for level in self.levels if level != self.baseline]
        return names + [f"{self.name} (missing)"] * self.own_category

    @property
    def coef_codes(self) -> list[int]:
        """List the code that each encoded column stands for."""
        codes = [code for code, level in enumerate(self.levels) if level != self.baseline]
        return codes + [len(self.levels)] * self.own_category

    def means(self, n_rows: int) -> list[float]:
        """Mean of each encoded column: the share of its rows."""
        counts = (*self.counts, self.n_missing)
        return [counts[code] / n_rows for code in self.coef_codes]

    def scales(self, n_rows: int) -> list[float]:
        """Standard deviation of each encoded column."""
        counts = (*self.counts, self.n_missing)
        return [_share_scale(counts[code], n_rows) for code in self.coef_codes]

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "levels": list(self.levels),
            "counts": list(self.counts),
            "n_missing": self.n_missing,
            "own_category": self.own_category,
            "baseline": self.baseline,
        }

    @classmethod
    def from_document(cls, plain: Any, where: str) -> Category:
        """Read what `to_document` returned; DocumentError where anything differs."""
        got = document.fields(
            plain,
            where,
            kind=document.one_of("text"),
            name=document.text,
            levels=document.items(document.text),
            counts=document.items(document.count),
            n_missing=document.count,
            own_category=document.flag,
            baseline=document.optional(document.text),
        )
        del got["kind"]
        levels = got["levels"]
        if not levels or len(set(levels)) != len(levels) or len(got["counts"]) != len(levels):
            raise document.DocumentError(f"{where}.levels needs one count each, no level twice.")
        if got["baseline"] is not None and got["baseline"] not in levels:
            raise document.DocumentError(f"{where}.baseline is not one of its levels.")
        return cls(**got)


Column = Number | Category | Text


def column_from_document(plain: Any, where: str) -> Column:
    """Read a column of any class, as its "kind" says."""
    if type(plain) is dict and plain.get("kind") == "text":
        return Category.from_document(plain, where)
    if type(plain) is dict and plain.get("kind") == "words":
        return Text.from_document(plain, where)
    return Number.from_document(plain, where)


def learn_column(
    cells: pa.ChunkedArray, name: str, declared: bool, indicator: bool
) -> Column | str:
    """Learn a column, or say why it is of no use. declared: a category whatever it holds.

    indicator: missing values get an own category or a column that tells where they were.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (declared or holds_text(cells)):
        moments = moments_of(number_values(cells, name))
        return number_from(name, moments, len(cells), indicator, pa.types.is_boolean(cells.type))
    counted = pc.value_counts(as_words(cells).drop_null())
    counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    own = _own_order(cells) if pa.types.is_dictionary(cells.type) else None
    return category_from(name, counts, len(cells), indicator, declared, own, in_memory=True)


def number_from(
    name: str, moments: Moments, n_rows: int, indicator: bool, boolean: bool
) -> Number | str:
    """Make a number's column from its moments, or say why it is of no use."""
    if not moments.count:
        return "no values"
    n_missing = n_rows - moments.count
    indicator = indicator and n_missing > 0
    mean, scale = moments.mean_and_scale()
    if scale == 0.0 and not indicator:
        return f"always {mean:g}"
    return Number(name, mean, scale, n_missing, indicator, boolean)


def category_from(
    name: str,
    counts: Mapping[str, int],
    n_rows: int,
    indicator: bool,
    declared: bool = False,
    own_order: list[str] | None = None,
    in_memory: bool = False,
) -> Category | str:
    """Make a category's column from the rows of each level, or say why it is of no use.

    own_order: the levels as their maker ordered them; None sorts them. Raises DataError for a
    column that names rows, unless it was declared a category or has an order of its own;
    in_memory: whether it came in a table, which has no settings.
    """
    n_present = sum(counts.values())
    if not counts:
        return "no values"
    if not (declared or own_order is not None):
        refuse_identifier(name, counts, n_present, in_memory)
    order = _sorted_levels(counts) if own_order is None else own_order
    levels = tuple(level for level in order if level in counts)
    n_missing = n_rows - n_present
    own_category = indicator and n_missing > 0
    if len(levels) + own_category < 2:
        return f"always '{levels[0]}'"
    return Category(name, levels, tuple(counts[v] for v in levels), n_missing, own_category)


def refuse_identifier(
    name: str, levels: Collection[str], n_present: int, in_memory: bool = False
) -> None:
    """Raise DataError where nearly every row brings a value of its own."""
    if len(levels) <= max(_FEW_LEVELS, _IDENTIFIER_SHARE * n_present):
        return
    first, second = (shorten(level, 40, placeholder=" …") for level in itertools.islice(levels, 2))
    raise DataError(
        f"holds {len(levels):,} different texts in {n_present:,} rows ('{first}', '{second}', "
        "...), so it names rows rather than groups them.",
        column=name,
        remedies=_in_memory(name) if in_memory else _from_files(name),
    )


def _from_files(name: str) -> list[Remedy]:
    return [leave_out(name), Setting("read it as free text", "text", (name,)), declare(name)]


def _in_memory(name: str) -> list[Remedy]:
    free = "if it is free text, turn it into numbers with scikit-learn's TfidfVectorizer or fit "
    return [
        "leave the column out of the table",
        f"{free}from a file, open_dataset(..., text=[{name!r}])",
        "make it a category of the table",
    ]


def _own_order(cells: pa.ChunkedArray) -> list[str]:
    """List the levels of a categorical column in the order that its maker gave them."""
    chunk = cells.unify_dictionaries().chunk(0)
    return as_words(chunk.dictionary).to_pylist()


def _sorted_levels(levels: Any) -> list[str]:
    """Sort levels, by value where all are numbers: 2 before 10."""
    try:
        return sorted(levels, key=lambda level: (float(level), level))
    except ValueError:
        return sorted(levels)


def _share_scale(count: int, n_rows: int) -> float:
    share = count / n_rows
    return math.sqrt(share * (1.0 - share))


def level_codes(
    cells: pa.ChunkedArray, column: Category
) -> tuple[NDArray[np.int32], Unseen | None]:
    """Return each row's code, (n_rows,) int32, and the values not seen at the fit, if any.

    Missing and unseen values get the code of the own category, or -1 where there is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    words = as_words(cells)
    found = pc.index_in(words, value_set=pa.array(column.levels, words.type))
    unseen = pc.and_(pc.is_null(found), pc.is_valid(words))
    n_unseen = pc.sum(unseen).as_py() or 0
    strangers = None
    if n_unseen:
        different = pc.unique(words.filter(unseen)).slice(0, EXAMPLES).to_pylist()
        strangers = Unseen(n_unseen, tuple(different))
    fallback = len(column.levels) if column.own_category else -1
    return np.asarray(pc.fill_null(found, fallback), dtype=np.int32), strangers
