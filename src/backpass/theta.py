"""θ, the flat vector of all parameters: which name owns which slice of it.

It is apart from the network so that solvers, penalties, files and traces can speak of
parameters by name without knowing a layer. Nobody keeps the views that are cut here: θ is
passed in at every evaluation, and pickle, deepcopy or SciPy's own buffers would silently
sever a view from its vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Layout:
    """Names, shapes and places of the parameters in the flat vector, in the order given."""

    shapes: Mapping[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        offsets: dict[str, slice] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            offsets[name] = slice(start, stop)
            start = stop
        object.__setattr__(self, "slices", offsets)
        object.__setattr__(self, "size", start)

    slices: Mapping[str, slice] = None  # type: ignore[assignment]  # set in __post_init__
    size: int = 0

    def views(self, theta: Array) -> dict[str, Array]:
        """Cut θ, (size,), or a stack of them, (..., size), into named views; nothing is copied."""
        lead = theta.shape[:-1]
        return {
            name: theta[..., where].reshape(lead + self.shapes[name])
            for name, where in self.slices.items()
        }

    def flatten(self, named: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Lay named arrays out as one new flat float64 vector.

        Raises ValueError where a name is missing, unknown, or has another shape.
        """
        missing = [name for name in self.shapes if name not in named]
        unknown = [name for name in named if name not in self.shapes]
        if missing or unknown:
            raise ValueError(
                f"parameters {sorted(missing)} are missing and {sorted(unknown)} are unknown; "
                f"this network has {list(self.shapes)}."
            )
        theta = np.empty(self.size)
        for name, where in self.slices.items():
            value = np.asarray(named[name], dtype=np.float64)
            if value.shape != self.shapes[name]:
                raise ValueError(
                    f"parameter '{name}' has shape {self.shapes[name]}, got {value.shape}."
                )
            theta[where] = value.reshape(-1)
        return theta

    def name_at(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Name the parameter and the entry that stand at one place of the flat vector."""
        for name, where in self.slices.items():
            if where.start <= index < where.stop:
                entry = np.unravel_index(index - where.start, self.shapes[name])
                return name, tuple(int(i) for i in entry)
        raise IndexError(f"θ has {self.size} entries, asked for entry {index}.")
