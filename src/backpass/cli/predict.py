"""`backpass predict`: a class, and if wanted its probabilities, for every row of a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backpass.cli import saved
from backpass.cli.measuring import as_input
from backpass.cli.terminal import progress
from backpass.data.atomic import written_beside
from backpass.data.errors import DataError
from backpass.data.source import read_table

if TYPE_CHECKING:
    import pyarrow as pa


def run(model_path: Path, data: Path, out: Path | None, proba: bool, ids: Sequence[str]) -> None:
    """Write predictions in the order of the rows, to a file or as csv to stdout."""
    with progress(f"predicting {data.name}"):
        predicted = _predicted(model_path, data, proba, ids)
    if out is None:
        sys.stdout.flush()
        _write_csv(predicted, sys.stdout.buffer)
        return
    with written_beside(out) as beside:
        if out.suffix == ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(predicted, beside)
        else:
            _write_csv(predicted, beside)
    print(f"{predicted.num_rows:,} predictions written to {out}", file=sys.stderr)


def _write_csv(table: pa.Table, to: Any) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(table, to)


def _predicted(model_path: Path, data: Path, proba: bool, ids: Sequence[str]) -> pa.Table:
    """Return the columns of the answer: those copied through, `prediction`, one per class."""
    import numpy as np
    import pyarrow as pa

    model = saved.open_model(model_path)
    markers = saved.missing_values(model)
    needed = saved.kinds(model)
    # A column that is copied and used is read twice: as it is written, and as the model reads it.
    both = [name for name in ids if name in needed]
    table = read_table(
        data,
        missing_values=markers,
        text=[name for name in ids if name not in needed],
        kinds=needed,
    )
    copied = table if not both else read_table(data, missing_values=(), text=ids, kinds={})
    try:
        log_proba = model.predict_log_proba(as_input(model, table))
    except DataError as error:
        raise error.in_file(data) from None
    columns = {name: copied[name] for name in ids}
    answers = {"prediction": pa.array(model.classes_[log_proba.argmax(axis=1)])}
    if proba:
        for k, label in enumerate(model.classes_.tolist()):
            answers[f"proba_{label}"] = pa.array(np.exp(log_proba[:, k]))
    clash = [name for name in answers if name in columns]
    if clash:
        raise DataError(
            f"--id copies '{clash[0]}', which is also the name of an answer; rename the column.",
            file=data,
        )
    return pa.table({**columns, **answers})
