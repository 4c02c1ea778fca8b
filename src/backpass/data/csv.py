"""Separated text (.csv, .tsv; plain, .gz, .zst) to a pyarrow table, strictly.

Arrow parses; what it leaves open is decided here: compression by the file's first bytes, the
separator by the first records, the header, and one reading per column (see `cells.py`).
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import os
import re
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from backpass.data.cells import MISSING_VALUES, Kind, kind_of, to_kind, trimmed
from backpass.data.errors import DataError, listed
from backpass.data.table import refuse_bad_names

if TYPE_CHECKING:
    import pyarrow as pa

_SEPARATORS = (",", ";", "\t")
_LOOK = 1 << 20  # bytes of the file in which the separator and the fast reading are tried


def read_csv(
    path: str | os.PathLike[str],
    *,
    missing_values: tuple[str, ...] = MISSING_VALUES,
    text: Collection[str] = (),
    drop: Collection[str] = (),
    kinds: Mapping[str, Kind] | None = None,
) -> pa.Table:
    """Read a whole file of separated text; numbers come as float64, the rest as text or bool.

    text: columns whose cells stay as they are written, digits too (labels, declared categories).
    drop: columns that are not read. kinds: the reading of each column, where a model has learned
    it already; only these columns and those in `text` are read, and all of `kinds` must be there.
    Raises DataError naming file, record (counted from 1 after the header) and column.
    """
    raw = _decompressed(path)
    names, separator, start = _header(raw, path)
    if kinds is None:
        wanted = [name for name in names if name not in set(drop)]
        refuse_absent(path, names, [*drop, *text])
    else:
        wanted = [name for name in names if name in kinds or name in text]
        refuse_absent(path, names, [*kinds, *text])
    if not raw[start:].strip():
        raise DataError("has a header but no records.", file=path)
    try:
        table = _parse(memoryview(raw)[start:], names, wanted, separator)
        _refuse_open_quote(raw.count(b'"', start), table)
        columns = []
        for name in wanted:
            cells = trimmed(table[name], missing_values)
            kind: Kind = "text"
            if name not in text:
                kind = kinds[name] if kinds else kind_of(cells, name, missing_values)
            columns.append(to_kind(cells, kind, name, missing_values))
            table = table.drop_columns([name])  # lets go of the raw cells, column by column
    except DataError as error:
        raise error.in_file(path) from None
    return _table(columns, wanted)


def refuse_absent(
    path: str | os.PathLike[str], names: Collection[str], asked: Collection[str]
) -> None:
    """Raise DataError where a column that was asked for is not in the file."""
    absent = [name for name in dict.fromkeys(asked) if name not in names]
    if absent:
        which = "columns" if len(absent) > 1 else "column"
        close = difflib.get_close_matches(absent[0], names, n=1)
        meant = f" ('{close[0]}' perhaps?)" if close else ""
        raise DataError(
            f"has no {which} {listed(absent)}{meant}; its columns are {listed(names, 20)}.",
            file=path,
        )


def _table(columns: list, names: list[str]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_arrays(columns, names=names)


def _decompressed(path: str | os.PathLike[str]) -> bytes:
    """Return the file's bytes, unpacked as its first bytes say, without a byte order mark."""
    raw = Path(path).read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        elif raw[:4] == b"\x28\xb5\x2f\xfd":
            import pyarrow as pa

            raw = pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"the compressed file is damaged or cut short ({error}); fetch it again.", file=path
        ) from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw[:64]:
        raise DataError(
            "is not UTF-8 text (UTF-16, or no text at all); save it as UTF-8.", file=path
        )
    return raw[3:] if raw[:3] == b"\xef\xbb\xbf" else raw


def _header(raw: bytes, path: str | os.PathLike[str]) -> tuple[list[str], str, int]:
    """Return column names, separator and where the data starts in the bytes."""
    if not raw.strip():
        raise DataError("is empty; expected a header line and records.", file=path)
    # Bytes that are not UTF-8 further on are Arrow's to find.
    look = raw[:_LOOK].decode("utf-8", errors="replace")
    separator = _separator(look)
    lines = list(io.StringIO(look, newline=""))
    reader = csv.reader(lines, delimiter=separator)
    try:
        names = next([field.strip() for field in fields] for fields in reader if fields)
    except csv.Error as error:
        raise DataError(f"the header cannot be read: {error}.", file=path) from None
    head = "".join(lines[: reader.line_num])
    if "\ufffd" in head:
        raise DataError(
            "the header is not UTF-8 (Windows-1252 perhaps); save the file as UTF-8.", file=path
        )
    refuse_bad_names(names, path)
    return names, separator, len(head.encode("utf-8"))


def _separator(look: str) -> str:
    """Choose the separator that cuts the first records into the most fields, alike in all."""

    def quality(separator: str) -> tuple[bool, int]:
        widths = []
        # A cell of more than 128 KiB is an error to Python's reader; the records before it will do.
        with suppress(csv.Error):
            for fields in csv.reader(io.StringIO(look, newline=""), delimiter=separator):
                if fields:
                    widths.append(len(fields))
                if len(widths) == 20:
                    break
        return len(set(widths[:-1])) <= 1, widths[0] if widths else 0

    return max(_SEPARATORS, key=quality)


def _parse(body: memoryview, names: list[str], wanted: list[str], separator: str) -> pa.Table:
    """Let Arrow cut the records, all cells as text; DataError for ragged records and bad bytes."""
    import pyarrow as pa
    import pyarrow.csv

    def read(use_threads: bool, block_size: int) -> pa.Table:
        return pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            pa.csv.ReadOptions(column_names=names, use_threads=use_threads, block_size=block_size),
            pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=wanted
            ),
        )

    try:
        return read(True, _LOOK)
    except pa.ArrowInvalid:
        # Once more for the message: Arrow counts records only when it reads in one thread, and a
        # record longer than a block is no fault.
        try:
            return read(False, min(max(_LOOK, len(body) + 1), 2**31 - 1))
        except pa.ArrowInvalid as error:
            _explain(str(error), names)


def _explain(message: str, names: list[str]) -> NoReturn:
    """Turn Arrow's parse error into one that says where, what came and what to do."""
    row = re.search(r"Row #(\d+)", message)
    record = int(row[1]) if row else None
    ragged = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if ragged:
        fields = "1 field" if ragged[2] == "1" else f"{ragged[2]} fields"
        raise DataError(
            f"has {fields} where the header has {ragged[1]}; "
            "mend the record, or put quotes around fields that contain the separator.",
            record=record,
        )
    column = re.search(r"CSV column #(\d+)", message)
    name = names[int(column[1])] if column else None
    if "UTF8" in message:
        raise DataError(
            "holds bytes that are not UTF-8 (Windows-1252 perhaps); save the file as UTF-8.",
            record=record,
            column=name,
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
