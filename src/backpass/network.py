"""The network: layers and a loss in a row, tied together by the δ recursion, and nothing else.

`forward_pass` and `backward_pass` are the two loops of the whole project. Everything a network
offers (cost, gradient, per-row gradients, Hessian products, traces) is one run of them over a Tape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from backpass.batch import Batch, checked_batch, checked_rows, checked_theta
from backpass.diagnosis import refuse_nonfinite
from backpass.dual import DualLoss, dual_steps
from backpass.fusion import Plan, lower
from backpass.init import initial_theta
from backpass.layers import Layer, Linear, Residual
from backpass.losses import Loss
from backpass.pairs import joint_rule, refuse_wrong_pair
from backpass.slices import each_slice, sum_slices
from backpass.steps import Step, known_widths, unroll, widths
from backpass.tape import Tape
from backpass.theta import Array, Layout
from backpass.trace import Levels, Trace, delta_of_halves, joint_notes

Params = Sequence[Mapping[str, Any]]  # of every step: parameter name -> array


def forward_pass(steps: Sequence[Step], params: Params, z: list[Array]) -> None:
    """Fill z[1], z[2], ... from z[0]: each layer's map in turn."""
    for L, step in enumerate(steps):
        if (
            step.layer is None
        ):  # the end of a Residual: the chain's z plus the z that went around it
            np.add(z[L], z[step.skip], out=z[L + 1])
        else:
            step.layer.forward(params[L], z[L], z[L + 1])


def backward_pass(
    steps: Sequence[Step],
    params: Params,
    z: list[Array],
    delta: list[Array],
    grads: Params,
    lowest: int,
    gradient: str = "gradient",
) -> None:
    """Fill delta[L] for L >= lowest, and grads, from the last delta.

    δ_i^L = ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂z_i^L  and  ∂C/∂θ^L = ∑_j δ_j^{L+1} ∂z_j^{L+1}/∂θ^L
    (Kwitt 2018, p. 4): each layer multiplies by its own derivative, and each δ is computed once.
    """
    for L in reversed(range(len(steps))):
        layer = steps[L].layer
        if grads[L]:
            getattr(layer, gradient)(params[L], z[L], z[L + 1], delta[L + 1], grads[L])
        if lowest > L:
            continue
        if layer is None:  # the end of a Residual: the derivative of a sum is 1
            delta[L][...] = delta[L + 1]
        else:
            layer.backward(params[L], z[L], z[L + 1], delta[L + 1], delta[L])
        for M in steps[L].also_feeds:  # z^L has further successors: δ sums over all of them
            delta[L] += delta[M + 1]


