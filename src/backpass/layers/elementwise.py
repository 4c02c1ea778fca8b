"""An activation that a user states as scalar functions; it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType

from backpass.layers.base import Layer, no_tangent


@dataclass(frozen=True)
class Elementwise(Layer):
    """A user's activation: z_out = f(z_in), element by element.

    f(x) is the map, df(x, z) its derivative at x where z = f(x) is at hand (tanh is 1 - z * z),
    d2f(x, z) the second derivative, needed for Hessian products only. Each takes and returns
    one number; Numba compiles them, `math` functions included.

    Shapes      z_in, z_out, delta_in, delta_out: (n_rows, width)
    Derivative  ∂z_out/∂z_in = df(z_in, z_out), hence δ_in = δ_out · df(z_in, z_out)
    Source      Kwitt (2018), p. 4: "we essentially only need the derivative of the output of a
                layer w.r.t. its inputs"; the user gives it.
    """

    f: Callable[[float], float]
    df: Callable[[float, float], float]
    d2f: Callable[[float, float], float] | None = None

    def forward(self, params, z_in, z_out):
        compiled_map(self.f)(z_in.reshape(-1), z_out.reshape(-1))

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        flat = (array.reshape(-1) for array in (z_in, z_out, delta_out, delta_in))
        compiled_product(self.df)(*flat)

    def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
        if self.d2f is None:
            raise NotImplementedError(no_tangent(self))
        flat = (array.reshape(-1) for array in (z_in, z_out, dot_z_in, dot_z_out))
        compiled_product(self.df)(*flat)

    def backward_tangent(
        self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out,
        delta_out, dot_delta_out, dot_delta_in,
    ):  # fmt: skip
        if self.d2f is None:
            raise NotImplementedError(no_tangent(self))
        flat = (array.reshape(-1) for array in (z_in, z_out, dot_delta_out, dot_delta_in))
        compiled_product(self.df)(*flat)
        bend = (delta_out * dot_z_in).reshape(-1)
        compiled_product(self.d2f)(z_in.reshape(-1), z_out.reshape(-1), bend, bend)
        dot_delta_in += bend.reshape(delta_out.shape)


@lru_cache(maxsize=256)
def compiled_map(f):
    """Compile z_out[i] = f(z_in[i]) over flat arrays."""
    scalar = _compiled(f)

    def apply(z_in, z_out):
        for i in range(z_in.size):
            z_out[i] = scalar(z_in[i])

    return _loop(apply, f)


@lru_cache(maxsize=256)
def compiled_product(df):
    """Compile out[i] = factor[i] · df(z_in[i], z_out[i]) over flat arrays; out may be factor."""
    scalar = _compiled(df)

    def apply(z_in, z_out, factor, out):
        for i in range(z_in.size):
            out[i] = factor[i] * scalar(z_in[i], z_out[i])

    return _loop(apply, df)


def _compiled(function):
    """Return what compiled code can call: a plain function compiled, others (math.tanh) as such."""
    from numba import njit

    return njit(function) if isinstance(function, FunctionType) else function


def _loop(apply, function):
    """Compile a loop that calls `function`; TypeError where Numba cannot."""
    from numba import njit
    from numba.core.errors import NumbaError

    compiled = njit(apply, nogil=True, error_model="numpy")

    def run(*arrays):
        try:
            compiled(*arrays)
        except NumbaError as error:
            name = getattr(function, "__name__", repr(function))
            raise TypeError(
                f"Elementwise: Numba cannot compile {name}, a function of numbers to a number. Use "
                "arithmetic and `math` functions in it, or subclass bp.Layer and use NumPy. Numba "
                f"says: {' '.join(str(error).split()[:40])} ..."
            ) from error

    return run
