"""`backpass trace`: every z and δ of a saved model on rows of a file, as one offline page."""

from __future__ import annotations

from pathlib import Path

from backpass.cli import saved
from backpass.cli.measuring import as_input
from backpass.cli.progress import watching
from backpass.cli.rows import TextForm, read_records
from backpass.cli.terminal import refuse_bad_place, results, warn
from backpass.data.errors import DataError
from backpass.data.labels import places_of


def run(
    model_path: Path,
    data: Path,
    target: str | None,
    row: int,
    others: list[int],
    html: Path,
    missing_values: tuple[str, ...] | None,
    form: TextForm,
) -> None:
    """Write the page; row and others count records from 1, as messages do."""
    refuse_bad_place(html)
    with watching(f"tracing a row of {data.name}"):
        model = saved.open_model(model_path, data)
        column = saved.target_column(model, model_path, target)
        wanted = list(dict.fromkeys([row, *others]))
        markers = saved.missing_values(model, missing_values)
        rows = read_records(data, wanted, column, saved.kinds(model), markers, form)
        try:
            places, note = places_of(rows.labels, model.classes_, column)
            trace = model.trace(as_input(model, rows.columns), model.classes_[places])
        except DataError as error:
            raise error.in_file(data) from None
        numbers = ", ".join(map(str, wanted))
        title = f"{model_path.stem} on {data.name}, row {numbers}"
        trace.to_html(html, title=title, row_names=[str(number) for number in wanted])
    warn([f"{data.name}, {note}"] if note else [])
    cost = trace.cost / len(wanted)
    console = results()
    console.print(
        f"{html}: {len(trace.z) - 1} steps from {trace.z[1].shape[1]} inputs to the cost, "
        f"{cost:.4g}{' a row' if len(wanted) > 1 else ''}; open it in a browser."
    )
