"""A model measured on labelled rows of a file, the trivial model beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass import metrics
from backpass.cli.rows import LabelledRows
from backpass.cli.words import counted
from backpass.data.errors import DataError
from backpass.data.labels import places_of


def measured(
    model: Any,
    rows: LabelledRows,
    target: str,
    shares: NDArray[np.float64] | None,
    notes: list[str],
    path: Path,
) -> tuple[metrics.Scores, metrics.Scores | None]:
    """Return the model's scores and those of the classes' shares, if they are known.

    Rows that the model cannot place (missing or unseen values, where it takes none) are left
    out of both, and `notes` gains a sentence on it. DataError names the file.
    """
    try:
        if model.encoding_ is not None:
            usable = model.encoding_.usable_rows(rows.columns)
            lost = int(np.count_nonzero(~usable))
            if lost == len(usable):
                raise DataError("no row is without missing or unseen values; nothing to measure.")
            if lost:
                rows = rows.take(usable)
                notes.append(
                    f"{path.name}: {counted(lost, 'row')} with missing or unseen values left out "
                    f"of the measures, {len(usable) - lost:,} kept."
                )
        y, note = places_of(rows.labels, model.classes_, target)
        if note:
            notes.append(f"{path.name}, {note}")
        log_proba = model.predict_log_proba(as_input(model, rows.columns))
    except DataError as error:
        raise error.in_file(path) from None
    scores = metrics.score(y, log_proba, rows.weight)
    if shares is None:
        return scores, None
    trivial = metrics.trivial_log_proba(shares, len(y))
    return scores, metrics.score(y, trivial, rows.weight)


def as_input(model: Any, table: Any) -> Any:
    """Return a table as the model takes it: one fitted on plain numbers wants them in its order."""
    if model.encoding_ is not None:
        return table
    return table.select(list(model.feature_names_in_)).to_pandas()
