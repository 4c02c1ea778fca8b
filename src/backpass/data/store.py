"""The block store: a table's numbers and codes as aligned .npy shards, read by row number.

A fit reads its data several times, so text is decoded once into this form. A kept store is a folder
with meta.json beside its shards, each with its CRC32. A temporary one is made of files that have no
name: the system takes them back when the process ends, also after Ctrl-C or a crash.

Rows are read with `pread` into the caller's memory, never mapped for long: pages of a mapped file
count as the process's memory, and a pass would touch them all.
"""

from __future__ import annotations

import io
import mmap
import os
import tempfile
import weakref
import zlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from backpass.data.errors import DataError
from backpass.data.selection import Selection

SHARD_BYTES = 256 << 20
_HEADER = 128  # bytes of a .npy header with one or two dimensions: data starts aligned
_BUFFER = 4 << 20  # bytes that gather before they are written
_WINDOW = 8 << 20  # bytes of a shard that are mapped at a time, for rows that stand apart


class OpenFile:
    """A file that closes when nobody holds it any more; without a path it has no name either."""

    def __init__(self, path: Path | None, write: bool = False) -> None:
        if path is None:
            self.handle = _without_name()
        else:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL if write else os.O_RDONLY
            self.handle = os.open(path, flags, 0o666)
        self.close = weakref.finalize(self, os.close, self.handle)

    def write(self, data: memoryview | bytes, at: int) -> None:
        """Write all of these bytes at a place."""
        view = memoryview(data)
        while len(view):
            done = os.pwrite(self.handle, view, at)
            view, at = view[done:], at + done


