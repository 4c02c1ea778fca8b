"""Text cells to typed columns: trimmed, missing markers out, then numbers, booleans or text.

This is apart from the csv reader because the rules are about one column's cells, whatever
brought them, and because they see all cells of a column: a look at the first rows alone would
take `12, 15, ..., n/a` for numbers in one file and for a category in the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backpass.data.errors import DataError, Setting, declare, leave_out

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["number", "boolean", "text", "words"]  # text: categories; words: free text

# What to do about dates, wherever they come from.
DATES = "turn them into numbers (days since an event, month, weekday) beforehand"
MISSING_VALUES = ("", "NA", "N/A", "NaN", "null", "?")

# Infinities are numbers here, so that it is their refusal that names them, further on.
_NUMBER = r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[iI]nf(inity)?|[nN]a[nN])$"
_BOOLEAN = r"(?i)^(true|false)$"
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


@dataclass
class Tally:
    """What was met so far in a column of trimmed cells, chunk by chunk.

    booleans, dates: counted only as long as there is nothing else.
    """

    rows: int = 0
    present: int = 0
    numbers: int = 0
    booleans: int = 0
    dates: int = 0
    commas: int = 0
    stranger: tuple[str, int] | None = None  # the first cell that is no number, and its record
    example: str = ""

    def add(self, cells: pa.ChunkedArray) -> None:
        """Take in the next chunk."""
        import pyarrow.compute as pc

        def count(pattern: str) -> int:
            return pc.sum(pc.match_substring_regex(present, pattern)).as_py() or 0

        present = cells.drop_null()
        numbers = count(_NUMBER)
        if numbers < len(present):
            if self.booleans == self.present:
                self.booleans += count(_BOOLEAN)
            if self.dates == self.present:
                self.dates += count(_DATE)
            if self.commas + self.numbers == self.present:
                self.commas += count(_DECIMAL_COMMA)
            if self.stranger is None:
                fits = pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True)
                place = pc.index(fits, False).as_py()
                self.stranger = cells[place].as_py(), self.rows + place + 1
        if len(present) and not self.example:
            self.example = present[0].as_py()
        self.rows += len(cells)
        self.present += len(present)
        self.numbers += numbers

    def verdict(self, column: str, missing_values: tuple[str, ...]) -> Kind:
        """Say what the column holds.

        Raises DataError naming the record where it is mostly but not wholly numbers, since either
        reading would be a guess, and where it holds dates, which no classifier here can use.
        """
        if self.present == 0:
            return "text"
        if self.numbers == self.present:
            return "number"
        if self.booleans == self.present:
            return "boolean"
        if self.dates == self.present:
            raise DataError(
                f"holds dates such as '{self.example}'.",
                column=column,
                remedies=[DATES, leave_out(column)],
            )
        if self.with_commas or 2 * self.numbers > self.present:
            raise self.mixed(column, missing_values)
        return "text"

    @property
    def with_commas(self) -> bool:
        """Tell whether numbers with decimal commas are all that is no number."""
        return self.commas + self.numbers == self.present

    def mixed(self, column: str, missing_values: tuple[str, ...]) -> DataError:
        """Return the error of a column that holds numbers and other things."""
        assert self.stranger is not None
        word, record = self.stranger
        if self.with_commas:
            return DataError(
                f"holds numbers with decimal commas such as '{word}'.",
                column=column,
                remedies=[
                    Setting("have commas read as points", "decimal", ","),
                    declare(column),
                ],
            )
        strangers = self.present - self.numbers
        same = f" ({strangers - 1:,} more like it)" if strangers > 1 else ""
        markers = (*(value for value in missing_values if value), word)
        return DataError(
            f"'{word}' is not a number{same}; {self.numbers:,} other cells of the column are.",
            record=record,
            column=column,
            remedies=[
                Setting("take it for a missing value", "missing_values", markers),
                declare(column),
            ],
        )


def to_kind(
    cells: pa.ChunkedArray, kind: Kind, column: str, missing_values: tuple[str, ...]
) -> pa.ChunkedArray:
    """Return trimmed cells as float64, bool or text; DataError names one that does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind in ("text", "words"):
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
        tally = Tally()
        tally.add(cells)
        raise tally.mixed(column, missing_values)
    return cells.cast(pa.float64())


def _refuse_first(cells: pa.ChunkedArray, wrong: pa.ChunkedArray, column: str, why: str) -> None:
    """Raise DataError at the first cell that is marked wrong; return where none is."""
    import pyarrow.compute as pc

    record = pc.index(wrong, True).as_py()
    if record >= 0:
        raise DataError(f"'{cells[record]}' {why}", record=record + 1, column=column)
