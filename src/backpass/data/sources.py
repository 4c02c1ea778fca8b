"""Where rows come from: files of any known kind, read as tables of bounded size, in order.

A source may be read as often as asked and gives the same rows each time. What a format leaves open
is settled in its own module; here the endings, folders and globs, and that files agree.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backpass.data.cells import Kind, to_kind
from backpass.data.csv import TextSource, refuse_absent
from backpass.data.errors import DataError, listed
from backpass.data.values import as_words

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = (".csv", ".tsv", ".txt", ".data")
_SPARSE = (".libsvm", ".svm", ".svmlight")
_Y = "y"
_ARRAYS = (".npy", ".npz")
_PACKED = (".gz", ".zst")
KINDS = ".csv, .tsv, .libsvm, .svm (each plain, .gz, .zst), .parquet, .npy or .npz"


@dataclass(frozen=True)
class Reading:
    """How text files are to be read; other formats state these things themselves."""

    missing_values: tuple[str, ...]
    encoding: str = "utf-8"
    decimal: str = "."


class FileSource(Protocol):
    """One file: its column names, and its rows as tables of a few MiB."""

    names: list[str]

    def chunks(self, wanted: list[str], missing_values: tuple[str, ...]) -> Iterator[pa.Table]:
        """Yield the rows in order; DataError names file and record."""
        ...


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file; `record` rows of it came before."""

    table: pa.Table
    file: Path
    record: int


class Source:
    """One or more files of one kind, with the columns of the first in all of them.

    header: that of the first file of text. judged: the cells are text, so that what a column holds
    is still to be found out.
    """

    def __init__(self, files: list[Path], reading: Reading) -> None:
        self.files, self.reading = files, reading
        self._opened = [_open(file, reading) for file in files]
        self.names = self._opened[0].names
        first = self._opened[0]
        self.header = first.header if isinstance(first, TextSource) else None
        self.judged = self.header is not None
        for file, one in zip(files[1:], self._opened[1:], strict=True):
            absent = [name for name in self.names if name not in one.names]
            if absent:
                raise DataError(
                    f"has no {listed(absent)}, which {files[0].name} beside it has; files that are "
                    "read as one need the same columns.",
                    file=file,
                )

    @property
    def target(self) -> str | None:
        """Name the target where the format itself does: the array y of .npz files."""
        return _Y if ending(self.files[0]) == ".npz" and _Y in self.names else None

    def refuse_absent(self, asked: Collection[str]) -> None:
        """Raise DataError where a column that was asked for is not there."""
        hint = "" if self.header is None else self.header.hint
        refuse_absent(self.files[0], self.names, asked, hint)

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:
        """Yield the rows of these columns, file by file, with columns in this order."""
        for file, one in zip(self.files, self._opened, strict=True):
            refuse_absent(file, one.names, wanted)
            record = 0
            for table in one.chunks(wanted, self.reading.missing_values):
                yield Chunk(table.select(wanted), file, record)
                record += table.num_rows

    def typed(self, table: pa.Table, kinds: Mapping[str, Kind]) -> pa.Table:
        """Return these columns of a chunk, text cells as their kinds say.

        Other formats have types of their own, and columns that are to be text become words.
        Raises DataError naming record (from 1 in the chunk) and column.
        """
        import pyarrow as pa

        columns = []
        for name, kind in kinds.items():
            cells = table[name]
            if self.judged:
                cells = to_kind(cells, kind, name, self.reading.missing_values)
            columns.append(as_words(cells) if kind in ("text", "words") else cells)
        return pa.table(columns, names=list(kinds))


def find_files(path: str | os.PathLike[str]) -> list[Path]:
    """List the files that a path, a folder or a glob stands for, in the order of their names."""
    text = os.fspath(path)
    place = Path(text)
    if place.is_file():
        return [place]
    if place.is_dir():
        inside = (file for file in place.rglob("*") if file.is_file())
        files = [file for file in inside if not file.name.startswith((".", "_"))]
        if not files:
            raise DataError("is a folder without files.", file=path)
    elif glob.has_magic(text):
        files = [Path(name) for name in glob.glob(text, recursive=True)]
        files = [file for file in files if file.is_file()]
        if not files:
            raise DataError("no file has such a name.", file=path)
    elif place.exists() or text == "-":
        raise DataError(
            "is a pipe or a device, not a file; save what it gives as a file first, since data are "
            "read more than once.",
            file=path,
        )
    else:
        raise DataError("there is no such file.", file=path)
    files.sort()
    kinds = {ending(file) for file in files}
    if len(kinds) > 1:
        raise DataError(f"holds files of several kinds ({listed(sorted(kinds))}).", file=path)
    return files


def ending(file: Path) -> str:
    """Return a file's ending, in small letters, without the one for compression."""
    endings = [e.lower() for e in file.suffixes]
    if endings and endings[-1] in _PACKED:
        endings.pop()
    return endings[-1] if endings else ""


def is_sparse(files: list[Path]) -> bool:
    """Say whether files hold libsvm text, whose rows are sparse and have no column names."""
    return ending(files[0]) in _SPARSE


def has_arrays(files: list[Path]) -> bool:
    """Say whether columns have no names but their places."""
    return is_sparse(files) or ending(files[0]) in _ARRAYS


def _open(file: Path, reading: Reading) -> FileSource:
    kind = ending(file)
    if kind in _TEXT:
        return TextSource(file, reading.encoding, reading.decimal)
    if kind == ".parquet":
        from backpass.data.parquet import ParquetSource

        return ParquetSource(file)
    if kind in _ARRAYS:
        from backpass.data.arrays import ArraySource

        return ArraySource(file)
    if kind in _SPARSE:
        raise DataError("is libsvm text, which has no columns by name.", file=file)
    raise DataError(f"has an ending that is not known; files are {KINDS}.", file=file)
