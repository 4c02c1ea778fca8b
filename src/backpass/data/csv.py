"""Separated text (.csv, .tsv; plain, .gz, .zst) to a pyarrow table, strictly.

Arrow parses, a few MiB at a time; what it leaves open is decided here and beside: the header (see
`header.py`), where records end, and one reading per column (see `cells.py`).
"""

from __future__ import annotations

import difflib
import os
import re
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from backpass.data.bytestream import ByteStream
from backpass.data.cells import trimmed
from backpass.data.errors import DataError, DataWarning, listed
from backpass.data.header import WINDOWS, Header, read_header

if TYPE_CHECKING:
    import pyarrow as pa

_ALIKE = 0.75  # of names, from where on one may be meant for the other: two letters of eight
LONGEST_RECORD = 64 << 20
_LOOK = 1 << 20  # bytes of the file in which the separator and the fast reading are tried
_RECORD_END = re.compile(rb"[^\r\n]\r?\n")  # a blank line ends none


class TextSource:
    """A file of separated text, cut into tables of a few MiB; it may be read as often as asked.

    names: the header's. encoding: of the bytes; decimal: the sign that stands in numbers.
    Raises DataError where header or compression cannot be read.
    """

    def __init__(
        self, path: str | os.PathLike[str], encoding: str = "utf-8", decimal: str = "."
    ) -> None:
        self.path, self.decimal = Path(path), decimal
        self._bytes = ByteStream(self.path, encoding)
        look = next(iter(self._bytes.pieces()), b"")
        self.header = read_header(look[:_LOOK], self.path)
        self.names = self.header.names
        separator = re.escape(self.header.separator.encode())
        self._quoted = re.compile(b'(?<![^\\r\\n%s])"(?:[^"]|"")*(?:"|\\Z)' % separator)
        self._warned = False

    def chunks(self, wanted: list[str], missing_values: tuple[str, ...]) -> Iterator[pa.Table]:
        """Yield the records in order, cells as trimmed text, null where they are missing."""
        import pyarrow as pa

        record = 0
        try:
            for piece in self._records():
                table = _parse(memoryview(piece), self.header, wanted)
                cells = [
                    trimmed(table[name], missing_values, self.decimal)
                    for name in table.column_names
                ]
                yield pa.table(cells, names=table.column_names)
                if piece.count(b"\n") > table.num_rows:
                    self._warn_of_swallowed_lines(piece, record)
                record += table.num_rows
        except DataError as error:
            raise error.further_on(record).in_file(self.path) from None
        if record == 0:
            raise DataError("has a header but no records.", file=self.path)

    def _warn_of_swallowed_lines(self, piece: bytes, before: int) -> None:
        """Warn, once, of a quoted cell that spans lines where tabs separate.

        Programs that write tabs seldom quote, so that such a cell rather is a line with a stray
        quote and those after it, lost as records. With commas it is how a newline is written.
        """
        if self._warned or self.header.separator != "\t":
            return
        start, ended = 0, before
        for field in self._quoted.finditer(piece):
            ended += len(_RECORD_END.findall(piece, max(0, start - 1), field.start()))
            start = field.end()
            n_lines = field.group().count(b"\n") + 1
            if n_lines > 1:
                self._warned = True
                begins = field.group()[:20].decode("utf-8", "replace").splitlines()[0]
                warnings.warn(
                    f"{self.path.name}, record {ended + 1}: the cell that begins with {begins} "
                    f"takes in {n_lines} lines, up to the next quote, and they are read as one "
                    "record. If that quote is an ordinary character, put quotes around the cell "
                    "and double those inside; look for others like it further on.",
                    DataWarning,
                    stacklevel=2,
                )
                return

    def _records(self) -> Iterator[bytes]:
        """Yield the bytes after the header in pieces of whole records."""
        rest, skip = b"", self.header.size
        for piece in self._bytes.pieces():
            rest += piece[skip:]
            skip = max(0, skip - len(piece))
            end = _last_record_end(rest, self._quoted)
            # Blank lines wait: at the end, also if they hold spaces, they are no records.
            filled = len(rest[:end].rstrip(b" \r\n"))
            end = rest.find(b"\n", filled, end) + 1 if filled else 0
            if end:
                yield rest[:end]
            elif len(rest) > LONGEST_RECORD:
                raise DataError(
                    f"a record is longer than {LONGEST_RECORD >> 20} MiB; a quote is opened there "
                    "and never closed, perhaps.",
                    record=1,
                )
            rest = rest[end:]
        rest = rest.rstrip(b" \r\n")
        if rest:
            yield rest + b"\n"


