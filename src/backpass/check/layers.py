"""check_layer: a layer's derivatives against differences of its forward map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from backpass.check.contract import or_nan, written, written_by_name
from backpass.check.differences import Estimate, derivative
from backpass.check.verdict import (
    KINKED,
    SMOOTH,
    DerivativeError,
    judge,
    judge_entries,
    no_derivative,
    parameter,
    parameter_by_row,
    refuse_difference,
    unit,
)
from backpass.layers import Layer, Residual
from backpass.theta import Array

ATTEMPTS = 6  # points tried where kinks are in the way

Params = Mapping[str, Array]


def check_layer(layer: Layer, n_in: int, seed: int = 0) -> None:
    """Test a layer's derivatives against its forward map, on drawn rows of n_in values.

    Covers `backward`, `gradient`, `gradient_per_row` and, where the layer has them, the tangents;
    also that outputs are overwritten, inputs kept, rows mapped one by one, float32 understood.
    Where forward has a kink (ReLU at 0), any slope between the two one-sided ones is right there,
    and the test moves aside. Raises DerivativeError naming layer, method, parameter and entry,
    with the number given and the number that differences give.
    """
    if isinstance(layer, Residual):
        raise TypeError(
            "a Residual is structure, not a layer: test the network with check_network."
        )
    if not isinstance(layer, Layer):
        raise TypeError(f"check_layer takes a layer such as bp.ReLU(), got {layer!r}.")
    if layer.input_width not in (None, n_in):
        raise ValueError(f"{layer!r} takes {layer.input_width} values per row; n_in is {n_in}.")
    rng = np.random.default_rng(seed)
    params = drawn_parameters(layer, rng)
    z_in = drawn_rows(layer, params, n_in, rng)
    check_blocks(layer, params, z_in)
    check_near(layer, repr(layer), params, z_in, rng)
    # Zeros, ties and far tails: there the conventions are, and there is no moving aside.
    rows = np.stack([np.zeros(n_in), np.ones(n_in), np.full(n_in, -30.0), 30.0 * z_in[0]])
    special = Point(layer, repr(layer), params, rows)
    if special.inside_domain():
        special.check(rng)


def check_near(
    layer: Layer, label: str, params: Params, z_in: Array, rng: np.random.Generator
) -> bool:
    """Test a layer at z_in, and beside it where kinks are in the way; tell whether none were."""
    for attempt in range(ATTEMPTS):
        sight = Point(layer, label, params, z_in).check(rng)
        if sight == SMOOTH:
            return attempt == 0
        params = {name: moved_aside(value, rng) for name, value in params.items()}
        z_in = moved_aside(z_in, rng)
        if not Point(layer, label, params, z_in).inside_domain():
            return False
    if sight == KINKED:
        raise no_derivative(f"{label}: forward", ATTEMPTS)
    return False


@dataclass(frozen=True)
class Point:
    """A layer at one place: its parameters and some rows. label: how reports call the layer."""

    layer: Layer
    label: str
    params: Params
    z_in: Array

    def check(self, rng: np.random.Generator) -> int:
        """Test every method here; return how well the derivatives could be seen."""
        start = {"params": self.params, "z_in": self.z_in}
        z_out = written(self.label, self.layer.forward, start, self.shape_out(self.z_in))
        delta_out = rng.normal(size=z_out.shape)
        here = {**start, "z_out": z_out, "delta_out": delta_out}
        self.forward(self.z_in[::-1] + 1.0)  # what it remembers of this must not matter
        delta_in = written(self.label, self.layer.backward, here, self.z_in.shape)
        self.refuse_memory(delta_out, delta_in)
        sight = self.check_backward(z_out, delta_out, delta_in)
        grad: Params = {}
        if self.params:
            grad = written_by_name(self.label, self.layer.gradient, here, self.shapes())
            sight = max(sight, self.check_gradient(z_out, delta_out, grad, rng))
            self.check_gradient_per_row(z_out, delta_out)
        return max(sight, self.check_tangents(z_out, delta_out, delta_in, grad, rng))

    def check_backward(self, z_out: Array, delta_out: Array, delta_in: Array) -> int:
        """Compare δ_in with differences of ⟨δ_out, forward⟩: unit by unit, all rows at once."""
        largest = np.abs(delta_out) * np.maximum(np.abs(z_out), 1.0)

        def seen(column: int) -> Estimate:
            scales = scales_of(self.z_in[:, column : column + 1])
            step = np.zeros_like(self.z_in)
            step[:, column : column + 1] = scales

            def change(t: float) -> Array:
                # Less z_out: so outputs that do not depend on this unit add no rounding.
                return delta_out * (self.forward(self.z_in + t * step) - z_out)

            touched = (change(0.25) != 0.0) | (change(-0.25) != 0.0)
            touched |= ~touched.any(axis=1, keepdims=True)  # flat here: any output may hide it
            size = np.max(np.where(touched, largest, 0.0), axis=1, keepdims=True)
            return derivative(lambda t: change(t).sum(axis=1, keepdims=True), size=size).per(scales)

        return max(
            judge(unit(f"{self.label}.backward, δ_in", i), delta_in[:, i : i + 1], seen(i))
            for i in range(self.z_in.shape[1])
        )

    def check_gradient(
        self, z_out: Array, delta_out: Array, grad: Params, rng: np.random.Generator
    ) -> int:
        """Compare every parameter's gradient with differences of ⟨δ_out, forward⟩."""
        size = float(np.abs(delta_out * z_out).sum())

        def seen(name: str, direction: Array) -> Estimate:
            value = self.params[name]

            def f(t: float) -> Array:
                moved = {**self.params, name: value + t * direction}
                return (delta_out * self.forward(self.z_in, moved)).sum()

            scale = float(np.max(scales_of(value * direction)))
            return derivative(f, scale, size)

        sight = SMOOTH
        for name in self.params:
            where = parameter(f"{self.label}.gradient", name)
            sight = max(sight, judge_entries(where, grad[name], partial(seen, name), rng))
        return sight

    def check_gradient_per_row(self, z_out: Array, delta_out: Array) -> None:
        """Compare each row's own gradient with `gradient` of a block of that row."""
        here = {"params": self.params, "z_in": self.z_in, "z_out": z_out, "delta_out": delta_out}
        shapes = {name: (len(z_out), *shape) for name, shape in self.shapes().items()}
        rows = written_by_name(self.label, self.layer.gradient_per_row, here, shapes)
        alone = {name: np.empty(shape) for name, shape in shapes.items()}
        for row in range(len(z_out)):
            one = slice(row, row + 1)
            own = {name: array[row] for name, array in alone.items()}
            self.layer.gradient(self.params, self.z_in[one], z_out[one], delta_out[one], own)
        for name, value in alone.items():
            where = parameter_by_row(f"{self.label}.gradient_per_row", name)
            refuse_difference(where, rows[name], value, "gradient of that row alone")

    def check_tangents(
        self,
        z_out: Array,
        delta_out: Array,
        delta_in: Array,
        grad: Params,
        rng: np.random.Generator,
    ) -> int:
        """Test what Hessian products need against the plain methods; skip what is not there."""
        label, layer = self.label, self.layer
        dot_params = {name: rng.normal(size=value.shape) for name, value in self.params.items()}
        dot_z, dot_delta = rng.normal(size=self.z_in.shape), rng.normal(size=z_out.shape)

        def moved(t: float) -> tuple[Params, Array, Array, Array]:
            params = {name: value + t * dot_params[name] for name, value in self.params.items()}
            z_in = self.z_in + t * dot_z
            return params, z_in, self.forward(z_in, params), delta_out + t * dot_delta

        # Inside a layer numbers of the size of 1 may cancel, as in tanh' = (1 - z)(1 + z).
        size = float(np.max(np.abs(delta_out), initial=1.0))
        here = {"params": self.params, "dot_params": dot_params, "z_in": self.z_in}
        here |= {"z_out": z_out, "dot_z_in": dot_z}
        sight = SMOOTH
        try:
            dot_z_out = written(label, layer.tangent, here, z_out.shape)
            seen = derivative(lambda t: moved(t)[2], size=1.0)
            sight = judge(unit(f"{label}.tangent"), dot_z_out, seen)
            forth = delta_out * dot_z_out
            back = [delta_in * dot_z, *(grad[name] * dot_params[name] for name in grad)]
            refuse_no_adjoint(label, forth, back)
            here |= {"dot_z_out": dot_z_out, "delta_out": delta_out, "dot_delta_out": dot_delta}
            given = written(label, layer.backward_tangent, here, self.z_in.shape)
            seen = derivative(
                lambda t: or_nan(layer.backward, moved(t), np.empty_like(dot_z)), size=size
            )
            sight = max(sight, judge(unit(f"{label}.backward_tangent"), given, seen))
            if not self.params:
                return sight
            dot_grad = written_by_name(label, layer.gradient_tangent, here, self.shapes())
        except NotImplementedError:
            return sight  # Hessian products will say so; everything else works

        def gradient_of(name: str) -> Estimate:
            return derivative(
                lambda t: or_nan(layer.gradient, moved(t), like(grad))[name], size=size
            )

        for name, value in dot_grad.items():
            where = parameter(f"{label}.gradient_tangent", name)
            sight = max(sight, judge(where, value, gradient_of(name)))
        return sight

    def refuse_memory(self, delta_out: Array, delta_in: Array) -> None:
        """Raise where `backward` gives something else once `forward` has seen these very rows."""
        again, z_out = np.empty_like(delta_in), self.forward(self.z_in)
        self.layer.backward(self.params, self.z_in, z_out, delta_out, again)
        if not np.array_equal(delta_in, again):
            raise DerivativeError(
                f"{self.label}.backward depends on what forward saw last; a layer keeps nothing "
                "between calls, so compute from z_in and z_out."
            )

    def inside_domain(self) -> bool:
        """Tell whether forward and backward are finite here."""
        z_out = self.forward(self.z_in)
        here = (self.params, self.z_in, z_out, np.ones_like(z_out))
        delta_in = or_nan(self.layer.backward, here, np.empty_like(self.z_in))
        return bool(np.isfinite(z_out).all() and np.isfinite(delta_in).all())

    def forward(self, z_in: Array, params: Params | None = None) -> Array:
        """Return z_out, nan where z_in has left the domain."""
        # A copy: whether the layer leaves its input alone is for `written` to find out.
        given = (self.params if params is None else params, z_in.copy())
        return or_nan(self.layer.forward, given, np.empty(self.shape_out(z_in)))

    def shape_out(self, z_in: Array) -> tuple[int, int]:
        return len(z_in), int(self.layer.output_width(z_in.shape[1]))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: value.shape for name, value in self.params.items()}


