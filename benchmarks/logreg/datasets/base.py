"""What a data set is to the benchmark: a name, a word about it, and how to load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The real data lies beside the repository, under its own licences, and is not copied into it.
SHARED = Path(__file__).parents[4] / "shared" / "data"


class Absent(Exception):
    """The data is not on this machine; the text says what was looked for."""


class Dataset(NamedTuple):
    """Rows X (dense C order, or CSR) and labels y, integers from 0, by `load(small)`."""

    name: str
    about: str
    load: Callable[[bool], tuple[Any, NDArray[np.int64]]]
    finite: bool  # whether the maximum-likelihood estimates are finite: C=inf is a problem then


def shared(*parts: str) -> Path:
    """Return the path of a file of real data; raise Absent where there is none."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        raise Absent(f"no file ../shared/data/{'/'.join(parts)} beside the repository")
    return path


def thin(X: Any, y: NDArray[np.int64], small: bool) -> tuple[Any, NDArray[np.int64]]:
    """Keep every tenth row of real data for a small run; a hundredth would lose classes."""
    return (X[::10], y[::10]) if small else (X, y)
