"""Tables of pandas, polars and pyarrow, all as one pyarrow table with checked names.

pyarrow is the form in the middle because it alone carries missing values, categories and their
order for all three. None of the three is imported unless such a table arrives.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from backpass.data.errors import DataError, listed

if TYPE_CHECKING:
    import pyarrow as pa


def is_table(data: Any) -> bool:
    """Say whether `data` is a table with named columns: pandas, polars or pyarrow."""
    library = type(data).__module__.partition(".")[0]
    kind = type(data).__name__
    return (library, kind) in {
        ("pandas", "DataFrame"),
        ("polars", "DataFrame"),
        ("polars", "LazyFrame"),
        ("pyarrow", "Table"),
        ("pyarrow", "RecordBatch"),
    }


def as_table(data: Any) -> pa.Table:
    """Return a pandas, polars or pyarrow table as a pyarrow one, or raise DataError."""
    import pyarrow as pa

    if not is_table(data):
        raise TypeError(
            f"expected a pandas, polars or pyarrow table, got {type(data).__name__}; "
            "arrays have no column names, so they need no encoding."
        )
    library = type(data).__module__.partition(".")[0]
    if library == "pandas":
        table = _from_pandas(data)
    elif library == "polars":
        table = _from_polars(data)
    elif isinstance(data, pa.RecordBatch):
        table = pa.Table.from_batches([data])
    else:
        table = data
    refuse_bad_names(table.column_names)
    return table


def refuse_bad_names(names: list[str], file: Any = None, hint: str = "") -> None:
    """Raise DataError where names, which columns are matched by, are absent or repeated.

    hint: said then too.
    """
    for place, name in enumerate(names, start=1):
        if not name:
            raise DataError(
                f"column {place} of {len(names)} has no name; columns are matched by name, "
                f"so give it one.{hint}",
                file=file,
            )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"has more than one column called {listed(twice)}; rename all but one.{hint}",
            file=file,
        )


def _from_pandas(frame: Any) -> pa.Table:
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    refuse_bad_names(names)
    columns = []
    for place, name in enumerate(names):
        series = frame.iloc[:, place]
        try:
            columns.append(pa.Array.from_pandas(series))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            kinds = sorted({type(value).__name__ for value in series.dropna().head(10_000)})
            raise DataError(
                f"holds values of several or unknown kinds ({', '.join(kinds)}); "
                "make it all numbers, all text or a pandas Categorical.",
                column=name,
            ) from error
    return pa.Table.from_arrays(columns, names=names)


def _from_polars(frame: Any) -> pa.Table:
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    # A polars Categorical lists its levels by first appearance, which is no order that anybody
    # chose; an Enum's order is its user's, so it stays a dictionary.
    plain = [name for name, kind in frame.schema.items() if kind == pl.Categorical]
    return frame.with_columns(pl.col(plain).cast(pl.String)).to_arrow()
