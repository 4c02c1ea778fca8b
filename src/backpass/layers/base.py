"""What a layer is: three methods, the note's three equations.

Shapes, throughout: z_in and delta_in are (n_rows, width in), z_out and delta_out are
(n_rows, width out), all C-contiguous and of the network's dtype. `params` and `grad` map the
names in `shapes()` to arrays. Inputs are read only; outputs come last and are fully
overwritten (they arrive filled with rubbish). A layer is frozen and stateless.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from backpass.theta import Array

Params = Mapping[str, Array]


class Layer(ABC):
    """One map z_in -> z_out and its derivatives; subclass it to write your own layer.

    Source      Kwitt (2018), p. 4: a layer needs the derivative of its output by its input
                and, if it has parameters, of its output by its parameters. Nothing else.
    """

    def __repr__(self) -> str:
        """Name the kind; a dataclass names its fields, too."""
        return f"{type(self).__name__}()"

    @abstractmethod
    def forward(self, params: Params, z_in: Array, z_out: Array) -> None:
        """Write the map, z^{L+1} = f(z^L; θ^L), to z_out."""

    @abstractmethod
    def backward(
        self, params: Params, z_in: Array, z_out: Array, delta_out: Array, delta_in: Array
    ) -> None:
        """Write δ_i^L = ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂z_i^L to delta_in."""

    def gradient(
        self, params: Params, z_in: Array, z_out: Array, delta_out: Array, grad: Params
    ) -> None:
        """Write ∂C/∂θ^L = ∑_rows ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂θ^L to grad, if there are parameters."""
        raise NotImplementedError(f"{self!r} has parameters but no gradient method.")

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of every parameter; none unless overridden."""
        return {}

    @property
    def input_width(self) -> int | None:
        """Values per row that the layer takes; None takes any number."""
        return None

    def output_width(self, n_in: int) -> int:
        """Values per row that come out where n_in go in; the same number unless overridden."""
        return n_in

    def initial(self, rng: np.random.Generator) -> Params:
        """Starting values, by name, of parameters that the network's own rule would not suit.

        The rule draws weights (two axes or more) by their fan and sets everything else to zero; a
        layer with a scale, say, returns {"scale": np.ones(n)} here.
        """
        return {}

    # A direction through the recursion: optional, for exact Hessian products. A dot is the
    # derivative along the direction `dot_params` in θ (Pearlmutter 1994, the R-operator).

    def tangent(
        self,
        params: Params, dot_params: Params,
        z_in: Array, z_out: Array, dot_z_in: Array,
        dot_z_out: Array,
    ) -> None:  # fmt: skip
        """Write the directional derivative of `forward` to dot_z_out."""
        raise NotImplementedError(no_tangent(self))

    def backward_tangent(
        self,
        params: Params, dot_params: Params,
        z_in: Array, z_out: Array, dot_z_in: Array, dot_z_out: Array,
        delta_out: Array, dot_delta_out: Array,
        dot_delta_in: Array,
    ) -> None:  # fmt: skip
        """Write the directional derivative of `backward` to dot_delta_in."""
        raise NotImplementedError(no_tangent(self))

    def gradient_tangent(
        self,
        params: Params, dot_params: Params,
        z_in: Array, z_out: Array, dot_z_in: Array, dot_z_out: Array,
        delta_out: Array, dot_delta_out: Array,
        dot_grad: Params,
    ) -> None:  # fmt: skip
        """Write the directional derivative of `gradient` to dot_grad."""
        raise NotImplementedError(no_tangent(self))

    def gradient_per_row(
        self, params: Params, z_in: Array, z_out: Array, delta_out: Array, grad: Params
    ) -> None:
        """Write each row's own ∂loss/∂θ^L; grad arrays have a leading axis of n_rows.

        This default asks `gradient` for one row at a time, so every layer has it.
        """
        for row in range(len(z_in)):
            one = slice(row, row + 1)
            views = {name: array[row] for name, array in grad.items()}
            self.gradient(params, z_in[one], z_out[one], delta_out[one], views)


def no_tangent(layer: Layer) -> str:
    """Say why a Hessian product cannot pass through this layer, and what to do."""
    return (
        f"{layer!r} has no tangent, so a Hessian product cannot pass through it; give it "
        "tangent, backward_tangent and, with parameters, gradient_tangent (Elementwise: d2f)."
    )
