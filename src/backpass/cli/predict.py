"""`backpass predict`: a class, and if wanted its probabilities, for every row of a file.

Rows pass through some thousand at a time, so a file may have any number of them.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from backpass.cli import saved
from backpass.cli.measuring import as_input
from backpass.cli.progress import watching
from backpass.cli.terminal import refuse_bad_place, warn
from backpass.data.atomic import written_beside
from backpass.data.dataset import refuse_names
from backpass.data.errors import DataError
from backpass.data.libsvm import read_libsvm
from backpass.data.sources import Reading, Source, find_files, is_sparse
from backpass.data.stored_sparse import LABEL
from backpass.data.unseen import UnseenTally, UnseenWarning, unseen_words
from backpass.data.values import holds_text

if TYPE_CHECKING:
    import pyarrow as pa

Write = Callable[["pa.Table"], None]
Answered = tuple[dict[str, Any], NDArray, NDArray]  # columns copied, log-probabilities, shares


def run(
    model_path: Path,
    data: Path,
    out: Path | None,
    proba: bool,
    ids: Sequence[str],
    missing_values: tuple[str, ...] | None,
    encoding: str,
    decimal: str,
) -> None:
    """Write predictions in the order of the rows, to a file or as csv to stdout."""
    refuse_bad_place(out)
    model = saved.open_model(model_path, data)
    form = Reading(saved.missing_values(model, missing_values), encoding, decimal)
    unseen = UnseenTally()
    tables = _predicted(model, find_files(data), form, proba, ids, unseen)
    with watching(f"predicting {data.name}", silent=out is None and sys.stdout.isatty()) as meter:
        if out is None:
            sys.stdout.flush()
            n_rows = _write_all(tables, sys.stdout.buffer, "csv", meter.rows)
        else:
            with written_beside(out) as beside:
                n_rows = _write_all(tables, beside, out.suffix.lstrip("."), meter.rows)
    if unseen.unseen:
        warn([f"{data.name}: {unseen_words(unseen.unseen, n_rows)}"])
    if out is not None:
        print(f"{n_rows:,} predictions written to {out}", file=sys.stderr)


def _write_all(tables: Iterator[pa.Table], to: Any, kind: str, told: Callable[[int], None]) -> int:
    """Write tables one after the other; return the number of rows."""
    first = next(tables)
    n_rows = 0
    with _writer(to, first.schema, kind) as write:
        while first is not None:
            write(first)
            n_rows += first.num_rows
            told(n_rows)
            first = next(tables, None)
    return n_rows


@contextmanager
def _writer(to: Any, schema: pa.Schema, kind: str) -> Iterator[Write]:
    if kind == "parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(to, schema) as parquet:
            yield parquet.write_table
    else:
        import pyarrow.csv

        with pyarrow.csv.CSVWriter(to, schema) as csv:
            yield csv.write_table


def _predicted(
    model: Any,
    files: list[Path],
    form: Reading,
    proba: bool,
    ids: Sequence[str],
    unseen: UnseenTally,
) -> Iterator[pa.Table]:
    """Yield the columns of the answer: those copied through, `prediction`, one per class.

    unseen: is told of values that the fit did not see.
    """
    import pyarrow as pa

    names = ["prediction", *(f"proba_{k}" for k in model.classes_.tolist() if proba)]
    clash = [name for name in names if name in ids]
    if clash:
        raise DataError(
            f"--id copies '{clash[0]}', which is also the name of an answer; rename the column.",
            file=files[0],
        )
    if is_sparse(files):
        answered = _of_sparse_rows(model, files, proba, ids)
    else:
        answered = _of_tables(model, files, form, proba, ids, unseen)
    for columns, log_proba, shares in answered:
        columns["prediction"] = pa.array(model.classes_[log_proba.argmax(axis=1)])
        for k, name in enumerate(names[1:]):
            columns[name] = pa.array(shares[:, k])
        yield pa.table(columns)


def _of_tables(
    model: Any,
    files: list[Path],
    form: Reading,
    proba: bool,
    ids: Sequence[str],
    unseen: UnseenTally,
) -> Iterator[Answered]:
    kinds = saved.kinds(model)
    source = Source(files, form)
    source.refuse_absent([*kinds, *ids])
    # What is copied is copied as it stands, without a look for markers of missing values.
    copied = Source(files, Reading((), form.encoding)).chunks(list(ids)) if ids else None
    for chunk in source.chunks(list(kinds)):
        try:
            rows = as_input(model, source.typed(chunk.table, kinds))
            with _counted(unseen):
                log_proba, shares = _answer(model, rows, proba)
        except DataError as error:
            raise error.further_on(chunk.record).in_file(chunk.file) from None
        columns = {} if copied is None else dict(_columns(next(copied).table))
        yield columns, log_proba, shares


def _of_sparse_rows(
    model: Any, files: list[Path], proba: bool, ids: Sequence[str]
) -> Iterator[Answered]:
    """Do the same for libsvm text, of which only the label can be copied through."""
    import pyarrow as pa

    form = saved.sparse_form(model)
    if form is None:
        raise DataError("is libsvm text, but the model knows its columns by name.", file=files[0])
    refuse_names(files[0], ids, ())
    form = form.settled(files)
    bare = copy.copy(model)  # of rows that have no names
    bare.__dict__.pop("feature_names_in_", None)
    for piece in (piece for file in files for piece in read_libsvm(file)):
        columns = {LABEL: pa.array(piece.labels)} if ids else {}
        yield columns, *_answer(bare, form.matrix(piece), proba)


def _answer(model: Any, rows: Any, proba: bool) -> tuple[NDArray, NDArray]:
    """Return log-probabilities and, where they are wanted, probabilities, (m, k)."""
    log_proba = model.predict_log_proba(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnseenWarning)  # the same rows again
        return log_proba, model.predict_proba(rows) if proba else log_proba[:, :0]


@contextmanager
def _counted(unseen: UnseenTally) -> Iterator[None]:
    """Take in the warnings of values that the fit did not see, to be said once for all rows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnseenWarning)
        yield
    for one in caught:
        if isinstance(one.message, UnseenWarning):
            unseen.add(one.message)
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _columns(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield columns in types that are the same in every chunk."""
    import pyarrow as pa

    for name in table.column_names:
        cells = table[name]
        yield name, cells.cast(pa.string()) if holds_text(cells) else cells
