"""Class labels as files hold them: words to labels, and back to the classes of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backpass.data.errors import DataError, listed

if TYPE_CHECKING:
    import pyarrow as pa

# A target with more values than this, and a new one in more than every second row, was measured.
_MANY_CLASSES = 20
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?")


def label_values(distinct: list[str], n_rows: int, column: str) -> NDArray:
    """Return the labels that a target's different texts stand for: int64 where all are whole.

    Raises DataError where there are fewer than two classes, or where the target is no class at all.
    """
    if len(distinct) < 2:
        raise DataError(
            f"has {'one class only, ' + listed(distinct) if distinct else 'no labels'}; "
            "a classifier needs two classes.",
            column=column,
        )
    if len(distinct) > max(_MANY_CLASSES, n_rows / 2):
        raise DataError(
            f"has {len(distinct):,} values in {n_rows:,} rows ({listed(distinct, 3)}), so it is no "
            "class; a target is the column of classes.",
            column=column,
        )
    if all(_WHOLE.fullmatch(text) for text in distinct):
        return np.array([_whole(text) for text in distinct], dtype=np.int64)
    return np.array(distinct)


def places_of(words: pa.ChunkedArray, classes: NDArray, column: str) -> tuple[NDArray, str | None]:
    """Return the place in `classes` of every label, (n_rows,), and a note where labels were mended.

    Labels that end with a full stop in this file only are the same labels; that is what the note
    says. Any other stranger raises DataError showing both sets of labels.
    """
    coded = words.combine_chunks().dictionary_encode()
    places, note = places_of_levels(coded.dictionary.to_pylist(), classes, column)
    return places[np.asarray(coded.indices)], note


def places_of_levels(
    texts: Sequence[str], classes: NDArray, column: str
) -> tuple[NDArray[np.int64], str | None]:
    """Return the place in `classes` of each of a target's different texts; see `places_of`."""
    place = {str(label): k for k, label in enumerate(classes.tolist())}
    found = {text: place.get(_spelt(text, place)) for text in texts}
    note = None
    if None in found.values() and all(text.endswith(".") for text in found):
        found = {text: place.get(text.rstrip(".").rstrip()) for text in found}
        note = (
            f"column '{column}': labels end with a full stop here ({listed(found, 3)}); taken off."
        )
    strangers = [text for text, k in found.items() if k is None]
    if strangers:
        raise DataError(
            f"has the labels {listed(found)}, the model knows {listed(place)}; "
            f"{listed(strangers)} is none of them. Spell them alike, or fit with all of them.",
            column=column,
        )
    return np.array(list(found.values()), dtype=np.int64), note


def _spelt(text: str, place: dict[str, int]) -> str:
    """Spell a whole number as the model does: 1.0 and 1 are one label."""
    if text not in place and _WHOLE.fullmatch(text):
        return str(_whole(text))
    return text


def _whole(text: str) -> int:
    # Not by way of float, which rounds labels beyond 2^53 and so merges neighbours.
    return int(text.partition(".")[0])
