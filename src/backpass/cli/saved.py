"""A saved model as commands use it: what it needs of a file, and what its fit knew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backpass.data.cells import MISSING_VALUES, Kind
from backpass.data.sources import find_files, has_arrays
from backpass.data.stored_sparse import SparseForm
from backpass.formula import Design
from backpass.formula.expression import Column
from backpass.modelfile import ModelFileError, load


def open_model(path: Path, data: Path) -> Any:
    """Load a model file; ModelFileError where its columns cannot be those of the data.

    A fit on an array knows no names, but the files of arrays have none either.
    """
    model = load(path)
    unnamed = model.encoding_ is None and not hasattr(model, "feature_names_in_")
    if unnamed and not has_arrays(find_files(data)):
        raise ModelFileError(
            f"{path.name}: was fitted on an array, whose columns have no names, so it cannot be "
            "matched to the columns of a file; use it from Python, or fit on a table."
        )
    return model


def kinds(model: Any) -> dict[str, Kind]:
    """Say which columns a model needs, and how a file's cells of each are to be read."""
    if model.encoding_ is not None:
        return model.encoding_.kinds
    return dict.fromkeys(column_names(model), "number")


def column_names(model: Any) -> list[str]:
    """Name the columns of a model of plain numbers; those of an array are x0, x1, ..."""
    counted = [f"x{j}" for j in range(model.n_features_in_)]
    return [str(name) for name in getattr(model, "feature_names_in_", counted)]


def sparse_form(model: Any) -> SparseForm | None:
    """Say how a model reads libsvm text; None where it knows its columns by other names.

    A fit of libsvm text calls columns x and their index, so the first name tells where it counts
    from; a fit of a matrix does not know.
    """
    if model.encoding_ is not None:
        return None
    width = model.n_features_in_
    if not hasattr(model, "feature_names_in_"):
        return SparseForm(width)
    names = column_names(model)
    for first in (0, 1):
        if names == [f"x{j + first}" for j in range(width)]:
            return SparseForm(width, first)
    return None


def missing_values(model: Any, given: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the markers of missing values: those given, or those of the file of the fit."""
    if given is not None:
        return given
    record = getattr(model, "fit_record_", None)
    return MISSING_VALUES if record is None else record.missing_values


def target_column(model: Any, path: Path, given: str | None) -> str:
    """Return the column that a model predicts: the one given, or the fit's."""
    record = getattr(model, "fit_record_", None)
    column = given or (None if record is None else record.target) or _left_side(model)
    if column is None:
        raise ModelFileError(
            f"{path.name}: does not say which column it predicts; name it with --target."
        )
    return column


def _left_side(model: Any) -> str | None:
    """Return the column that a formula has on its left side, if it is one."""
    sides = model.encoding_.y if isinstance(model.encoding_, Design) else ()
    return sides[0].name if len(sides) == 1 and isinstance(sides[0], Column) else None
