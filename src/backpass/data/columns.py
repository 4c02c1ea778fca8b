"""One column of a table: what is learned from it, and how its cells become numbers or codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.cells import Kind
from backpass.data.errors import DataError
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


Column = Number | Category


def column_from_document(plain: Any, where: str) -> Column:
    """Read a Number or a Category, as its "kind" says."""
    if type(plain) is dict and plain.get("kind") == "text":
        return Category.from_document(plain, where)
    return Number.from_document(plain, where)


def learn_column(
    cells: pa.ChunkedArray, name: str, declared: bool, indicator: bool
) -> Column | str:
    """Learn a column, or say why it is of no use. declared: a category whatever it holds.

    indicator: missing values get an own category or a column that tells where they were.
    """
    if declared or holds_text(cells):
        return _learn_category(cells, name, declared, indicator)
    return _learn_number(cells, name, indicator)


def _learn_number(cells: pa.ChunkedArray, name: str, indicator: bool) -> Number | str:
    import pyarrow as pa

    values = number_values(cells, name)
    present = values[~np.isnan(values)]
    if not len(present):
        return "no values"
    n_missing = len(values) - len(present)
    indicator = indicator and n_missing > 0
    mean, scale = _mean_and_scale(present)
    if scale == 0.0 and not indicator:
        return f"always {mean:g}"
    return Number(name, mean, scale, n_missing, indicator, pa.types.is_boolean(cells.type))


def _learn_category(
    cells: pa.ChunkedArray, name: str, declared: bool, indicator: bool
) -> Category | str:
    import pyarrow as pa
    import pyarrow.compute as pc

    ordered = pa.types.is_dictionary(cells.type)
    words = as_words(cells)
    counted = pc.value_counts(words.drop_null())
    counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    n_present = sum(counts.values())
    if not counts:
        return "no values"
    if not (declared or ordered) and len(counts) > max(_FEW_LEVELS, _IDENTIFIER_SHARE * n_present):
        first, second = list(counts)[:2]
        raise DataError(
            f"holds {len(counts):,} different texts in {n_present:,} rows ('{first}', '{second}', "
            f"...), so it names rows rather than groups them. Leave it out (--drop '{name}'), or "
            f"declare it a category (--categorical '{name}').",
            column=name,
        )
    own = _own_order(cells) if ordered else _sorted_levels(counts)
    levels = tuple(level for level in own if level in counts)
    n_missing = len(cells) - n_present
    own_category = indicator and n_missing > 0
    if len(levels) + own_category < 2:
        return f"always '{levels[0]}'"
    return Category(name, levels, tuple(counts[v] for v in levels), n_missing, own_category)


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


def _mean_and_scale(present: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation, also where squares would leave float64's range."""
    if present.min() == present.max():
        return float(present[0]), 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean, scale = float(present.mean()), float(present.std())
    if not (0.0 < scale < math.inf and math.isfinite(mean)):
        unit = float(np.abs(present).max())
        mean, scale = float((present / unit).mean() * unit), float((present / unit).std() * unit)
    # Neighbouring numbers may have a deviation that rounds to nothing; they differ all the same.
    return mean, max(scale, float(np.spacing(abs(mean))))


def _share_scale(count: int, n_rows: int) -> float:
    share = count / n_rows
    return math.sqrt(share * (1.0 - share))


def level_codes(cells: pa.ChunkedArray, column: Category) -> tuple[NDArray[np.int32], str | None]:
    """Return each row's code, (n_rows,) int32, and an example of a value not seen at the fit.

    Missing and unseen values get the code of the own category, or -1 where there is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    words = as_words(cells)
    found = pc.index_in(words, value_set=pa.array(column.levels, words.type))
    unseen = pc.and_(pc.is_null(found), pc.is_valid(words))
    first = pc.index(unseen, True).as_py()
    example = words[first].as_py() if first >= 0 else None
    fallback = len(column.levels) if column.own_category else -1
    return np.asarray(pc.fill_null(found, fallback), dtype=np.int32), example


def as_category(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as a categorical one, levels sorted; so declared, it is not judged again."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = as_words(cells)
    levels = _sorted_levels(pc.unique(words.drop_null()).to_pylist())
    dictionary = pa.array(levels, words.type)
    codes = pc.index_in(words, value_set=dictionary)
    chunks = [pa.DictionaryArray.from_arrays(chunk, dictionary) for chunk in codes.chunks]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), words.type))
