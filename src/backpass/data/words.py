"""Cells of free text to counts of words by bucket, and the names of the buckets.

Words are hashed, so what a text column needs in memory does not grow with its vocabulary. What
they weigh is not settled here (`text_column.py`), so that a store is decoded once for any rows of
it. Place 0 of a text column marks a missing text; bucket b is its place b + 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.values import as_words
from backpass.kernels.text import count_buckets, find_words, name_buckets

if TYPE_CHECKING:
    import pyarrow as pa

READING = "lower-case words of two or more characters, FNV-1a"  # changes when buckets would
N_BUCKETS = 1 << 18
N_PLACES = N_BUCKETS + 1
LONGEST_NAME = 32  # bytes
_PIECE = 1 << 20  # bytes of text that are taken apart at a time
_MASK = np.uint64(N_BUCKETS - 1)


@dataclass(frozen=True)
class Entries:
    """Rows in CSR form: row i has the entries ends[i] to ends[i + 1], places ascending."""

    ends: NDArray[np.int64]
    places: NDArray[np.int32]
    values: NDArray[Any]

    @property
    def n_rows(self) -> int:
        """Count the rows."""
        return len(self.ends) - 1

    def take(self, wanted: NDArray[np.bool_]) -> Entries:
        """Return the rows that are wanted."""
        lengths = np.diff(self.ends)
        kept = np.repeat(wanted, lengths)
        ends = np.concatenate([[0], np.cumsum(lengths[wanted])])
        return Entries(ends, self.places[kept], self.values[kept])


class BucketNames:
    """A word for every bucket of a text column, as its words pass by: 13 MB, whatever comes."""

    def __init__(self) -> None:
        self.owner = np.zeros(N_BUCKETS, np.uint64)
        self.votes = np.zeros(N_BUCKETS, np.int32)
        self.shared = np.zeros(N_BUCKETS, np.bool_)
        self.spelt = np.zeros((N_BUCKETS, LONGEST_NAME), np.uint8)
        self.lengths = np.zeros(N_BUCKETS, np.int32)

    def add(self, text: NDArray, starts: NDArray, stops: NDArray, hashes: NDArray) -> None:
        """Take in the next words."""
        held = (self.owner, self.votes, self.shared, self.spelt, self.lengths)
        name_buckets(text, starts, stops, hashes, _MASK, *held)

    def named(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return the buckets that hold words, ascending, and what each is called.

        `free`; `free, …` where other words fell into the bucket too; `abcd…#77` for one that is
        too long to be kept, with its bucket, so that no two names are equal.
        """
        buckets = np.flatnonzero(self.lengths).tolist()
        return tuple(buckets), tuple(self._name(bucket) for bucket in buckets)

    def _name(self, bucket: int) -> str:
        length = int(self.lengths[bucket])
        word = self.spelt[bucket, : min(length, LONGEST_NAME)].tobytes().decode(errors="ignore")
        if length > LONGEST_NAME:
            word += f"…#{bucket}"
        return f"{word}, …" if self.shared[bucket] else word


def count_words(columns: list[pa.ChunkedArray], names: list[BucketNames | None]) -> Entries:
    """Count the words of some text columns, (m,) cells each.

    Places of column j come after those of column j - 1, N_PLACES each. Null, empty and blank cells
    are missing texts. names: told the words of each column.
    """
    parts = [
        _count(cells, place * N_PLACES, named)
        for place, (cells, named) in enumerate(zip(columns, names, strict=True))
    ]
    return parts[0] if len(parts) == 1 else _beside(parts)


def missing_texts(cells: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Mark the cells, (m,), that hold no text: null, empty and blank ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(as_words(cells).cast(pa.large_string()))
    return np.asarray(pc.fill_null(pc.equal(pc.utf8_length(trimmed), 0), True))


def _count(cells: pa.ChunkedArray, lead: int, names: BucketNames | None) -> Entries:
    lengths, places, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)], []
    counts.append(np.zeros(0, np.int32))
    for text, ends, gone in _pieces(cells):
        most = len(text) // 2 + 1
        starts, stops = np.empty(most, np.int32), np.empty(most, np.int32)
        hashes, last = np.empty(most, np.uint64), np.empty(len(ends), np.int64)
        found = find_words(
            text, ends, _word_characters(_largest(text)), starts, stops, hashes, last
        )
        if names is not None:
            names.add(text, starts[:found], stops[:found], hashes[:found])
        own, times = np.empty(found, np.int32), np.empty(found, np.int32)
        last_entry = np.empty(len(ends), np.int64)
        done = count_buckets(hashes, last, _MASK, lead + 1, own, times, last_entry)
        marked = last_entry[:-1][gone]
        places.append(np.insert(own[:done], marked, lead))
        counts.append(np.insert(times[:done], marked, 1))
        lengths.append(np.diff(last_entry) + gone)
    ends = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return Entries(ends, np.concatenate(places), np.concatenate(counts))


def _pieces(cells: pa.ChunkedArray) -> Iterator[tuple[NDArray, NDArray, NDArray[np.bool_]]]:
    """Yield some cells in lower case as bytes, where each ends, and which hold no text."""
    import pyarrow as pa

    texts = as_words(cells).cast(pa.large_string()).combine_chunks()
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        n_bytes = max(chunk.nbytes, 1)
        height = max(1, len(chunk) * _PIECE // n_bytes)
        for start in range(0, len(chunk), height):
            some = chunk[start : start + height]
            gone = missing_texts(some)
            # Python's lower case, not Arrow's, which leaves out what takes two characters.
            lower = [None if cell is None else cell.lower() for cell in some.to_pylist()]
            held = pa.array(lower, pa.large_string())
            _, offsets, data = held.buffers()
            ends = np.frombuffer(offsets, np.int64, len(held) + 1)
            text = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
            yield text[: ends[-1]], ends, gone


def _largest(text: NDArray[np.uint8]) -> int:
    """Bound the code points of a text: those of its longest form in UTF-8."""
    lead = int(text.max(initial=0))
    return 0x80 if lead < 0x80 else 0x10000 if lead < 0xF0 else 0x110000


@cache
def _word_characters(count: int) -> NDArray[np.bool_]:
    """Mark the code points below `count` that words are made of: `\\w` of Python's `re`."""
    marks = np.fromiter((chr(code).isalnum() for code in range(count)), np.bool_, count)
    marks[ord("_")] = True
    return marks


def _beside(parts: list[Entries]) -> Entries:
    """Put rows next to each other: entries of the first part, then of the next, row by row."""
    lengths = np.array([np.diff(part.ends) for part in parts])
    ends = np.concatenate([[0], np.cumsum(lengths.sum(axis=0))])
    places = np.empty(ends[-1], np.int32)
    values = np.empty(ends[-1], parts[0].values.dtype)
    firsts = ends[:-1].copy()
    for part, own in zip(parts, lengths, strict=True):
        where = np.repeat(firsts - part.ends[:-1], own) + np.arange(len(part.places))
        places[where], values[where] = part.places, part.values
        firsts += own
    return Entries(ends, places, values)
