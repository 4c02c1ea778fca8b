"""The first line of separated text: its separator, its names, and whether it is a header at all.

A file without a header still reads, with its first record for names; the fit then lacks a row and
its coefficients are called '5.1'. So names that look like the cells below them are pointed out.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backpass.data.errors import DataError, Setting, listed
from backpass.data.table import refuse_bad_names

WINDOWS = Setting("read them as Windows-1252, if they are", "encoding", "cp1252")
_SEPARATORS = (",", ";", "\t")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_LOOKED_AT = 200  # records, to see whether names occur as cells


@dataclass(frozen=True)
class Header:
    """Names and separator; size: bytes of the header, to its end.

    What to add where names are at fault, or the numbers of fields; and what to say if nothing is,
    but the line almost certainly is a record.
    """

    names: list[str]
    separator: str
    size: int
    hint: str = ""
    ragged: str = ""
    suspicion: str = ""


def read_header(look: bytes, path: Path) -> Header:
    """Read the first line of a file. look: its first bytes, as UTF-8."""
    if not look.strip():
        raise DataError("is empty; expected a header line and records.", file=path)
    # Bytes that are not UTF-8 further on are Arrow's to find.
    text = look.decode("utf-8", errors="replace")
    separator = _separator(text)
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=separator)
    try:
        names = next([field.strip() for field in fields] for fields in reader if fields)
    except csv.Error as error:
        raise DataError(f"the header cannot be read: {error}.", file=path) from None
    head = "".join(lines[: reader.line_num])
    if "\ufffd" in head:
        raise DataError("the header is not UTF-8.", file=path, remedies=[WINDOWS])
    records = []
    with suppress(csv.Error):
        for fields in reader:
            if fields:
                records.append([field.strip() for field in fields])
            if len(records) == _LOOKED_AT:
                break
    hint, suspicion = _doubts(names, records)
    refuse_bad_names(names, path, hint)
    ragged = ""
    if {len(record) for record in records} == {len(names) + 1}:
        ragged = (
            " All records looked at have one more than the header: the first column has no name, "
            "perhaps, as where a program writes row names. Add one."
        )
    return Header(names, separator, len(head.encode("utf-8")), hint, ragged, suspicion)


def _doubts(names: list[str], records: list[list[str]]) -> tuple[str, str]:
    """Return hint and suspicion; see `Header`."""
    if len(names) == 1 and all(len(record) == 1 for record in records):
        return " The line has none of the separators ',', ';' and tab.", ""
    alike = [name for place, name in enumerate(names) if _is_cell(name, place, records)]
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if not _are_counted(numbers) and len(alike) >= max(2, 0.9 * len(names)):
        remedy = "If there is no header, put a line with the columns' names in front."
        return (
            f" They look like a record's cells; is the header line missing? {remedy}",
            f"the first line is taken for the header, but {listed(alike, 4)} look like a record's "
            f"cells. {remedy}",
        )
    if numbers:
        return " Some of these names are numbers; is the header line missing? Add one.", ""
    return "", ""


def _is_cell(name: str, place: int, records: list[list[str]]) -> bool:
    """Tell whether a name may be a cell of its column: a number among numbers, or seen below."""
    cells = [record[place] for record in records if place < len(record) and record[place]]
    if not cells:
        return False
    if _NUMBER.fullmatch(name):
        return 2 * sum(_NUMBER.fullmatch(cell) is not None for cell in cells) > len(cells)
    return name in cells


def _are_counted(numbers: list[str]) -> bool:
    """Tell whether names are ascending whole numbers, as of pixels or years: such are no cells."""
    if not all(number.isdecimal() for number in numbers):
        return False
    values = [int(number) for number in numbers]
    return len(values) > 1 and all(a < b for a, b in itertools.pairwise(values))


def _separator(look: str) -> str:
    """Choose the separator that cuts the first records into the most fields, alike in all."""

    def quality(separator: str) -> tuple[bool, int, bool]:
        widths = []
        # A cell of more than 128 KiB is an error to Python's reader; the records before it will do.
        with suppress(csv.Error):
            for fields in csv.reader(io.StringIO(look, newline=""), delimiter=separator):
                if fields:
                    widths.append(len(fields))
                if len(widths) == 20:
                    break
        alike, width = len(set(widths[:-1])) <= 1, widths[0] if widths else 0
        # One field in every record means nothing: ragged records have that with a sign they lack.
        return alike and width > 1, width, alike

    return max(_SEPARATORS, key=quality)
