"""The network: layers and a loss in a row, tied together by the δ recursion, and nothing else.

`forward_pass` and `backward_pass` are the two loops of the whole project. Everything a network
offers (cost, gradient, per-row gradients, Hessian products, traces) is one run of them over a Tape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from backpass.batch import Batch, checked_batch, checked_rows, checked_theta
from backpass.diagnosis import refuse_nonfinite
from backpass.dual import DualLayer, DualLoss
from backpass.fusion import lower
from backpass.init import initial_theta
from backpass.layers import Layer, Linear, Residual
from backpass.losses import Loss
from backpass.pairs import joint_rule, refuse_wrong_pair
from backpass.runner import current_runner
from backpass.steps import Step, unroll, widths
from backpass.tape import Tape, tape_for
from backpass.theta import Array, Layout
from backpass.trace import Levels, Trace
from backpass.treesum import TreeSum

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
        with_parameters = [L for L, step in enumerate(steps) if step.has_parameters]
        layout = Layout(
            {
                f"{step.key}.{name}": shape
                for step in steps
                if step.layer is not None
                for name, shape in step.layer.shapes().items()
            }
        )
        # What passes evaluate: the joint rule, if there is one, in place of the last layer and the loss.
        evaluated = steps if joint is None else steps[:-1]
        self.__dict__.update(
            layers=tuple(layers),
            loss=loss,
            dtype=kind,
            fused=bool(fused),
            layout=layout,
            places=tuple(
                tuple((name, f"{step.key}.{name}") for name in step.layer.shapes())
                if step.layer is not None
                else ()
                for step in steps
            ),
            steps=steps,
            evaluated_steps=evaluated,
            evaluated_loss=loss if joint is None else joint,
            # δ at and below the first layer with parameters multiplies nothing.
            lowest_delta=with_parameters[0] + 1 if with_parameters else len(steps),
            plan=lower(evaluated, loss if joint is None else joint, layout) if fused else None,
        )

    layers: tuple[Layer | Residual, ...]
    loss: Loss
    dtype: np.dtype
    fused: bool
    layout: Layout
    places: tuple[tuple[tuple[str, str], ...], ...]
    steps: tuple[Step, ...]
    evaluated_steps: tuple[Step, ...]
    evaluated_loss: Loss
    lowest_delta: int
    plan: Any

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
        """Return a starting θ, (n_parameters,): He before rectifiers, Glorot elsewhere, biases 0."""
        return initial_theta(self.steps, self.layout, seed)

    def parameters(self, theta: ArrayLike) -> dict[str, Array]:
        """Return θ as named views, {"0.weight": (n_out, n_in), ...}: torch.nn.Sequential's names."""
        return self.layout.views(checked_theta(theta, self.n_parameters))

    def flatten(self, named: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Return named arrays as one new flat θ: the way back from `parameters`."""
        return self.layout.flatten(named)

    def forward(self, theta: ArrayLike, X: ArrayLike) -> Array:
        """Return z^L that enter the loss, (n_rows, n_out), of the network's dtype."""
        theta, batch, levels = self._checked(theta, X)
        out = np.empty((len(batch.X), levels[-1]), self.dtype)
        params = self._by_step(theta.astype(self.dtype, copy=False))

        def part(tape: Tape, cut: Batch, start: int) -> None:
            forward_pass(self.steps, params, tape.z)
            self._refuse_nonfinite(self.steps, theta, tape, start)
            out[start : start + tape.n_rows] = tape.z[-1]

        for _ in self._slices(batch, levels, part):
            pass
        return out

    def cost(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return C(θ) = ∑_rows weight · loss = -log l(θ): a sum, where PyTorch's default is the mean."""
        return float(self._cost_then_gradient(theta, X, y, sample_weight, None, False)[0])

    def cost_and_gradient(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        constants: Mapping[int, Mapping[str, Array]] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """Return C(θ) and ∂C/∂θ, flat like θ; SciPy's minimize(..., jac=True) takes them as they are.

        constants: arrays by row that a trainer gives to steps, {step: {"mask": (n_rows, width)}}.
        """
        total = self._cost_then_gradient(theta, X, y, sample_weight, constants, True)
        return float(total[0]), total[1:]

    def gradients_per_row(self, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
        """Return each row's own ∂loss/∂θ, (n_rows, n_parameters); they sum to the gradient."""
        theta, batch, levels = self._checked(theta, X, y)
        out = np.empty((len(batch.X), self.n_parameters), self.dtype)
        params = self._by_step(theta.astype(self.dtype, copy=False))

        def part(tape: Tape, cut: Batch, start: int) -> None:
            rows = out[start : start + tape.n_rows]
            self._pass(tape, cut, params, self._by_step(rows), "gradient_per_row")
            self._refuse_nonfinite(self.evaluated_steps, theta, tape, start)

        for _ in self._slices(batch, levels[: len(self.evaluated_steps) + 1], part):
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
        theta, batch, levels = self._checked(theta, X, y, sample_weight)
        pair = np.stack([theta, checked_theta(v, self.n_parameters)]).astype(self.dtype, copy=False)
        params = self._by_step(pair)

        def part(tape: Tape, cut: Batch, start: int) -> NDArray[np.float64]:
            grad = np.empty_like(pair)
            self._pass(tape, cut, params, self._by_step(grad), dual=True)
            self._refuse_nonfinite(self.evaluated_steps, theta, tape, start)
            return grad[1].astype(np.float64, copy=False)

        return self._sum(batch, levels[: len(self.evaluated_steps) + 1], part, lanes=2)

    def trace(self, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Trace:
        """Run one forward and backward pass and keep every z, δ and gradient; see `Trace`.

        All rows stand on one tape, so memory is rows times the widths of all levels.
        """
        theta, batch, levels = self._checked(theta, X, y)
        cut = batch.cut(0, len(batch.X), self.dtype)
        tape = Tape(levels, len(cut.X), self.dtype)
        tape.z[0], delta = cut.X, tape.delta
        params = self._by_step(theta.astype(self.dtype))
        grad = np.empty(self.n_parameters, self.dtype)
        end = len(self.evaluated_steps)
        with np.errstate(all="ignore"):
            forward_pass(self.steps, params, tape.z)
            self.evaluated_loss.value(tape.z[end], cut.y, tape.loss)
            self.loss.delta(tape.z[-1], cut.y, delta[-1])
            half = self._delta_of_halves(tape, cut, params)
            self.evaluated_loss.delta(tape.z[end], cut.y, delta[end])
            backward_pass(self.evaluated_steps, params, tape.z, delta, self._by_step(grad), 0)
            self._refuse_nonfinite(self.evaluated_steps, theta, tape, 0, grad)
        return Trace(
            z=Levels([*tape.z, tape.loss[:, None]]),
            delta=Levels([*delta, np.ones((len(cut.X), 1), self.dtype)]),
            gradient=self.layout.views(grad.astype(np.float64)),
            cost=_weighted_sum(tape.loss, None),
            notes=self._joint_notes(half, delta[end]),
            steps=self.steps,
            loss=self.loss,
            params=tuple(params),
            y=cut.y,
        )

    def _delta_of_halves(self, tape: Tape, cut: Batch, params: Params) -> Array | None:
        """Return what the last layer alone sends back from the loss's own δ; None without a joint rule."""
        last = self.steps[-1].layer
        if last is None or self.evaluated_loss is self.loss:
            return None
        half = np.empty_like(tape.z[-2])
        last.backward(params[-1], tape.z[-2], tape.z[-1], tape.delta[-1], half)
        return half

    def _joint_notes(self, half: Array | None, joint: Array) -> tuple[str, ...]:
        """Say for each row where a half overflows that the δ shown is the joint rule's."""
        if half is None:
            return ()
        pair = f"{self.steps[-1].layer!r} → {self.loss!r}"
        return tuple(
            f"row {row}: in {pair} a half overflows {self.dtype} (δ would be {half[row, unit]}); "
            f"the δ shown, {joint[row, unit]:.6g}, is that of the joint rule, {self.evaluated_loss!r}."
            for row, unit in zip(*np.nonzero(~np.isfinite(half)), strict=True)
        )

    def _cost_then_gradient(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        constants: Mapping[int, Mapping[str, Array]] | None,
        with_gradient: bool,
    ) -> NDArray[np.float64]:
        """Sum [cost, gradient...] over the slices of a batch; [cost] alone where that is all that is asked."""
        theta, batch, levels = self._checked(theta, X, y, sample_weight)
        size = self.n_parameters if with_gradient else 0
        cast = theta.astype(self.dtype, copy=False)
        plan = self.plan if constants is None else None
        params = self._by_step(cast) if plan is None else ()

        def part(tape: Tape, cut: Batch, start: int) -> NDArray[np.float64]:
            out = np.empty(1 + size)
            grad = out[1:] if self.dtype == np.float64 else np.empty(size, self.dtype)
            if plan is not None:
                out[0] = plan.run(cast, cut, tape, grad)
            else:
                rows = slice(start, start + tape.n_rows)
                given = _with_constants(params, constants, rows)
                self._pass(tape, cut, given, self._by_step(grad) if with_gradient else None)
                out[0] = _weighted_sum(tape.loss, cut.weight)
            self._refuse_nonfinite(self.evaluated_steps, theta, tape, start, grad, out[0])
            out[1:] = grad
            return out

        return self._sum(batch, levels[: len(self.evaluated_steps) + 1], part)

    def _pass(
        self,
        tape: Tape,
        cut: Batch,
        params: Params,
        grads: Params | None,
        gradient: str = "gradient",
        dual: bool = False,
    ) -> None:
        """Run the two loops on a tape whose z[0] is set; forward and loss only where grads is None."""
        steps, loss = self.evaluated_steps, self.evaluated_loss
        if dual:
            steps, loss = dual_steps(steps), DualLoss(loss)
        forward_pass(steps, params, tape.z)
        loss.value(tape.z[-1], cut.y, tape.loss)
        if grads is None:
            return
        delta = tape.delta
        loss.delta(tape.z[-1], cut.y, delta[-1])
        if cut.weight is not None:
            delta[-1] *= cut.weight.astype(self.dtype, copy=False)[:, None]
        backward_pass(steps, params, tape.z, delta, grads, self.lowest_delta, gradient)

    def _checked(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[NDArray[np.float64], Batch, list[int]]:
        """Return θ, the rows with their targets, and the width of every level; ValueError says what is wrong."""
        vector = checked_theta(theta, self.n_parameters)
        rows = checked_rows(X)
        levels = widths(self.steps, rows.shape[1])
        if y is None:
            return vector, Batch(rows, None, None), levels
        return (
            vector,
            checked_batch(rows, y, sample_weight, self.loss, levels[-1], self.dtype),
            levels,
        )

    def _slices(
        self,
        batch: Batch,
        levels: list[int],
        part: Callable[[Tape, Batch, int], Any],
        lanes: int = 1,
    ) -> Iterator[tuple[int, Any]]:
        """Cut the batch at fixed rows and let the current runner evaluate `part` on each slice."""
        n_rows, height = len(batch.X), slice_rows(levels)

        def evaluate(index: int) -> Any:
            start = index * height
            cut = batch.cut(start, min(start + height, n_rows), self.dtype)
            tape = tape_for(self, levels, len(cut.X), self.dtype, lanes)
            tape.z[0] = cut.X if lanes == 1 else np.stack([cut.X, np.zeros_like(cut.X)])
            with np.errstate(
                all="ignore"
            ):  # what overflows is found and named by `refuse_nonfinite`
                return part(tape, cut, start)

        return current_runner()(evaluate, max(1, -(-n_rows // height)))

    def _sum(
        self,
        batch: Batch,
        levels: list[int],
        part: Callable[[Tape, Batch, int], Any],
        lanes: int = 1,
    ) -> NDArray[np.float64]:
        """Add what `part` returns for each slice, in the one order that does not depend on threads."""
        tree = TreeSum(max(1, -(-len(batch.X) // slice_rows(levels))))
        for index, result in self._slices(batch, levels, part, lanes):
            tree.add(index, result)
        return tree.total()

    def _by_step(self, flat: NDArray) -> list[dict[str, Array]]:
        """Cut a flat vector, or a stack of them, into one mapping of named views per step."""
        views = self.layout.views(flat)
        return [{name: views[key] for name, key in names} for names in self.places]

    def _refuse_nonfinite(
        self,
        steps: Sequence[Step],
        theta: NDArray,
        tape: Tape,
        start: int,
        grad: NDArray | None = None,
        cost: float = 0.0,
    ) -> None:
        """Raise where a pass met inf or nan. In the ordinary case this costs a dot product per buffer."""
        fine = (
            np.isfinite(cost + theta.dot(theta))
            and tape.all_finite()
            and (grad is None or np.isfinite(grad.dot(grad)))
            # A Linear hands inf and nan on; other first layers may swallow them (ReLU(-inf) = 0).
            and (isinstance(steps[0].layer, Linear) or np.isfinite(tape.z[0]).all())
        )
        if not fine:
            refuse_nonfinite(steps, self.evaluated_loss, self.layout, theta, tape, start, grad)


def slice_rows(levels: Sequence[int]) -> int:
    """Choose the rows of a slice: a power of two, 64 to 32768, that puts the widest level in 4 MiB.

    A function of the network's shape alone, since the cuts decide the last bits of sums.
    """
    fit = 4 * 2**20 // (8 * max(levels))
    return min(max(1 << max(fit, 1).bit_length() - 1, 64), 32768)


def dual_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Dress every layer so that the loops carry values and their derivatives along a direction."""
    return tuple(
        step if step.layer is None else replace(step, layer=DualLayer(step.layer)) for step in steps
    )


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
