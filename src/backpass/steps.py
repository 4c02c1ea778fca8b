"""A network unrolled: one step per layer, and one sum per Residual.

Unrolling turns structure into a list that the two loops of `network.py` can run. Step L
(counted from 0) maps level z[L] to z[L+1]; neighbours are checked here, when the network is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backpass.layers import Layer, Residual


@dataclass(frozen=True)
class Step:
    """One arrow of the unrolled network, from z[L] to z[L+1].

    layer: None at the end of a Residual, where z[L+1] = z[L] + z[skip].
    key: the place in the network, as in torch.nn.Sequential: "0", or "1.0" inside a Residual.
    also_feeds: steps, further on, that add this step's input z[L]; its δ sums over them too.
    """

    layer: Layer | None
    key: str
    skip: int = -1
    also_feeds: tuple[int, ...] = ()

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of the layer's own parameters; none at the end of a Residual."""
        return {} if self.layer is None else self.layer.shapes()

    def __str__(self) -> str:
        # Layers are counted from 1 in messages, as z is in the note: layer L maps z^L to z^{L+1}.
        number = ".".join(str(int(part) + 1) for part in self.key.split("."))
        return (
            f"layer {number}, {self.layer!r}"
            if self.layer is not None
            else f"layer {number}, Residual"
        )


def unroll(layers: Sequence[Layer | Residual]) -> tuple[Step, ...]:
    """Unroll layers; TypeError for what is no layer, ValueError where neighbours do not fit."""
    if not layers:
        raise ValueError("a network needs at least one layer.")
    steps: list[Step] = []
    _walk(layers, "", steps)
    for join, step in enumerate(steps):
        if step.layer is None:
            start = steps[step.skip]
            steps[step.skip] = replace(start, also_feeds=(*start.also_feeds, join))
    widths(steps, None)
    return tuple(steps)


def _walk(layers: Sequence[Layer | Residual], prefix: str, steps: list[Step]) -> None:
    for place, layer in enumerate(layers):
        key = f"{prefix}{place}"
        if isinstance(layer, Residual):
            start = len(steps)
            _walk(layer.layers, key + ".", steps)
            steps.append(Step(None, key, skip=start))
        elif isinstance(layer, Layer):
            steps.append(Step(layer, key))
        else:
            raise TypeError(
                f"place {key} of the network holds {layer!r}, which is not a layer; "
                "layers are objects such as bp.ReLU(), with the parentheses."
            )


def known_widths(steps: Sequence[Step], n_in: int) -> tuple[int, ...]:
    """List the values per row of every level where n_in go in; ValueError where they do not fit."""
    return tuple(int(width) for width in widths(steps, n_in) if width is not None)


def widths(steps: Sequence[Step], n_in: int | None) -> tuple[int | None, ...]:
    """List the values per row of every level where n_in go in (None: not known yet).

    Raises ValueError naming both neighbours where one gives another width than the next takes.
    """
    levels: list[int | None] = [n_in]
    giver: Step | None = None  # None: X itself
    for step in steps:
        width = levels[-1]
        if step.layer is None:
            around = levels[step.skip]
            if None not in (width, around) and width != around:
                raise ValueError(
                    f"{step}: its chain takes {around} values per row and gives {width}; "
                    "the two are added, so make them equal."
                )
            levels.append(width if width is not None else around)
            continue
        takes = step.layer.input_width
        if takes is not None and width is not None and takes != width:
            given = "X has" if giver is None else f"{giver}, gives"
            raise ValueError(
                f"{step}, takes {takes} values per row but {given} {width}; make them equal."
            )
        width = takes if takes is not None else width
        levels[-1] = width
        levels.append(None if width is None else step.layer.output_width(width))
        giver = step
    return tuple(levels)
