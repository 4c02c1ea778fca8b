"""A column's cells as plain values: numbers, NaN where missing, or words; and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.cells import DATES, Kind
from backpass.data.errors import DataError, leave_out

if TYPE_CHECKING:
    import pyarrow as pa


def holds_text(cells: pa.ChunkedArray) -> bool:
    """Say whether a column is text or categorical."""
    import pyarrow as pa

    kind = cells.type
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or (pa.types.is_dictionary(kind))
    )


def refuse_unusable(cells: pa.ChunkedArray, name: str, declared: bool) -> None:
    """Raise DataError for a column of dates, bytes or nested values."""
    import pyarrow as pa

    kind = cells.type
    t = pa.types
    if t.is_null(kind) or holds_text(cells) or t.is_boolean(kind):
        return
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return
    if t.is_temporal(kind):
        if declared:
            return
        raise DataError(
            f"holds dates or times ({kind}).", column=name, remedies=[DATES, leave_out(name)]
        )
    raise DataError(
        f"holds {kind} values; columns are numbers, true/false, text or categories.",
        column=name,
        remedies=["take it apart beforehand", leave_out(name)],
    )


def is_missing(cells: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Mark missing values: null, and NaN among numbers."""
    import pyarrow.compute as pc

    return np.asarray(pc.is_null(cells, nan_is_null=True))


def number_values(cells: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    """Return a column's values as float64 with NaN for missing ones.

    Raises DataError for text, for infinite values (naming the record) and for whole numbers
    beyond 2^53, which float64 would silently round.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if holds_text(cells):
        example = next((word for word in as_words(cells).to_pylist() if word is not None), "")
        raise DataError(
            f"holds text such as '{example}', but held numbers at the fit.", column=name
        )
    refuse_unusable(cells, name, declared=False)
    if pa.types.is_integer(cells.type) and len(cells) > cells.null_count:
        ends = pc.min_max(cells).as_py()
        largest = max(abs(ends["min"]), abs(ends["max"]))
        if largest > 2**53:
            raise DataError(
                f"holds the whole number {largest}, beyond 2^53, which would be rounded.",
                column=name,
                remedies=["give it as a float", leave_out(name)],
            )
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.uint8())
    values = np.asarray(cells.cast(pa.float64(), safe=False), dtype=np.float64)
    refuse_infinite(values, name)
    return values


def refuse_infinite(values: NDArray[np.float64], name: str) -> None:
    """Raise DataError naming the first record that holds an infinite number."""
    infinite = np.isinf(values)
    if infinite.any():
        record = int(infinite.argmax())
        raise DataError(
            f"{values[record]} is not a finite number; mend the value or make it a missing one.",
            record=record + 1,
            column=name,
        )


def as_words(cells: Any) -> Any:
    """Write a column's values as text; whole numbers without '.0', as files have them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return cells
    if pa.types.is_floating(kind):
        cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, kind), cells)
        # Missing values make pandas turn whole numbers into floats; the levels stay the same.
        whole = pc.and_(pc.equal(cells, pc.trunc(cells)), pc.less(pc.abs(cells), 2.0**53))
        words = pc.if_else(whole, cells, 0.0).cast(pa.int64(), safe=False).cast(pa.string())
        return pc.if_else(whole, words, cells.cast(pa.string()))
    return cells.cast(pa.string())


def kind_of_type(cells: pa.ChunkedArray) -> Kind:
    """Say how another file's cells of this column are to be read."""
    import pyarrow as pa

    if holds_text(cells):
        return "text"
    return "boolean" if pa.types.is_boolean(cells.type) else "number"
