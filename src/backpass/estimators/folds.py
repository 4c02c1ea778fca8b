"""Rows divided for cross-validation: which are fitted to and which are scored, split by split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv

Rows = NDArray[Any]  # row numbers, ascending or not, or a mark for every row
Pair = tuple[Rows, Rows]


class NumberedFolds(Sequence[Pair]):
    """Splits by the fold of every row: -1 is always fitted to and never scored.

    Masks are made where they are asked for, so that a split costs two bytes a row for its time.
    """

    def __init__(self, numbers: NDArray[np.integer]) -> None:
        self.numbers = numbers
        self.places = [int(place) for place in np.unique(numbers) if place >= 0]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        inside = self.numbers == self.places[place]
        return ~inside, inside

    def __iter__(self) -> Iterator[Pair]:
        return (self[place] for place in range(len(self)))


def divide(cv: Any, X: Any, y: NDArray, params: Mapping[str, Any]) -> Sequence[Pair]:
    """Return the splits that `cv` describes, (rows to fit to, rows to score) each.

    cv: a number of folds (None: 5), equal in their shares of every class, in the order of the rows,
    as scikit-learn's StratifiedKFold cuts them; a splitter; pairs of row numbers or masks; or an
    array (n_rows,) of whole numbers, the fold of every row, with -1 for rows in none. y: classes.
    params: what the splitter asks for, such as groups.
    """
    plain = cv is None or isinstance(cv, Integral)
    numbered = isinstance(cv, np.ndarray) and cv.ndim == 1 and cv.dtype.kind in "iu"
    if "groups" in params and (plain or numbered):
        raise ValueError(
            f"groups= is for a splitter that reads it, such as cv=GroupKFold(5); cv is {cv!r}."
        )
    if plain:
        return NumberedFolds(stratified(5 if cv is None else int(cv), y))
    if numbered:
        return _checked(NumberedFolds(_one_a_row(cv, len(y))), len(y))
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ValueError(
            f"cv is {cv!r}; it is a number of folds, a splitter such as KFold(5), a list of pairs "
            "(rows to fit to, rows to score), or an array with the fold of every row."
        )
    return _checked(list(check_cv(cv, y, classifier=True).split(X, y, **params)), len(y))


def stratified(n_folds: int, y: NDArray, seed: int | None = None) -> NDArray[np.int16]:
    """Return the fold of every row, -1 for the only row of a class.

    Folds have equal shares of every class. Without a seed they are those of StratifiedKFold, each
    class cut in its order; with one, rows of a class are shuffled. What is not fitted cannot be
    predicted, so the only row of a class is in no fold.
    """
    if n_folds < 2:
        raise ValueError(f"cv is {n_folds}; a number of folds is 2 or more.")
    classes, first, counts = np.unique(y, return_index=True, return_counts=True)
    if counts.max() < max(n_folds, 2):
        raise ValueError(
            f"cv={n_folds} folds need a class of at least as many rows, but the largest has "
            f"{counts.max()}; lower cv."
        )
    rng = None if seed is None else np.random.default_rng(seed)
    folds = np.full(len(y), -1, dtype=np.int16)
    begin = 0  # rows of the classes before, as if the data were sorted by class
    for place in np.argsort(first):
        if counts[place] == 1:
            continue
        end = begin + counts[place]
        turns = np.arange(n_folds)
        share = (end - turns + n_folds - 1) // n_folds - (begin - turns + n_folds - 1) // n_folds
        own = turns.astype(np.int16).repeat(share)
        if rng is not None:
            rng.shuffle(own)
        folds[y == classes[place]] = own
        begin = end
    return folds


def _one_a_row(cv: NDArray, n_rows: int) -> NDArray:
    if len(cv) != n_rows:
        raise ValueError(
            f"cv is an array of {len(cv):,} numbers, but there are {n_rows:,} rows; it holds the "
            "fold of every row, -1 for rows in none."
        )
    return cv


def _checked(splits: Sequence[Pair], n_rows: int) -> Sequence[Pair]:
    """Raise ValueError where there is no split, or one that has nothing to fit to or to score."""
    if not len(splits):
        raise ValueError("cv gives no split; it takes at least one.")
    for place, pair in enumerate(splits):
        for rows, what in zip(pair, ("fit to", "score"), strict=True):
            marks = np.asarray(rows)
            if not (marks.any() if marks.dtype == bool else len(marks)):
                raise ValueError(f"cv, split {place}: there are no rows to {what}.")
            if marks.dtype != bool and (marks.min() < -n_rows or marks.max() >= n_rows):
                raise ValueError(
                    f"cv, split {place}: row {marks.max()} is asked for, but there are "
                    f"{n_rows:,} rows, 0 to {n_rows - 1:,}."
                )
    return splits


def row_numbers(rows: Rows) -> NDArray[np.intp]:
    """Return row numbers, of a mask too."""
    given = np.asarray(rows)
    return np.flatnonzero(given) if given.dtype == bool else given


def without(splits: Sequence[Pair], left_out: NDArray[np.bool_]) -> list[Pair]:
    """Return the splits without some rows, which are marked."""
    numbered = (tuple(row_numbers(rows) for rows in pair) for pair in splits)
    return [(fit[~left_out[fit]], score[~left_out[score]]) for fit, score in numbered]