def refuse_no_adjoint(label: str, forth: Array, back: Sequence[Array]) -> None:
    """Hold ⟨δ, J v⟩ = ⟨Jᵀδ, v⟩, given the terms of both sums: no difference quotient needed."""
    size = np.abs(forth).sum() + sum(np.abs(terms).sum() for terms in back)
    there, and_back = forth.sum(), sum(terms.sum() for terms in back)
    if not abs(there - and_back) <= 1e-9 * size:
        raise DerivativeError(
            f"{label}: tangent and backward disagree, ⟨δ, J v⟩ = {there:.10g} "
            f"but ⟨Jᵀδ, v⟩ = {and_back:.10g}."
        )


def check_blocks(layer: Layer, params: Params, z_in: Array) -> None:
    """Hold a layer to rows one by one, to blocks without rows, and to float32."""
    label, point = repr(layer), Point(layer, repr(layer), params, z_in)
    given = {"params": params, "z_in": z_in}
    z_out = written(label, layer.forward, given, point.shape_out(z_in))
    refuse_difference(
        unit(f"{label}.forward"),
        z_out,
        np.concatenate([point.forward(z_in[row : row + 1]) for row in range(len(z_in))]),
        "forward of that row alone",
        "A batch is cut into slices, so a row may not depend on the others.",
    )
    written(label, layer.forward, {"params": params, "z_in": z_in[:0]}, (0, z_out.shape[1]))
    single = {name: value.astype(np.float32) for name, value in params.items()}
    given = {"params": single, "z_in": z_in.astype(np.float32)}
    narrow = written(f"in float32, {label}", layer.forward, given, z_out.shape, "float32")
    where = unit(f"{label}.forward in float32")
    expected = z_out.astype(np.float32).astype(np.float64)  # what underflows may be 0
    refuse_difference(where, narrow.astype(np.float64), expected, "forward in float64", within=1e-3)