def _without_name() -> int:
    """Open a new file that has no name, not even for a moment in which Ctrl-C might come."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):  # not every file system can
            return os.open(tempfile.gettempdir(), os.O_RDWR | os.O_TMPFILE, 0o600)
    handle, name = tempfile.mkstemp(prefix="backpass-")
    os.unlink(name)
    return handle


@dataclass(frozen=True)
class Shard:
    """One file of an array: rows of one width, and the checksum of their bytes."""

    file: OpenFile
    n_rows: int
    crc32: int


class StoredArray:
    """Rows of one type and width, (n_rows, width) or (n_rows,) for width 0, over some shards.

    selection: which of them, None for all.
    """

    def __init__(
        self,
        shards: list[Shard],
        dtype: DTypeLike,
        width: int,
        shard_rows: int,
        selection: Selection | None = None,
    ) -> None:
        self.shards, self.dtype, self.width = shards, np.dtype(dtype), width
        self.shard_rows, self.selection = shard_rows, selection
        self.n_rows = sum(shard.n_rows for shard in shards)
        if selection is not None:
            self.n_rows = min(self.n_rows, selection.n_rows)

    def select(self, selection: Selection) -> StoredArray:
        """Return some of these rows, without copying any."""
        if not self.n_rows:  # of a table without columns of this kind
            return self
        held = self.selection
        chosen = selection if held is None else held.within(selection)
        return StoredArray(self.shards, self.dtype, self.width, self.shard_rows, chosen)

    @property
    def row_bytes(self) -> int:
        """Count the bytes of a row."""
        return self.dtype.itemsize * max(self.width, 1)

    def shape(self, n_rows: int) -> tuple[int, ...]:
        """Return the shape of so many rows."""
        return (n_rows, self.width) if self.width else (n_rows,)

    def read(self, places: slice, out: NDArray | None = None) -> NDArray:
        """Return the rows at these places, in `out` if it is given: C-ordered, of their shape."""
        start, stop, step = places.indices(self.n_rows)
        n_rows = len(range(start, stop, step))
        if out is None:
            out = np.empty(self.shape(n_rows), self.dtype)
        if self.selection is not None:
            return self.gather(self.selection.numbers(places), out)
        done = 0
        while done < n_rows:
            place, within = divmod(start + done * step, self.shard_rows)
            end = min((place + 1) * self.shard_rows, stop) - place * self.shard_rows
            rows = np.arange(within, end, step)
            part = out[done : done + len(rows)]
            if step == 1:
                self._read_all(self.shards[place], within, part)
            else:
                self._read_apart(self.shards[place], rows, part)
            done += len(rows)
        return out

    def gather(self, numbers: NDArray[np.int64], out: NDArray | None = None) -> NDArray:
        """Return the rows of these numbers, which ascend, of all that the shards hold."""
        if out is None:
            out = np.empty(self.shape(len(numbers)), self.dtype)
        ends = np.arange(1, len(self.shards) + 1) * self.shard_rows
        cuts = [0, *np.searchsorted(numbers, ends).tolist()]
        for place, (begin, end) in enumerate(pairwise(cuts)):
            within = numbers[begin:end] - place * self.shard_rows
            self._read_apart(self.shards[place], within, out[begin:end])
        return out

    def _read_all(self, shard: Shard, first: int, out: NDArray) -> None:
        view = _bytes_of(out)
        place = _HEADER + first * self.row_bytes
        while len(view):
            got = os.preadv(shard.file.handle, [view], place)
            if got <= 0:
                raise DataError("the store was cut short while it was in use.")
            view, place = view[got:], place + got

    def _read_apart(self, shard: Shard, rows: NDArray[np.int64], out: NDArray) -> None:
        """Copy rows that stand apart out of short-lived maps: only their pages are read."""
        at = 0
        while at < len(rows):
            reach = rows[at] + max(1, _WINDOW // self.row_bytes)
            some = rows[at : int(np.searchsorted(rows, reach))]
            begin = _HEADER + int(some[0]) * self.row_bytes
            end = _HEADER + int(some[-1] + 1) * self.row_bytes
            base = begin - begin % mmap.ALLOCATIONGRANULARITY
            window = mmap.mmap(shard.file.handle, end - base, offset=base, access=mmap.ACCESS_READ)
            count = (end - begin) // self.row_bytes * max(self.width, 1)
            flat = np.frombuffer(window, self.dtype, count, begin - base)
            to = out[at : at + len(some)]  # "clip", or NumPy writes to a copy first
            np.take(flat.reshape(self.shape(-1)), some - some[0], axis=0, out=to, mode="clip")
            del flat
            window.close()
            at += len(some)


class ArrayWriter:
    """Appends rows and cuts them into shards; `finish` gives the array to read from.

    folder: None for files without a name. The number of rows of a shard is a power of two.
    """

    def __init__(self, folder: Path | None, name: str, dtype: DTypeLike, width: int) -> None:
        self.folder, self.name, self.dtype, self.width = folder, name, np.dtype(dtype), width
        row_bytes = self.dtype.itemsize * max(width, 1)
        self.shard_rows = 1 << max(SHARD_BYTES // row_bytes, 1).bit_length() - 1
        self._shards: list[Shard] = []
        self._file: OpenFile | None = None
        self._rows = self._crc = 0

    def append(self, rows: NDArray) -> None:
        """Write rows, (m, width) or (m,), at the end."""
        rows = np.ascontiguousarray(rows, self.dtype)
        while len(rows):
            if self._file is None:
                self._file = OpenFile(self._path(), write=True)
                self._rows = self._crc = 0
            room = self.shard_rows - self._rows
            data = _bytes_of(rows[:room])
            row_bytes = self.dtype.itemsize * max(self.width, 1)
            self._file.write(data, _HEADER + self._rows * row_bytes)
            self._crc = zlib.crc32(data, self._crc)
            self._rows += len(rows[:room])
            if self._rows == self.shard_rows:
                self._close(self._file)
            rows = rows[room:]

    def finish(self) -> StoredArray:
        """Write what is left and return the array."""
        if self._file is not None:
            self._close(self._file)
        return StoredArray(self._shards, self.dtype, self.width, self.shard_rows)

    def _path(self) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / shard_name(self.name, len(self._shards))

    def _close(self, file: OpenFile) -> None:
        """Put the header, which holds the number of rows, in front of the shard."""
        file.write(_header(self.dtype, self.width, self._rows), 0)
        if self.folder is not None:
            os.fsync(file.handle)
        self._shards.append(Shard(file, self._rows, self._crc))
        self._file = None


def shard_name(name: str, place: int) -> str:
    """Name the file of a shard: numbers-00003.npy."""
    return f"{name}-{place:05d}.npy"


def open_array(
    folder: Path, name: str, dtype: DTypeLike, width: int, shard_rows: int, shards: Any
) -> StoredArray:
    """Open an array of a kept store. shards: (rows, CRC32) of each, as its meta.json says.

    Sizes and headers are compared first; checksums are for `verify`, which reads everything.
    """
    kind = np.dtype(dtype)
    opened = []
    for place, (n_rows, crc32) in enumerate(shards):
        path = folder / shard_name(name, place)
        expected = _HEADER + n_rows * kind.itemsize * max(width, 1)
        if not path.is_file() or path.stat().st_size != expected:
            raise DataError(
                f"the store's {path.name} is missing or has another size than {expected:,} bytes; "
                "ingest the data again.",
                file=folder,
            )
        file = OpenFile(path)
        if os.pread(file.handle, _HEADER, 0) != _header(kind, width, n_rows):
            raise DataError(f"the header of the store's {path.name} is damaged.", file=folder)
        opened.append(Shard(file, n_rows, crc32))
    return StoredArray(opened, kind, width, shard_rows)


def verify(array: StoredArray, name: str, folder: Path) -> None:
    """Read every byte of an array; DataError where a shard is not what was written."""
    buffer = memoryview(bytearray(_BUFFER))
    for place, shard in enumerate(array.shards):
        at, crc = _HEADER, 0
        while got := os.preadv(shard.file.handle, [buffer], at):
            crc = zlib.crc32(buffer[:got], crc)
            at += got
        if crc != shard.crc32:
            raise DataError(
                f"the store's {shard_name(name, place)} is damaged (checksum {crc:08x}, written "
                f"with {shard.crc32:08x}); ingest the data again.",
                file=folder,
            )


def _bytes_of(array: NDArray) -> memoryview:
    flat: Any = array.reshape(-1).view(np.uint8)
    return memoryview(flat)


def _header(dtype: np.dtype, width: int, n_rows: int) -> bytes:
    shape = (n_rows, width) if width else (n_rows,)
    stream = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, described)
    header = stream.getvalue()
    assert len(header) == _HEADER, "NumPy pads headers of short shapes to 128 bytes"
    return header
