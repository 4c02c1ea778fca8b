"""A chain of layers with a way around it."""

from __future__ import annotations

from backpass.layers.base import Layer


class Residual:
    """Residual chain: z_out = z_in + chain(z_in), the chain being the layers given.

    Shapes      z_in and z_out have one width: the chain must end as wide as it starts
    Derivative  z_in has two successors, so the recursion sums both:
                δ_in = δ_out + δ that the chain carries back from δ_out
    Source      He et al. (2016); the sum over successors is Kwitt (2018), δ recursion, p. 4.

    This is structure, not mathematics, hence not a Layer: `Network` unrolls it into the chain's
    layers and one sum, and the parameters are named as in nested torch.nn.Sequential
    containers, "1.0.weight" for the first layer of a Residual that stands at place 1.
    """

    __slots__ = ("layers",)
    layers: tuple[Layer | Residual, ...]

    def __init__(self, *layers: Layer | Residual) -> None:
        if not layers:
            raise ValueError("Residual() needs at least one layer; x + x is not what is meant.")
        object.__setattr__(self, "layers", layers)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Residual is immutable; build another one.")

    def __repr__(self) -> str:
        return f"Residual({', '.join(map(repr, self.layers))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Residual) and self.layers == other.layers

    def __hash__(self) -> int:
        return hash((Residual, self.layers))

    def __reduce__(self):
        return (Residual, self.layers)
