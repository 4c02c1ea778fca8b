"""libsvm (svmlight) text, `label index:value index:value ...` a line, to CSR pieces.

Pieces of whole lines are parsed by NumPy; a piece that is not plain is gone through line by line,
which takes comments and qid: away and names the line of anything wrong. Whether indices count from
0 or 1 is a question about the whole file, so it is not answered here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from backpass.data.bytestream import ByteStream
from backpass.data.errors import DataError

_PLAIN = re.compile(rb"[0-9eE+\-.: \t\r\n]*\Z")
_ONE_A_LINE = bytes.maketrans(b": \t\r", b"\n\n\n\n")
_COLON, _NEWLINE = ord(":"), ord("\n")


@dataclass(frozen=True)
class SparsePiece:
    """Some rows. lengths: values of each row; indices as the file counts them."""

    labels: NDArray[np.float64]
    lengths: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float64]


def read_libsvm(path: Path) -> Iterator[SparsePiece]:
    """Yield the rows of a file (plain, .gz, .zst) in order; DataError names the line."""
    rest, line = b"", 0
    for piece in ByteStream(path).pieces():
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end:
            yield _parsed(rest[:end], path, line)
            line += rest.count(b"\n", 0, end)
            rest = rest[end:]
    if rest.strip():
        yield _parsed(rest + b"\n", path, line)


def _parsed(text: bytes, path: Path, before: int) -> SparsePiece:
    if _PLAIN.match(text) is None:
        text = _without_comments(text)
    piece = _fast(text) if _PLAIN.match(text) is not None else None
    if piece is None:
        _refuse(text, path, before)
    if not np.isfinite(piece.values).all():
        _refuse(text, path, before)
    return piece


def _without_comments(text: bytes) -> bytes:
    """Take comments and qid: out; lines that hold nothing else are empty then."""
    return re.sub(rb"(#[^\n]*|\bqid:\S*)", b"", text)


def _fast(text: bytes) -> SparsePiece | None:
    """Parse plain lines at once; None where anything is not as it should be."""
    lines = [line for line in text.split(b"\n") if line.strip()] if b"\n\n" in text else None
    if lines is not None:
        text = b"\n".join([*lines, b""])
    raw = np.frombuffer(text, np.uint8)
    colons = np.flatnonzero(raw == _COLON)
    if not _well_formed(raw, colons):
        return None
    before_end = np.searchsorted(colons, np.flatnonzero(raw == _NEWLINE))
    lengths = np.diff(before_end, prepend=0).astype(np.int64)
    n_values = int(lengths.sum())
    numbers = _numbers(text)
    if numbers is None or len(numbers) != len(lengths) + 2 * n_values:
        return None
    starts = np.cumsum(1 + 2 * lengths) - (1 + 2 * lengths)
    inside = np.ones(len(numbers), dtype=bool)
    inside[starts] = False
    pairs = numbers[inside].reshape(-1, 2)
    indices = pairs[:, 0].astype(np.int64)
    if (indices != pairs[:, 0]).any() or (indices < 0).any() or (indices >= 2**31).any():
        return None
    firsts = np.cumsum(lengths) - lengths
    rising = np.diff(indices, prepend=-1) > 0
    rising[firsts[lengths > 0]] = True
    if not rising.all():
        return None
    return SparsePiece(numbers[starts], lengths, indices, pairs[:, 1])


def _well_formed(raw: NDArray[np.uint8], colons: NDArray[np.intp]) -> bool:
    """Tell whether every colon stands inside a word of its own, and every sign before a number."""
    space = raw <= ord(" ")
    digit = (raw >= ord("0")) & (raw <= ord("9")) | (raw == ord("."))
    signs = np.flatnonzero(raw == ord("+"))
    if len(colons) == 0:
        return not digit[signs[signs > 0] - 1].any()
    words_before = np.cumsum(space)[colons]
    return bool(
        colons[0] > 0
        and digit[colons - 1].all()
        and not space[colons + 1].any()
        and (np.diff(words_before) > 0).all()
        and not digit[signs[signs > 0] - 1].any()
    )


def _numbers(text: bytes) -> NDArray[np.float64] | None:
    """Parse all numbers of a plain text, whatever stands between them; Arrow's parser is fast."""
    import pyarrow as pa
    import pyarrow.csv

    try:
        table = pa.csv.read_csv(
            pa.py_buffer(text.translate(_ONE_A_LINE, b"+")),
            pa.csv.ReadOptions(column_names=["number"]),
            convert_options=pa.csv.ConvertOptions(column_types={"number": pa.float64()}),
        )
    except pa.ArrowInvalid:
        return None
    return np.asarray(table["number"])


def _refuse(text: bytes, path: Path, before: int) -> NoReturn:
    """Raise DataError for the first line that is not as it should be."""
    for number, line in enumerate(text.split(b"\n"), start=before + 1):
        words = line.decode("utf-8", errors="replace").split()
        if not words:
            continue
        wrong = _wrong_word(words)
        if wrong:
            raise DataError(wrong, file=path, record=number)
    raise DataError("is not libsvm text.", file=path)


def _wrong_word(words: list[str]) -> str | None:
    """Say what is wrong with a line, or None."""
    if _number(words[0]) is None:
        return f"the label '{words[0]}' is not a number; labels of libsvm text are."
    before = -1
    for word in words[1:]:
        index, colon, value = word.partition(":")
        if not (colon and index.isdecimal() and int(index) < 2**31):
            return f"'{word}' is not index:value, with an index that is a whole number."
        if _number(value) is None:
            return f"'{word}': '{value}' is not a finite number."
        if int(index) <= before:
            return f"index {index} comes after {before}; indices of a line ascend."
        before = int(index)
    return None


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
