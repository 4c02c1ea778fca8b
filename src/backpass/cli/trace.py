"""`backpass trace`: every z and δ of a saved model on rows of a file, as one offline page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backpass.cli import saved
from backpass.cli.measuring import as_input
from backpass.cli.rows import read_labelled
from backpass.cli.terminal import progress, results, warn
from backpass.data.errors import DataError
from backpass.data.labels import places_of


def run(
    model_path: Path, data: Path, target: str | None, row: int, others: list[int], html: Path
) -> None:
    """Write the page; row and others count records from 1, as messages do."""
    with progress(f"tracing a row of {data.name}"):
        model = saved.open_model(model_path)
        column = saved.target_column(model, model_path, target)
        rows = read_labelled(
            data,
            column,
            weight=None,
            missing_values=saved.missing_values(model),
            kinds=saved.kinds(model),
        )
        wanted = list(dict.fromkeys([row, *others]))
        try:
            n_rows = len(rows.labels)
            for number in wanted:
                if not 1 <= number <= n_rows:
                    raise DataError(f"no row {number}; there are rows 1 to {n_rows:,}.")
            rows = rows.take(np.array(wanted) - 1)
            places, note = places_of(rows.labels, model.classes_, column)
            trace = model.trace(as_input(model, rows.columns), model.classes_[places])
        except DataError as error:
            raise error.in_file(data) from None
        numbers = ", ".join(map(str, wanted))
        trace.to_html(html, title=f"{model_path.stem} on {data.name}, row {numbers}")
    warn([*rows.notes, *([f"{data.name}, {note}"] if note else [])])
    cost = trace.cost / len(wanted)
    console = results()
    console.print(
        f"{html}: {len(trace.z) - 1} steps from {trace.z[1].shape[1]} inputs to the cost, "
        f"{cost:.4g}{' a row' if len(wanted) > 1 else ''}; open it in a browser."
    )
