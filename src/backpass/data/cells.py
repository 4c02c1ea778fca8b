"""Text cells to typed columns: trimmed, missing markers out, then numbers, booleans or text.

This is apart from the csv reader because the rules are about one column's cells, whatever
brought them, and because they see all cells of a column: a look at the first rows alone would
take `12, 15, ..., n/a` for numbers in one file and for a category in the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

from backpass.data.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["number", "boolean", "text"]

MISSING_VALUES = ("", "NA", "N/A", "NaN", "null", "?")

# Infinities are numbers here, so that it is their refusal that names them, further on.
_NUMBER = r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[iI]nf(inity)?|[nN]a[nN])$"
_DECIMAL_COMMA = r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$"
_DATE = r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T].*)?$"


def trimmed(
    cells: pa.ChunkedArray, missing_values: tuple[str, ...], decimal: str = "."
) -> pa.ChunkedArray:
    """Return text cells without the spaces around them, missing markers and empty cells as null.

    decimal: "," turns 1,5 into 1.5, in cells that are such a number as a whole.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    cells = pc.utf8_trim_whitespace(cells)
    if decimal == ",":
        cells = pc.replace_substring_regex(cells, _DECIMAL_COMMA, r"\1.\2")
    markers = pa.array(sorted({"", *missing_values}), cells.type)
    missing = pc.is_in(cells, value_set=markers, skip_nulls=True)
    return pc.if_else(missing, pa.scalar(None, cells.type), cells)


def kind_of(cells: pa.ChunkedArray, column: str, missing_values: tuple[str, ...]) -> Kind:
    """Say what trimmed cells hold, after a look at every one.

    Raises DataError naming the record where a column is mostly but not wholly numbers, since either
    reading would be a guess, and where it holds dates, which no classifier here can use.
    """
    import pyarrow.compute as pc

    present = cells.drop_null()
    if len(present) == 0:
        return "text"
    numbers = pc.sum(pc.match_substring_regex(present, _NUMBER)).as_py()
    if numbers == len(present):
        return "number"
    if pc.all(pc.match_substring_regex(present, r"(?i)^(true|false)$")).as_py():
        return "boolean"
    if pc.all(pc.match_substring_regex(present, _DATE)).as_py():
        raise DataError(
            f"holds dates such as '{present[0]}'; turn them into numbers (days since an event, "
            f"month, weekday) beforehand, or pass --drop '{column}'.",
            column=column,
        )
    commas = pc.sum(pc.match_substring_regex(present, _DECIMAL_COMMA)).as_py()
    if commas and commas + numbers == len(present):
        example = present.filter(pc.match_substring_regex(present, _DECIMAL_COMMA))[0]
        raise DataError(
            f"holds numbers with decimal commas such as '{example}'; pass --decimal ',', or "
            f"--categorical '{column}' if they are names.",
            column=column,
        )
    if 2 * numbers > len(present):
        _refuse_mixed(cells, column, missing_values)
    return "text"


def to_kind(
    cells: pa.ChunkedArray, kind: Kind, column: str, missing_values: tuple[str, ...]
) -> pa.ChunkedArray:
    """Return trimmed cells as float64, bool or text; DataError names one that does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "text":
        return cells
    if kind == "boolean":
        lower = pc.utf8_lower(cells)
        yes = pc.is_in(lower, value_set=pa.array(["true", "1"], lower.type))
        no = pc.is_in(lower, value_set=pa.array(["false", "0"], lower.type))
        stranger = pc.and_(pc.is_valid(cells), pc.invert(pc.or_(yes, no)))
        _refuse_first(cells, stranger, column, "is not true or false, which this column holds")
        return pc.if_else(pc.is_valid(cells), yes, pa.scalar(None, pa.bool_()))
    fits = pc.match_substring_regex(cells, _NUMBER)
    if pc.any(pc.invert(fits)).as_py():
        _refuse_mixed(cells, column, missing_values)
    return cells.cast(pa.float64())


def _refuse_mixed(cells: pa.ChunkedArray, column: str, missing_values: tuple[str, ...]) -> NoReturn:
    import pyarrow.compute as pc

    stranger = pc.fill_null(pc.invert(pc.match_substring_regex(cells, _NUMBER)), False)
    count = pc.sum(stranger).as_py()
    others = len(cells) - cells.null_count - count
    first = cells.filter(stranger)[0].as_py()
    markers = ",".join([value for value in missing_values if value] + [first])
    same = f" ({count - 1:,} more like it)" if count > 1 else ""
    _refuse_first(
        cells,
        stranger,
        column,
        f"is not a number{same}; {others:,} other cells of the column are. "
        f"Pass --missing-values '{markers}', or --categorical '{column}'.",
    )
    raise AssertionError("unreachable: the caller saw a cell that is no number")


def _refuse_first(cells: pa.ChunkedArray, wrong: pa.ChunkedArray, column: str, why: str) -> None:
    """Raise DataError at the first cell that is marked wrong; return where none is."""
    import pyarrow.compute as pc

    record = pc.index(wrong, True).as_py()
    if record >= 0:
        raise DataError(f"'{cells[record]}' {why}", record=record + 1, column=column)
