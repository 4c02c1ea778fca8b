"""A Trace: one forward and backward pass, kept so that a person can look at every number.

It shows the network as it was written, both halves of a joint pair included, and counts levels as
the note does: z¹ is the input, the last z is the cost, and its δ is 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.losses import Loss
from backpass.paths import Path, PathCounts, Paths, level_symbol
from backpass.steps import Step
from backpass.tape import Tape
from backpass.theta import Array

MOST_PATHS = 100_000  # paths that `Trace.paths` writes out; beyond it only counts make sense
MOST_LEVELS = 16  # levels that a trace's repr lists


class Levels(Sequence[Array]):
    """The arrays of every level, counted from 1 as in the note; [-1] is the cost's."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = tuple(arrays)

    def __getitem__(self, L):
        if isinstance(L, slice):
            raise TypeError("take one level at a time: trace.z[L], L = 1, 2, ...")
        if L == 0 or not -len(self) <= L <= len(self):
            raise IndexError(f"level {L}: levels are 1 (the input) to {len(self)} (the cost).")
        return self._arrays[L - 1 if L > 0 else L]

    def __len__(self) -> int:
        return len(self._arrays)

    def __iter__(self) -> Iterator[Array]:
        return iter(self._arrays)

    def __repr__(self) -> str:
        """Write shapes, not numbers: z of a batch fills screens."""
        shapes = [f"{L}: {array.shape}" for L, array in enumerate(self, start=1)]
        return f"Levels({', '.join(_ends(shapes, '...'))})"