class Network:
    """Layers in a row, ended by a loss: the cost C(θ) of data, and its derivatives.

    Parameters
    ----------
    layers : Layer or Residual objects, first to last.
    loss : what ends them, such as NLLLoss().
    dtype : "float64" or "float32", the type of z and δ; θ, costs and sums of gradients are float64.
    fused : False turns compiled kernels off; results are the same up to rounding.

    A network is immutable and holds no parameters and no buffers: θ is passed to every method as
    one flat vector, and any number of threads may use one network at once. Layers that do not
    fit each other, and wrong pairs of last layer and loss, raise ValueError here.

    Methods raise ValueError where X, y, θ or weights do not fit or are not finite (naming row and
    column), and FloatingPointError naming the layer that made the first inf or nan of a pass.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Residual],
        loss: Loss,
        dtype: DTypeLike = "float64",
        fused: bool = True,
    ) -> None:
        if not isinstance(loss, Loss):
            raise TypeError(f"loss must be a loss such as bp.NLLLoss(), got {loss!r}.")
        kind = np.dtype(dtype)
        if kind not in (np.float64, np.float32):
            raise ValueError(f"dtype must be 'float64' or 'float32', got '{kind}'.")
        steps = unroll(layers)
        last = steps[-1].layer
        if last is not None:
            refuse_wrong_pair(last, loss)
        joint = joint_rule(last, loss) if last is not None else None
        shapes = {
            f"{step.key}.{name}": shape
            for step in steps
            for name, shape in step.parameter_shapes().items()
        }
        with_parameters = [L for L, step in enumerate(steps) if step.parameter_shapes()]
        self.__dict__.update(
            layers=tuple(layers),
            loss=loss,
            dtype=kind,
            fused=bool(fused),
            steps=steps,
            layout=Layout(shapes),
            evaluated_steps=steps if joint is None else steps[:-1],
            evaluated_loss=loss if joint is None else joint,
            lowest_delta=with_parameters[0] + 1 if with_parameters else len(steps),
            _levels=widths(steps, None),
        )
        self.__dict__["plan"] = (
            lower(self.evaluated_steps, self.evaluated_loss, self.layout, self.lowest_delta)
            if fused
            else None
        )

    layers: tuple[Layer | Residual, ...]
    loss: Loss
    dtype: np.dtype
    fused: bool
    steps: tuple[Step, ...]  # the layers unrolled, as they were written
    layout: Layout
    # What passes evaluate: a joint rule, if there is one, in place of the last layer and the loss.
    evaluated_steps: tuple[Step, ...]
    evaluated_loss: Loss
    lowest_delta: int  # δ at and below the first layer with parameters multiplies nothing
    plan: Plan | None
    _levels: tuple[int, ...]  # values per row of every level, where the layers fix them

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Network is immutable; build another one.")

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        return f"Network([{layers}], loss={self.loss!r}, dtype='{self.dtype}')"

    @property
    def n_parameters(self) -> int:
        """Count the entries of θ."""
        return self.layout.size

    def init(self, seed: int = 0) -> NDArray[np.float64]:
        """Return a starting θ, (n_parameters,): He before rectifiers, else Glorot; biases 0."""
        return initial_theta(self.steps, self.layout, seed)

    def parameters(self, theta: ArrayLike) -> dict[str, Array]:
        """Return θ as views by name, {"0.weight": (n_out, n_in), ...}, as torch.nn.Sequential."""
        return self.layout.views(checked_theta(theta, self.n_parameters))

    def flatten(self, named: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Return named arrays as one new flat θ: the way back from `parameters`."""
        return self.layout.flatten(named)

    def forward(self, theta: ArrayLike, X: ArrayLike) -> Array:
        """Return z^L that enter the loss, (n_rows, n_out), of the network's dtype."""
        vector, batch, levels = self._checked(theta, X)
        out = np.empty((len(batch.X), levels[-1]), self.dtype)
        params = self._by_step(self._cast(vector))

        def part(tape: Tape, cut: Batch, start: int) -> None:
            forward_pass(self.steps, params, tape.z)
            self._refuse_nonfinite(self.steps, vector, tape, start, tape.squares(), loss=False)
            out[start : start + tape.n_rows] = tape.z[-1]

        for _ in each_slice(self, batch, levels, self.dtype, part):
            pass
        return out

    def cost(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return C(θ) = ∑_rows weight · loss = -log l(θ): a sum; PyTorch's default is the mean."""
        return float(self._evaluate(theta, X, y, sample_weight, None, False)[0])

    def cost_and_gradient(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        constants: Mapping[int, Mapping[str, Array]] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """Return C(θ) and ∂C/∂θ, flat like θ; SciPy's minimize(..., jac=True) takes them as such.

        constants: what a trainer gives to steps, by row: {step: {"mask": (n_rows, width)}}.
        """
        cost, gradient = self._evaluate(theta, X, y, sample_weight, constants, True)
        return float(cost), gradient

    def gradients_per_row(self, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
        """Return each row's own ∂loss/∂θ, (n_rows, n_parameters); they sum to the gradient."""
        vector, batch, levels = self._checked(theta, X, y)
        out = np.empty((len(batch.X), self.n_parameters), self.dtype)
        params = self._by_step(self._cast(vector))

        def part(tape: Tape, cut: Batch, start: int) -> None:
            rows = out[start : start + tape.n_rows]
            self._pass(tape, cut, params, self._by_step(rows), "gradient_per_row")
            self._refuse_nonfinite(self.evaluated_steps, vector, tape, start, tape.squares(), rows)

        for _ in each_slice(self, batch, self._evaluated(levels), self.dtype, part):
            pass
        return out

    def hessian_vector_product(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        v: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Return H·v, H = ∂²C/∂θ², exactly: the recursion carries (δ, δ̇), see `dual.py`.

        Raises NotImplementedError naming a layer that has no tangent.
        """
        vector, batch, levels = self._checked(theta, X, y, sample_weight)
        pair = np.stack([vector, checked_theta(v, self.n_parameters)])
        pair = self._cast(pair)
        params = self._by_step(pair)

        def part(tape: Tape, cut: Batch, start: int) -> tuple[NDArray]:
            grad = np.empty_like(pair)
            self._pass(tape, cut, params, self._by_step(grad), dual=True)
            squares = tape.squares() + float(np.vdot(grad, grad))
            self._refuse_nonfinite(self.evaluated_steps, vector, tape, start, squares, grad)
            return (grad[1],)

        return sum_slices(self, batch, self._evaluated(levels), self.dtype, part, lanes=2)[0]

    def trace(self, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Trace:
        """Run one forward and backward pass and keep every z, δ and gradient; see `Trace`.

        All rows stand on one tape, so memory is rows times the widths of all levels.
        """
        vector, batch, levels = self._checked(theta, X, y)
        cut = batch.cut(0, len(batch.X), self.dtype)
        tape = Tape(levels, len(cut.X), self.dtype, input_delta=True)
        tape.allocate_delta()
        tape.z[0] = cut.X
        params = self._by_step(vector.astype(self.dtype))
        grad = np.empty(self.n_parameters, self.dtype)
        end = len(self.evaluated_steps)
        with np.errstate(all="ignore"):
            forward_pass(self.steps, params, tape.z)
            self.evaluated_loss.value(tape.z[end], cut.y, tape.loss)
            self.loss.delta(tape.z[-1], cut.y, tape.delta[-1])
            half = (
                delta_of_halves(self.steps[-1], params[-1], tape) if end < len(levels) - 1 else None
            )
            self.evaluated_loss.delta(tape.z[end], cut.y, tape.delta[end])
            backward_pass(
                self.evaluated_steps, params, tape.z, tape.delta, self._by_step(grad), lowest=0
            )
            refuse_nonfinite(
                self.evaluated_steps, self.evaluated_loss, self.layout, vector, tape, 0, grad
            )
        return Trace(
            z=Levels([*tape.z, tape.loss[:, None]]),
            delta=Levels([*tape.delta, np.ones((len(cut.X), 1), self.dtype)]),
            gradient=self.layout.views(grad.astype(np.float64)),
            cost=_weighted_sum(tape.loss, None),
            notes=joint_notes(
                half, tape.delta[end], self.steps[-1], self.loss, self.evaluated_loss
            ),
            steps=self.steps,
            loss=self.loss,
            params=tuple(params),
            y=cut.y,
        )

    def _evaluate(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        constants: Mapping[int, Mapping[str, Array]] | None,
        with_gradient: bool,
    ) -> tuple[NDArray[np.float64], ...]:
        """Sum (cost, gradient) over the slices of a batch; the gradient is empty unless asked."""
        plan = self.plan if constants is None else None
        vector, batch, levels = self._checked(theta, X, y, sample_weight, values=plan is None)
        size = self.n_parameters if with_gradient else 0
        cast = self._cast(vector)
        params = self._by_step(cast) if plan is None else []

        def part(tape: Tape, cut: Batch, start: int) -> tuple[NDArray, ...]:
            grad = np.empty(size, self.dtype)
            if plan is not None:
                cost, squares, meaningful = plan.run(cast, cut, tape, grad)
                if not meaningful:  # all rows are looked at, so that the first one is named
                    self.loss.refuse_targets(batch.y, levels[-1])
            else:
                given = _with_constants(params, constants, slice(start, start + tape.n_rows))
                self._pass(tape, cut, given, self._by_step(grad) if with_gradient else None)
                cost = _weighted_sum(tape.loss, cut.weight)
                squares = tape.squares() + float(grad.dot(grad))
            seen = grad if with_gradient else None
            self._refuse_nonfinite(self.evaluated_steps, vector, tape, start, squares + cost, seen)
            return np.array(cost), grad

        return sum_slices(self, batch, self._evaluated(levels), self.dtype, part)

    def _pass(
        self,
        tape: Tape,
        cut: Batch,
        params: Params,
        grads: Params | None,
        gradient: str = "gradient",
        dual: bool = False,
    ) -> None:
        """Run the two loops on a tape whose z[0] is set; only the first where grads is None."""
        steps, loss = self.evaluated_steps, self.evaluated_loss
        if dual:
            steps, loss = dual_steps(steps), DualLoss(loss)
        forward_pass(steps, params, tape.z)
        loss.value(tape.z[-1], cut.y, tape.loss)
        if grads is None:
            return
        tape.allocate_delta()
        loss.delta(tape.z[-1], cut.y, tape.delta[-1])
        if cut.weight is not None:
            tape.delta[-1] *= cut.weight.astype(self.dtype, copy=False)[:, None]
        backward_pass(steps, params, tape.z, tape.delta, grads, self.lowest_delta, gradient)

    def _checked(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        values: bool = True,
    ) -> tuple[NDArray[np.float64], Batch, tuple[int, ...]]:
        """Return θ, the rows with targets, and every level's width; ValueError if they clash."""
        vector, rows = checked_theta(theta, self.n_parameters), checked_rows(X)
        levels = self._levels
        if rows.shape[1] != levels[0]:  # another width than the layers fix, or they fix none
            levels = known_widths(self.steps, rows.shape[1])
        if y is None:
            return vector, Batch(rows), levels
        batch = checked_batch(rows, y, sample_weight, self.loss, levels[-1], self.dtype, values)
        return vector, batch, levels

    def _evaluated(self, levels: tuple[int, ...]) -> tuple[int, ...]:
        """Cut the widths of all levels to those that passes evaluate."""
        return levels[: len(self.evaluated_steps) + 1]

    def _cast(self, theta: NDArray[np.float64]) -> Array:
        """Return θ in the network's dtype; what overflows there is named by the pass."""
        with np.errstate(over="ignore"):
            return theta.astype(self.dtype, copy=False)

    def _by_step(self, flat: NDArray) -> list[dict[str, Array]]:
        """Cut a flat vector, or a stack of them, into one mapping of named views per step."""
        views = self.layout.views(flat)
        return [
            {name: views[f"{step.key}.{name}"] for name in step.parameter_shapes()}
            for step in self.steps
        ]

    def _refuse_nonfinite(
        self,
        steps: Sequence[Step],
        theta: NDArray,
        tape: Tape,
        start: int,
        squares: float,
        grad: NDArray | None = None,
        loss: bool = True,
    ) -> None:
        """Raise where a pass met inf or nan, seen from the sum of squares of all that it wrote.

        grad: None where the pass had no δ, loss: False where it had no loss. What a tape holds of
        these is then from another pass.
        """
        # A Linear hands inf and nan of X and θ on to z, where they are seen. Other first layers may
        # swallow them (ReLU(-inf) = 0), and without rows there is no z.
        seen = tape.n_rows > 0 and bool(steps) and isinstance(steps[0].layer, Linear)
        if not (
            math.isfinite(squares)
            and (seen or (np.isfinite(tape.z[0]).all() and np.isfinite(theta).all()))
        ):
            ended = self.evaluated_loss if loss else None
            refuse_nonfinite(steps, ended, self.layout, theta, tape, start, grad)


def _weighted_sum(loss: NDArray, weight: NDArray | None) -> float:
    wide = loss.astype(np.float64, copy=False)
    return float(wide.sum() if weight is None else wide.dot(weight))


def _with_constants(
    params: Params, constants: Mapping[int, Mapping[str, Array]] | None, rows: slice
) -> Params:
    """Add the rows of a trainer's constants to the parameters of the steps that they are for."""
    if not constants:
        return params
    return [
        {**own, **{name: array[rows] for name, array in constants.get(L, {}).items()}}
        for L, own in enumerate(params)
    ]