def drawn_parameters(layer: Layer, rng: np.random.Generator) -> Params:
    """Draw parameters: near the layer's own starting values where it has some, else normal."""
    own, params = layer.initial(rng), {}
    for name, shape in layer.shapes().items():
        if name in own:
            # Not at a scale's 1 or an offset's 0 itself: a factor that is forgotten would not show.
            start = np.array(own[name], dtype=np.float64)
            spread = np.where(start == 0.0, 0.3, 0.3 * np.abs(start))
            params[name] = start + spread * rng.uniform(-1.0, 1.0, shape)
        else:
            params[name] = rng.normal(size=shape) / np.sqrt(max(1, *shape[1:]) if shape[1:] else 1)
    return params


def drawn_rows(layer: Layer, params: Params, n_in: int, rng: np.random.Generator) -> Array:
    """Draw rows that forward can take: any numbers, else positive ones, else probabilities."""
    normal = rng.normal(size=(5, n_in))
    for rows in (normal, np.abs(normal) + 0.1, rng.uniform(0.1, 0.9, (5, n_in))):
        if Point(layer, "", params, rows).inside_domain():
            return rows
    return normal


def moved_aside(values: Array, rng: np.random.Generator) -> Array:
    """Move every number by about a thousandth, away from the kink that it may stand on."""
    step = rng.uniform(0.5, 1.5, values.shape) * rng.choice([-1.0, 1.0], size=values.shape)
    return values + 1e-3 * scales_of(values) * step


def scales_of(values: Array) -> Array:
    """Size first steps: as large as each number, 1 at least."""
    return np.maximum(np.abs(values), 1.0)


def like(params: Params) -> dict[str, Array]:
    return {name: np.empty(value.shape) for name, value in params.items()}