@dataclass(frozen=True)
class Trace:
    """Every z, δ and gradient of one pass; made by `Network.trace`.

    z[L], delta[L]: (n_rows, width of level L), L = 1 for the input. z[-1] is the cost of each row,
    (n_rows, 1), and delta[-1] is 1. gradient: by parameter name, summed over rows. cost: the sum.
    notes: sentences on values that are not what the halves of a joint pair give by themselves.
    feature_names, class_names: what the user calls inputs and outputs, where known. Its repr lists
    levels and shapes.
    """

    z: Levels
    delta: Levels
    gradient: Mapping[str, Array]
    cost: float
    notes: tuple[str, ...]
    steps: tuple[Step, ...]
    loss: Loss
    params: tuple[Mapping[str, Array], ...]
    y: NDArray
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        n_rows = len(self.z[1])
        made_by = ("the input", *self.names)
        levels = [
            f"  {level_symbol(L):<4} {z.shape!s:<12} {'' if L == 1 else 'from '}{made_by[L - 1]}"
            for L, z in enumerate(self.z, start=1)
        ]
        gradient = ", ".join(f"{name} {array.shape}" for name, array in self.gradient.items())
        return "\n".join(
            [
                f"Trace of {n_rows:,} row{'' if n_rows == 1 else 's'} in {self.z[1].dtype}, "
                f"cost {self.cost:.6g}",
                *_ends(levels, "  ..."),
                f"  gradient: {gradient or 'none, there are no parameters'}",
                *(f"  note: {note}" for note in _ends(self.notes, "...")),
            ]
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What maps level L to level L + 1, for L = 1, 2, ...; the loss last."""
        layers = (repr(s.layer) if s.layer is not None else "Residual: sum" for s in self.steps)
        return (*layers, repr(self.loss))

    def jacobian(self, L: int, row: int) -> Array:
        """Return ∂z^{L+1}/∂z^L of one row, (width of level L + 1, width of level L).

        At the end of a Residual it is the derivative by the chain's value; that by the value
        which went around the chain is the identity too.
        """
        self._check_row(row)
        if not 1 <= L < len(self.z):
            raise IndexError(f"level {L}: jacobian(L) takes 1 to {len(self.z) - 1}.")
        if len(self.z) - 1 == L:
            return self._loss_jacobian(row)
        step = self.steps[L - 1]
        width = self.z[L + 1].shape[1]
        if step.layer is None:
            return np.eye(width, dtype=self.z[L].dtype)
        # Row j of the Jacobian is what δ_out = e_j sends back: one pass with a row for every j.
        z_in, z_out = (
            np.repeat(z[row : row + 1], width, axis=0) for z in (self.z[L], self.z[L + 1])
        )
        out = np.empty_like(z_in)
        step.layer.backward(self.params[L - 1], z_in, z_out, np.eye(width, dtype=z_in.dtype), out)
        return out

    def parameter_jacobian(
        self, name: str, index: tuple[int, ...] | int, row: int
    ) -> tuple[int, Array]:
        """Return (L, ∂z^L/∂θ) of one parameter entry: the level it enters, one number a unit."""
        self._check_row(row)
        step_index, own_name = self._owner(name)
        index = self._checked_index(name, index)
        step, params = self.steps[step_index], self.params[step_index]
        assert step.layer is not None  # `_owner` found its parameter
        z_in, z_out = self.z[step_index + 1][row : row + 1], self.z[step_index + 2][row : row + 1]
        derivative = np.empty(z_out.shape[1], dtype=z_out.dtype)
        grad = {
            key: np.empty(shape, dtype=z_out.dtype)
            for key, shape in step.parameter_shapes().items()
        }
        for unit, one_hot in enumerate(np.eye(len(derivative), dtype=z_out.dtype)):
            step.layer.gradient(params, z_in, z_out, one_hot[None, :], grad)
            derivative[unit] = grad[own_name][index]
        return step_index + 2, derivative

    def paths(self, name: str, index: tuple[int, ...] | int, row: int) -> Paths:
        """Write out the chain rule (p. 3 of the note) for one parameter entry and one row."""
        index = self._checked_index(name, index)
        level, first = self.parameter_jacobian(name, index, row)
        counts = self.count_paths(name)
        found = tuple(self._walk(level, first, row)) if counts.n_paths <= MOST_PATHS else ()
        return Paths(
            name=name,
            index=index,
            row=row,
            paths=found,
            n_paths=counts.n_paths,
            total=float(first @ self.delta[level][row]),
            multiplications=counts.multiplications,
            recursion_multiplications=counts.recursion_multiplications,
        )

    def count_paths(self, name: str) -> PathCounts:
        """Count the paths of one entry of a parameter, the same for all of its entries and rows."""
        level = self._owner(name)[0] + 2
        paths, arrows = self._path_counts()
        return PathCounts(
            n_paths=int(sum(paths[level])),
            # a path has a factor for each arrow, and one for the arrow out of the parameter
            multiplications=int(sum(arrows[level])),
            recursion_multiplications=self.z[level].shape[1]
            + sum(
                self.z[L].shape[1] * self.z[L + 1].shape[1]
                for L in range(level, len(self.z) - 1)
                if self.steps[L - 1].layer is not None
            ),
        )

    def to_html(
        self, path: str | os.PathLike[str], *, title: str | None = None, **options: Any
    ) -> None:
        """Write the microscope's page on this trace: one offline HTML file.

        options: row (the one to open with), rows (numbers of those to take along; None for as many
        as fit), feature_names, class_names, row_names (for those who count otherwise), training (a
        `Recorder`).
        """
        from backpass import microscope

        microscope.write(microscope.page(self, title, **options), path)

    def to_latex(self, row: int = 0, **options: Any) -> str:
        """Return the derivation with this row's numbers as a LaTeX document that compiles.

        options: feature_names, class_names.
        """
        from backpass import microscope

        return microscope.latex(self, row, **options)

    def _repr_html_(self) -> str | None:
        """Show the page in a notebook, in a frame of its own; nothing where there are no rows."""
        if not len(self.z[1]):
            return None
        from backpass import microscope

        return microscope.framed(microscope.page(self))

    def _walk(self, level: int, first: Array, row: int) -> Iterator[Path]:
        edges = {L: self._edges(L, row) for L in range(level, len(self.z))}

        def onward(L, unit, units, factors):
            units = (*units, (L, unit))
            if len(self.z) == L:
                yield Path(units, factors)
                return
            for target, jacobian in edges[L]:
                if jacobian is None:  # a sum joins like to like
                    yield from onward(target, unit, units, (*factors, 1.0))
                    continue
                for j in range(len(jacobian)):
                    yield from onward(target, j, units, (*factors, float(jacobian[j, unit])))

        for unit, factor in enumerate(first):
            yield from onward(level, unit, (), (float(factor),))

    def _edges(self, L: int, row: int) -> list[tuple[int, Array | None]]:
        """List what level L feeds, (M, ∂z^M/∂z^L): the next level and ends of Residuals.

        None stands for the identity, by which a sum at the end of a Residual takes a value.
        """
        step = self.steps[L - 1] if len(self.steps) >= L else None
        through = step is None or step.layer is not None
        edges = [(L + 1, self.jacobian(L, row) if through else None)]
        return edges + [(join + 2, None) for join in (step.also_feeds if step else ())]

    def _path_counts(self) -> tuple[dict[int, NDArray], dict[int, NDArray]]:
        """Count, from every unit of every level to the cost, the paths and all their arrows."""
        paths = {len(self.z): np.ones(1, dtype=object)}
        arrows = {len(self.z): np.zeros(1, dtype=object)}
        for L in reversed(range(1, len(self.z))):
            width = self.z[L].shape[1]
            through = len(self.steps) < L or self.steps[L - 1].layer is not None
            # A layer joins every unit to every unit of the next level; a sum joins like to like.
            onward, ahead = paths[L + 1], paths[L + 1] + arrows[L + 1]
            # Python's integers throughout: int64 ends at 9e18 paths, which 19 levels of 10 reach.
            paths[L] = np.full(width, sum(onward), dtype=object) if through else onward.copy()
            arrows[L] = np.full(width, sum(ahead), dtype=object) if through else ahead
            if len(self.steps) >= L:
                for join in self.steps[L - 1].also_feeds:
                    paths[L] = paths[L] + paths[join + 2]
                    arrows[L] = arrows[L] + paths[join + 2] + arrows[join + 2]
        return paths, arrows

    def _loss_jacobian(self, row: int) -> Array:
        z = self.z[len(self.z) - 1][row : row + 1]
        delta = np.empty_like(z)
        with np.errstate(all="ignore"):
            self.loss.delta(z, self.y[row : row + 1], delta)
        return delta

    def _owner(self, name: str) -> tuple[int, str]:
        key, _, own_name = name.rpartition(".")
        for L, step in enumerate(self.steps):
            if step.key == key and own_name in step.parameter_shapes():
                return L, own_name
        raise KeyError(f"no parameter '{name}'; there are {list(self.gradient)}.")

    def _checked_index(self, name: str, index: tuple[int, ...] | int) -> tuple[int, ...]:
        """Return an index as a tuple; IndexError where a parameter has no such entry."""
        step_index, own_name = self._owner(name)
        shape = self.steps[step_index].parameter_shapes()[own_name]
        places = tuple(index) if isinstance(index, Iterable) else (index,)
        whole = all(isinstance(place, Integral) for place in places)
        if not (
            whole
            and len(places) == len(shape)
            and all(0 <= place < size for place, size in zip(places, shape, strict=True))
        ):
            last = tuple(size - 1 for size in shape)
            raise IndexError(
                f"index {index!r}: {name} has the shape {shape}, "
                f"so its entries are {(0,) * len(shape)} to {last}."
            )
        return tuple(int(place) for place in places)

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self.z[1]):
            raise IndexError(f"row {row}: this trace has rows 0 to {len(self.z[1]) - 1}.")


def _ends(lines: Sequence[str], gap: str) -> Sequence[str]:
    """Return lines, of very many the first and the last with a gap between."""
    half = MOST_LEVELS // 2
    return lines if len(lines) <= MOST_LEVELS else [*lines[:half], gap, *lines[-half:]]


def delta_of_halves(last: Step, params: Mapping[str, Array], tape: Tape) -> Array:
    """Return what the last layer alone sends back from the δ of the loss alone."""
    half = np.empty_like(tape.z[-2])
    assert last.layer is not None  # a joint pair has a last layer
    last.layer.backward(params, tape.z[-2], tape.z[-1], tape.delta[-1], half)
    return half


def joint_notes(
    half: Array | None, joint: Array, last: Step, loss: Loss, joint_loss: Loss
) -> tuple[str, ...]:
    """Say for each value where a half of a joint pair overflows that the δ shown is the pair's."""
    if half is None:
        return ()
    return tuple(
        f"row {row}: in {last.layer!r} → {loss!r} a half overflows {joint.dtype} (δ would be "
        f"{half[row, unit]}); the δ shown, {joint[row, unit]:.6g}, is that of the joint rule, "
        f"{joint_loss!r}."
        for row, unit in zip(*np.nonzero(~np.isfinite(half)), strict=True)
    )
