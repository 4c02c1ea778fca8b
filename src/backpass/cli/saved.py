"""A saved model as commands use it: what it needs of a file, and what its fit knew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backpass.data.cells import MISSING_VALUES, Kind
from backpass.modelfile import ModelFileError, load


def open_model(path: Path) -> Any:
    """Load a model file; ModelFileError where it is no model of columns that have names."""
    model = load(path)
    if model.encoding_ is None and not hasattr(model, "feature_names_in_"):
        raise ModelFileError(
            f"{path.name}: was fitted on an array, whose columns have no names, so it cannot be "
            "matched to the columns of a file; use it from Python, or fit on a table."
        )
    return model


def kinds(model: Any) -> dict[str, Kind]:
    """Say which columns a model needs, and how a file's cells of each are to be read."""
    if model.encoding_ is not None:
        return model.encoding_.kinds
    return dict.fromkeys(map(str, model.feature_names_in_), "number")


def missing_values(model: Any, given: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the markers of missing values: those given, or those of the file of the fit."""
    if given is not None:
        return given
    record = getattr(model, "fit_record_", None)
    return MISSING_VALUES if record is None else record.missing_values


def target_column(model: Any, path: Path, given: str | None) -> str:
    """Return the column that a model predicts: the one given, or the fit's."""
    record = getattr(model, "fit_record_", None)
    column = given or (None if record is None else record.target)
    if column is None:
        raise ModelFileError(
            f"{path.name}: does not say which column it predicts; name it with --target."
        )
    return column
