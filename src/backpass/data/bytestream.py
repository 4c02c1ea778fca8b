"""The bytes of a text file in pieces: decompressed by what they are, as UTF-8, without a mark.

Compression is told by the first bytes, since names lie; and a damaged or cut file is an error here,
where some readers hand out what they got.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backpass.data.errors import DataError, Setting

PIECE = 4 << 20  # bytes


class ByteStream:
    """A file to be read as UTF-8 text as often as asked. encoding: what its bytes are now."""

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        self.path = path
        try:
            self.encoding = codecs.lookup(encoding).name
        except LookupError:
            raise DataError(
                f"the encoding '{encoding}' is not known; utf-8, cp1252 and latin-1 are.", file=path
            ) from None

    def pieces(self) -> Iterator[bytes]:
        """Yield the file in pieces of about 4 MiB; DataError where it is damaged or no text."""
        with open(self.path, "rb") as raw:
            first = True
            for piece in self._decoded(raw):
                if first:
                    piece = self._opening(piece)
                    first = False
                yield piece

    def _decoded(self, raw: io.BufferedReader) -> Iterator[bytes]:
        decode = None
        if self.encoding != "utf-8":
            decode = codecs.getincrementaldecoder(self.encoding)()
        for piece in self._decompressed(raw):
            if decode is None:
                yield piece
                continue
            try:
                yield decode.decode(piece).encode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"is not {self.encoding} text: {error}.", file=self.path) from None

    def _decompressed(self, raw: io.BufferedReader) -> Iterator[bytes]:
        start = raw.peek(4)[:4]
        stream: Any = raw
        if start[:2] == b"\x1f\x8b":
            stream = gzip.GzipFile(fileobj=raw)
        elif start == b"\x28\xb5\x2f\xfd":
            import pyarrow as pa

            stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        try:
            while piece := stream.read(PIECE):
                yield piece
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"the compressed file is damaged or cut short ({error}); fetch it again.",
                file=self.path,
            ) from error

    def _opening(self, piece: bytes) -> bytes:
        if piece[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in piece[:64]:
            raise DataError(
                "is not UTF-8 text (UTF-16, or no text at all).",
                file=self.path,
                remedies=[
                    "save it as UTF-8",
                    Setting("read it as UTF-16", "encoding", "utf-16"),
                ],
            )
        return piece.removeprefix(b"\xef\xbb\xbf")
