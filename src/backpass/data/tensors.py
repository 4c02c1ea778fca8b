"""A safetensors file, read with suspicion: every size is compared before anything is allocated.

The format is a length, a JSON header that names arrays with their places, and the arrays' bytes.
It is read here and not by the package safetensors, which writes it, since a model file may come
from anybody: so the header is held to what a model needs, float64 arrays that fill the file without
gap or overlap, and what differs is named.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.document import DocumentError

# The format's own limit. JSON takes some twenty times its length in memory, at worst.
LONGEST_HEADER = 100_000_000
_MOST_AXES = 2
_LENGTH = 8  # bytes that say how long the header is


@dataclass(frozen=True)
class Tensors:
    """What a header says. places: name of an array -> its shape and where it begins, in bytes."""

    path: Path
    metadata: Mapping[str, str]
    places: Mapping[str, tuple[tuple[int, ...], int]]

    def read(self, name: str, finite: bool = True) -> NDArray[np.float64]:
        """Read an array; DocumentError where a number in it is not finite but should be."""
        shape, begin = self.places[name]
        values = np.fromfile(self.path, "<f8", math.prod(shape), offset=begin)
        if len(values) != math.prod(shape):  # written to since its header was read
            raise DocumentError("has become shorter while it was read.")
        bad = ~np.isfinite(values)
        if finite and bad.any():
            place = int(bad.argmax())
            raise DocumentError(
                f"{name}[{place}] is {values[place]}; a model's parameters are finite."
            )
        return values.astype(np.float64, copy=False).reshape(shape)


def read_header(path: Path) -> Tensors:
    """Read a file's header; DocumentError where it is not whole and well-formed."""
    if not path.exists():
        raise DocumentError("there is no such file.")
    if not path.is_file():
        kind = "folder" if path.is_dir() else "pipe or a device"
        raise DocumentError(f"is a {kind}, not a file.")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(_LENGTH), "little")
        if size < _LENGTH or length > min(size - _LENGTH, LONGEST_HEADER):
            raise DocumentError("is not a safetensors file, or is damaged or cut short.")
        raw = file.read(length)
    try:
        plain = document.parse(raw.decode())
    except UnicodeDecodeError:
        raise DocumentError("is not a safetensors file, or is damaged.") from None
    if type(plain) is not dict:
        raise DocumentError("is not a safetensors file: its header is no object.")
    metadata = document.texts_by_name(plain.pop("__metadata__", {}), "__metadata__")
    return Tensors(path, metadata, _places(plain, _LENGTH + length, size))


def _places(
    plain: Mapping[str, object], start: int, size: int
) -> dict[str, tuple[tuple[int, ...], int]]:
    """Check that the arrays fill the file from `start` to `size`, one after the other."""
    places = {}
    spans = []
    for name, described in plain.items():
        got = document.fields(
            described,
            f"array '{name[:60]}'",
            dtype=document.one_of("F64"),
            shape=document.items(document.count),
            data_offsets=document.items(document.count),
        )
        shape, span = got["shape"], got["data_offsets"]
        if len(shape) > _MOST_AXES or len(span) != 2:
            raise DocumentError(f"array '{name[:60]}' is no row or table of numbers.")
        # Whole numbers of Python, so that no product can wrap round.
        if span[1] - span[0] != 8 * math.prod(shape):
            raise DocumentError(f"array '{name[:60]}' has another size than its shape.")
        spans.append(span)
        places[name] = (shape, start + span[0])
    end = 0
    for begin, after in sorted(spans):
        if begin != end:
            raise DocumentError("arrays overlap, or leave a gap.")
        end = after
    if start + end != size:
        raise DocumentError("is damaged or cut short: it ends elsewhere than its header says.")
    return places