def _last_record_end(piece: bytes, quoted: re.Pattern[bytes]) -> int:
    """Return where the last whole record ends, after its newline; 0 where none does.

    A newline inside a quoted field ends nothing. Quotes open a field only where it begins.
    """
    end = piece.rfind(b"\n") + 1
    if b'"' not in piece:
        return end
    start, last = 0, 0
    for field in quoted.finditer(piece):
        newline = piece.rfind(b"\n", start, field.start())
        last = newline + 1 if newline >= 0 else last
        start = field.end()
        if start == len(piece):  # still open, or its closing quote may be half of a pair
            return last
    return max(last, piece.rfind(b"\n", start) + 1)


def refuse_absent(
    path: str | os.PathLike[str], names: Collection[str], asked: Collection[str], hint: str = ""
) -> None:
    """Raise DataError where a column that was asked for is not in the file; hint is said then."""
    absent = [name for name in dict.fromkeys(asked) if name not in names]
    if absent:
        which = "columns" if len(absent) > 1 else "column"
        folded = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(absent[0].casefold(), folded, n=1, cutoff=_ALIKE)
        meant = f" ('{folded[close[0]]}' perhaps?)" if close else ""
        raise DataError(
            f"has no {which} {listed(absent)}{meant}; its columns are {listed(names, 20)}.{hint}",
            file=path,
        )


def _parse(body: memoryview, header: Header, wanted: list[str]) -> pa.Table:
    """Let Arrow cut the records, all cells as text; DataError for ragged records and bad bytes."""
    import pyarrow as pa
    import pyarrow.csv

    def read(use_threads: bool, block_size: int) -> pa.Table:
        return pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            pa.csv.ReadOptions(
                column_names=header.names, use_threads=use_threads, block_size=block_size
            ),
            pa.csv.ParseOptions(delimiter=header.separator, newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header.names, pa.string()), include_columns=wanted
            ),
        )

    try:
        table = read(True, _LOOK)
        _refuse_open_quote(bytes(body).count(b'"'), table)
        return table
    except pa.ArrowInvalid:
        # Once more for the message: Arrow counts records only when it reads in one thread, and a
        # record longer than a block is no fault.
        try:
            return read(False, min(max(_LOOK, len(body) + 1), 2**31 - 1))
        except pa.ArrowInvalid as error:
            _explain(str(error), header)


def _explain(message: str, header: Header) -> NoReturn:
    """Turn Arrow's parse error into one that says where, what came and what to do."""
    row = re.search(r"Row #(\d+)", message)
    record = int(row[1]) if row else None
    ragged = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if ragged:
        fields = "1 field" if ragged[2] == "1" else f"{ragged[2]} fields"
        raise DataError(
            f"has {fields} where the header has {ragged[1]}; mend the record, or put quotes around "
            f"fields that contain the separator.{header.ragged}",
            record=record,
        )
    column = re.search(r"CSV column #(\d+)", message)
    name = header.names[int(column[1])] if column else None
    if "UTF8" in message:
        raise DataError(
            "holds bytes that are not UTF-8.", record=record, column=name, remedies=[WINDOWS]
        )
    raise DataError(f"cannot be read: {message}", record=record, column=name)


def _refuse_open_quote(n_quotes: int, table: pa.Table) -> None:
    """Raise DataError where a quote is opened and never closed: Arrow makes the rest one cell."""
    if n_quotes % 2 == 0:
        return
    for name in table.column_names:
        last = table[name][-1].as_py()
        if last and "\n" in last:
            raise DataError(
                f"a quote is opened before '{last[:20].splitlines()[0]}' and never closed.",
                record=table.num_rows,
                column=name,
            )
