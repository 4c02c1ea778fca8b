"""NumPy's own files, .npy and .npz, as tables with the columns x0, x1, ...

In an .npz file one-dimensional arrays are columns by their own names, which is how labels and
weights come along. Arrays are read row by row out of the file, packed or not; nothing is unpickled.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from backpass.data.errors import DataError
from backpass.data.table import refuse_bad_names

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 1 << 18  # values


class ArraySource:
    """One file of arrays: a matrix, in .npz beside columns of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as stack:
            arrays = self._opened(stack)
        matrices = [name for name, array in arrays.items() if len(array.shape) == 2]
        if len(matrices) != 1 or any(len(a.shape) not in (1, 2) for a in arrays.values()):
            raise DataError(
                f"holds {len(matrices)} matrices; expected one of shape (rows, columns), in .npz "
                "beside arrays (rows,) for labels and weights.",
                file=path,
            )
        self.matrix = matrices[0]
        self.n_rows, width = arrays.pop(self.matrix).shape
        self.inner = [f"x{j}" for j in range(width)]
        self.names = self.inner + list(arrays)
        refuse_bad_names(self.names, path)
        uneven = [name for name, array in arrays.items() if array.shape[0] != self.n_rows]
        if uneven:
            raise DataError(
                f"has {self.n_rows:,} rows, but '{uneven[0]}' has {arrays[uneven[0]].shape[0]:,}.",
                file=path,
            )

    def chunks(self, wanted: list[str], missing_values: tuple[str, ...]) -> Iterator[pa.Table]:
        """Yield the rows in order; NaN is a missing value."""
        import pyarrow as pa

        height = max(1, _CHUNK // max(len(self.inner), 1))
        with ExitStack() as stack:
            arrays = self._opened(stack)
            for start in range(0, self.n_rows, height):
                n_rows = min(height, self.n_rows - start)
                parts = {name: array.read(n_rows) for name, array in arrays.items()}
                parts |= dict(zip(self.inner, parts.pop(self.matrix).T, strict=True))
                columns = [
                    pa.array(np.ascontiguousarray(parts[name]), from_pandas=True) for name in wanted
                ]
                yield pa.table(columns, names=wanted)

    def _opened(self, stack: ExitStack) -> dict[str, _Array]:
        try:
            if self.path.suffix.lower() == ".npy":
                return {"X": _Array(stack.enter_context(open(self.path, "rb")), self.path)}
            packed = stack.enter_context(zipfile.ZipFile(self.path))
            return {
                name.removesuffix(".npy"): _Array(stack.enter_context(packed.open(name)), self.path)
                for name in packed.namelist()
            }
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"is no file of NumPy arrays ({error}).", file=self.path) from None


class _Array:
    """An array in a stream, read from its first row to its last."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.stream, self.path = stream, path
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        self.shape, fortran, self.dtype = read(stream)
        if self.dtype.kind not in "biufU":
            raise DataError(
                f"holds an array of {self.dtype}; arrays are of numbers, booleans or text.",
                file=path,
            )
        if fortran and len(self.shape) > 1:
            raise DataError(
                "holds a matrix column by column, so its rows cannot be read one by one; save "
                "numpy.ascontiguousarray(X).",
                file=path,
            )

    def read(self, n_rows: int) -> NDArray:
        """Return the next rows."""
        size = n_rows * math.prod(self.shape[1:]) * self.dtype.itemsize
        try:
            data = self.stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"is damaged ({error}); write it again.", file=self.path) from None
        if len(data) != size:
            raise DataError("was cut short; write it again.", file=self.path)
        return np.frombuffer(data, self.dtype).reshape(n_rows, *self.shape[1:])
