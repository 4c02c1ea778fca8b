"""The checker is checked: it catches and names every planted mistake and lets right ones pass."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.cases import draw, networks
from tests.strategies import EVERY_LAYER, EVERY_LOSS, SILU, identity, labels, outputs, seeds, silu

import backpass as bp

NETWORKS = networks()
every_layer = pytest.mark.parametrize("layer", EVERY_LAYER, ids=identity)


# ---- mistakes planted in every layer and loss ---------------------------------------------------

SPOILERS = {
    "sign": lambda out: np.negative(out, out=out),
    "swapped index": lambda out: np.copyto(out, np.roll(out, 1, axis=-1)),
    "0.1 %": lambda out: np.multiply(out, 1.001, out=out),
    "0.1 % of one entry": lambda out: out.__setitem__(largest(out), 1.001 * out[largest(out)]),
}
spoilers = pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)


def largest(array):
    return np.unravel_index(np.abs(array).argmax(), array.shape)


def spoilt(original, method, spoil, parameter=None):
    """Return original with a method whose output is spoilt; `parameter`: one array of a mapping."""
    kind = type(original)

    def spoiling(self, *arguments):
        getattr(kind, method)(self, *arguments)
        target = arguments[-1] if parameter is None else arguments[-1][parameter]
        if target.size:
            spoil(target)

    spoiling.__name__ = method
    copy = object.__new__(type(f"Spoilt{kind.__name__}", (kind,), {method: spoiling}))
    copy.__dict__.update(vars(original))
    return copy


def caught(check, *names):
    """Run a check that must fail, and see that the report has all names and both numbers."""
    with pytest.raises(bp.DerivativeError) as report:
        check()
    for name in names:
        assert name in str(report.value), str(report.value)
    number = r"-?\d[\d.e+-]*"
    assert re.search(
        rf"gives {number},? .*gives? (the slopes )?{number}|= {number} but", str(report.value)
    )


@every_layer
@spoilers
def test_a_spoilt_backward_is_caught_and_named(layer, spoil):
    wrong = spoilt(layer, "backward", spoil)
    caught(lambda: bp.check_layer(wrong, 4), repr(wrong), "backward", "row", "unit")


@pytest.mark.parametrize(
    ("layer", "parameter"),
    [(layer, name) for layer in EVERY_LAYER for name in layer.shapes()],
    ids=identity,
)
@spoilers
def test_a_spoilt_gradient_is_caught_and_named(layer, parameter, spoil):
    wrong = spoilt(layer, "gradient", spoil, parameter)
    caught(lambda: bp.check_layer(wrong, 4), repr(wrong), "gradient", f"parameter '{parameter}'[")
    rows = spoilt(layer, "gradient_per_row", spoil, parameter)
    if layer.shapes():
        caught(lambda: bp.check_layer(rows, 4), "gradient_per_row, row", f"'{parameter}'[")


@pytest.mark.parametrize("layer", [x for x in EVERY_LAYER if getattr(x, "d2f", 1)], ids=identity)
@pytest.mark.parametrize("method", ["tangent", "backward_tangent"])
@spoilers
def test_a_spoilt_tangent_is_caught_and_named(layer, method, spoil):
    wrong = spoilt(layer, method, spoil)
    caught(lambda: bp.check_layer(wrong, 4), repr(wrong), method)


@pytest.mark.parametrize("parameter", ["weight", "bias"])
@spoilers
def test_a_spoilt_gradient_tangent_is_caught_and_named(parameter, spoil):
    wrong = spoilt(bp.Linear(4, 3), "gradient_tangent", spoil, parameter)
    caught(lambda: bp.check_layer(wrong, 4), "gradient_tangent", f"parameter '{parameter}'[")


@every_layer
@spoilers
def test_check_network_names_the_layer_by_its_place(layer, spoil):
    wrong = spoilt(layer, "backward", spoil)
    width = layer.output_width(4)
    net = bp.Network(
        [bp.Linear(3, 4), bp.Residual(bp.Tanh(), bp.Linear(4, 4)), wrong, bp.Linear(width, 3)],
        bp.CrossEntropyLoss(),
    )
    X = np.random.default_rng(0).normal(size=(6, 3))
    caught(
        lambda: bp.check_network(net, X, [0, 1, 2, 0, 1, 2]), f"layer 3, {wrong!r}.backward", "unit"
    )


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=identity)
@pytest.mark.parametrize("method", ["delta", "tangent"])
@spoilers
def test_a_spoilt_loss_is_caught_and_named(loss, method, spoil):
    if method == "tangent" and isinstance(loss, bp.NLLLoss):
        spoil = lambda out: np.add(out, 0.001, out=out)  # noqa: E731  # it is 0, however spoilt
    wrong = spoilt(loss, method, spoil)
    rng = np.random.default_rng(0)
    z, y = outputs(loss, 6, 3, rng), labels(loss, 6, 3, rng)
    # A layer that hands z on, and a subclass of the loss, so that no joint rule steps in.
    net = bp.Network([bp.Dropout(0.1)], wrong)
    caught(lambda: bp.check_network(net, z, y), f"{wrong!r}.{method}", "row", "unit")


@pytest.mark.parametrize(
    ("last", "loss", "rule"),
    [
        (bp.LogSoftmax(), bp.NLLLoss(), bp.CrossEntropyLoss),
        (bp.Sigmoid(), bp.BCELoss(), bp.BCEWithLogitsLoss),
    ],
    ids=repr,
)
@spoilers
def test_a_spoilt_joint_rule_is_caught(monkeypatch, last, loss, rule, spoil):
    plain = rule.delta

    def delta(self, z, y, delta_in):
        plain(self, z, y, delta_in)
        spoil(delta_in)

    monkeypatch.setattr(rule, "delta", delta)
    net = bp.Network([bp.Linear(4, 3), last], loss)
    rng = np.random.default_rng(0)
    caught(
        lambda: bp.check_network(net, rng.normal(size=(6, 4)), labels(loss, 6, 3, rng)),
        f"{rule.__name__}(", "delta at row",
    )  # fmt: skip


# ---- mistakes that people make ------------------------------------------------------------------


class Tanh(bp.Tanh):
    """A right layer, to go wrong from."""


class SigmoidForgotFactor(bp.Sigmoid):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, 1.0 - z_out, out=delta_in)


class SoftmaxForgotSum(bp.Softmax):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, z_out * (1.0 - z_out), out=delta_in)


class LogSoftmaxForgotSum(bp.LogSoftmax):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.subtract(delta_out, np.exp(z_out), out=delta_in)


class LeakyReLU(bp.ReLU):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, np.where(z_in > 0.0, 1.0, 0.01), out=delta_in)


class LinearTransposed(bp.Linear):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.matmul(delta_out, params["weight"].T, out=delta_in)


class LinearMean(bp.Linear):
    def gradient(self, params, z_in, z_out, delta_out, grad):
        super().gradient(params, z_in, z_out, delta_out, grad)
        grad["weight"] /= len(z_in)


class LinearForgotBias(bp.Linear):
    def gradient(self, params, z_in, z_out, delta_out, grad):
        super().gradient(params, z_in, z_out, delta_out, grad)
        grad["bias"][...] = 0.0


class ReLUOddAtZero(bp.ReLU):
    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, np.where(z_in == 0.0, 1.5, z_in > 0.0), out=delta_in)


class Sign(Tanh):
    def forward(self, params, z_in, z_out):
        np.sign(z_in, out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        delta_in[...] = delta_out  # "straight through"


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (SigmoidForgotFactor(), "backward, δ_in at row"),
        (SoftmaxForgotSum(), "backward, δ_in at row"),
        (LogSoftmaxForgotSum(), "backward, δ_in at row"),
        (LeakyReLU(), "backward, δ_in at row"),
        (LinearTransposed(4, 4), "backward, δ_in at row"),
        (LinearMean(4, 4), "gradient, parameter 'weight'"),
        (LinearForgotBias(4, 4), "gradient, parameter 'bias'"),
        (ReLUOddAtZero(), "backward, δ_in at row 0"),
        (bp.Elementwise(silu, lambda x, z: z * (1.0 - z)), "backward, δ_in at row"),
        (bp.Elementwise(SILU.f, SILU.df, lambda x, z: 0.0), "backward_tangent at row"),
        (Sign(), "backward, δ_in at row"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_mathematics(layer, where):
    caught(lambda: bp.check_layer(layer, 4), repr(layer), where)


def test_one_entry_among_many_is_found():
    """Of 1800 entries 200 are sampled; the others show in one sum, which is then taken apart."""

    class OneOff(bp.Linear):
        def gradient(self, params, z_in, z_out, delta_out, grad):
            super().gradient(params, z_in, z_out, delta_out, grad)
            grad["weight"][17, 33] *= 1.001

    caught(lambda: bp.check_layer(OneOff(60, 30), 60), "parameter 'weight'[17, 33]", "1.001")


class Broken:
    """Layers that break the contract of layers/base.py rather than mathematics."""

    class Rebinds(Tanh):
        def forward(self, params, z_in, z_out):
            z_out = np.tanh(z_in)  # noqa: F841

    class Returns(Tanh):
        def forward(self, params, z_in, z_out):
            return np.tanh(z_in)

    class Adds(Tanh):
        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_in += delta_out * (1.0 - z_out**2)

    class LeavesOut(Tanh):
        def forward(self, params, z_in, z_out):
            z_out[:, :2] = np.tanh(z_in[:, :2])

    class WrongShape(Tanh):
        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_in[...] = delta_out.T

    class WrongWidth(Tanh):
        def output_width(self, n_in):
            return 2

    class ChangesInput(bp.ReLU):
        def forward(self, params, z_in, z_out):
            z_in[z_in < 0.0] = 0.0
            z_out[...] = z_in

    class ChangesDelta(Tanh):
        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_out *= 1.0 - z_out**2
            delta_in[...] = delta_out

    class Remembers(Tanh):
        def forward(self, params, z_in, z_out):
            np.tanh(z_in, out=z_out)
            self.__dict__["slope"] = 1.0 - z_out**2

        def backward(self, params, z_in, z_out, delta_out, delta_in):
            # Falls back where shapes differ, so that the numbers are what is wrong.
            slope = self.slope if self.slope.shape == delta_out.shape else 1.0
            np.multiply(delta_out, slope, out=delta_in)

    class Draws(Tanh):
        def forward(self, params, z_in, z_out):
            np.multiply(z_in, np.random.default_rng().random(z_in.shape), out=z_out)

    class MixesRows(Tanh):
        def forward(self, params, z_in, z_out):
            np.subtract(z_in, z_in.mean(axis=0) if len(z_in) else 0.0, out=z_out)

    class GivesNan(Tanh):
        def forward(self, params, z_in, z_out):
            z_out[...] = np.nan

    class NeedsDoubles(Tanh):
        def forward(self, params, z_in, z_out):
            np.tanh(z_in, out=z_out)
            z_out.view(np.float64).shape = z_in.shape

    class Jumps(Tanh):
        def forward(self, params, z_in, z_out):
            np.abs(z_in - np.round(z_in * 2e8) / 2e8, out=z_out)


class Scale(bp.Layer):
    """A user's layer with a parameter."""

    def shapes(self):
        return {"scale": (4,)}

    def initial(self, rng):
        return {"scale": np.ones(4)}

    def forward(self, params, z_in, z_out):
        np.multiply(z_in, params["scale"], out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, params["scale"], out=delta_in)

    def __repr__(self):
        return f"{type(self).__name__}()"


class BrokenScale:
    class ForgetsScale(Scale):
        """Right at the starting value of 1 only."""

        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_in[...] = delta_out

        def gradient(self, params, z_in, z_out, delta_out, grad):
            np.sum(delta_out * z_in, axis=0, out=grad["scale"])

    class Replaces(Scale):
        def gradient(self, params, z_in, z_out, delta_out, grad):
            grad["scale"] = (delta_out * z_in).sum(axis=0)

    class Misspells(Scale):
        def gradient(self, params, z_in, z_out, delta_out, grad):
            grad["scales"][...] = (delta_out * z_in).sum(axis=0)

    class Invents(Scale):
        def gradient(self, params, z_in, z_out, delta_out, grad):
            np.sum(delta_out * z_in, axis=0, out=grad["scale"])
            grad["offset"] = 0.0

    class Adds(Scale):
        def gradient(self, params, z_in, z_out, delta_out, grad):
            grad["scale"][...] += (delta_out * z_in).sum(axis=0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Broken.Rebinds(), "forward wrote nothing to its output; write [...] = or out="),
        (Broken.Returns(), "forward returned a ndarray; write the result to the last argument"),
        (Broken.Adds(), "backward adds to what its output held"),
        (Broken.LeavesOut(), "forward left entry [0, 2] of its output unwritten"),
        (Broken.WrongShape(), "backward raised ValueError"),
        (Broken.WrongShape(), "It was given z_in (5, 4), z_out (5, 4), delta_out (5, 4)"),
        (Broken.WrongWidth(), "forward raised ValueError"),
        (Broken.ChangesInput(), "forward changed its input z_in; inputs are read only."),
        (Broken.ChangesDelta(), "backward changed its input delta_out; inputs are read only."),
        (Broken.Remembers(), "backward depends on what forward saw last"),
        (Broken.Draws(), "forward gives different numbers in two calls with the same input"),
        (Broken.MixesRows(), "a row may not depend on the others."),
        (Broken.GivesNan(), "forward gives nan in entry [0, 0] of its output"),
        (Broken.NeedsDoubles(), "in float32, Broken.NeedsDoubles().forward raised ValueError"),
        (Scale(), "Scale() has parameters ['scale'] but no gradient method"),
        (BrokenScale.ForgetsScale(), "ForgetsScale().backward, δ_in at row"),
        (BrokenScale.Replaces(), "gradient put another array at grad['scale']; write into the one"),
        (BrokenScale.Misspells(), "gradient raised KeyError: 'scales'"),
        (BrokenScale.Invents(), "gradient wrote ['offset']; the parameters are ['scale']."),
        (BrokenScale.Adds(), "gradient adds to what grad['scale'] held"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_contracts_say_what_to_do(layer, message):
    with pytest.raises(bp.DerivativeError, match=re.escape(message)):
        bp.check_layer(layer, 4)


def test_a_tangent_that_contradicts_backward_is_caught_by_the_adjoint_test():
    """At zero the one-sided slopes of ReLU allow 0 and 1; forward and back must choose alike."""

    class TwoMinds(bp.ReLU):
        def tangent(self, params, dot_params, z_in, z_out, dot_z_in, dot_z_out):
            np.multiply(dot_z_in, z_in >= 0.0, out=dot_z_out)

    with pytest.raises(bp.DerivativeError, match=r"tangent"):
        bp.check_layer(TwoMinds(), 4)


def test_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match=r"a Residual is structure.*check_network"):
        bp.check_layer(bp.Residual(bp.ReLU()), 4)
    with pytest.raises(
        TypeError, match=r"check_layer takes a layer such as bp\.ReLU\(\), got <class"
    ):
        bp.check_layer(bp.ReLU, 4)
    with pytest.raises(ValueError, match=r"takes 5 values per row; n_in is 4\."):
        bp.check_layer(bp.Linear(5, 2), 4)


# ---- networks -----------------------------------------------------------------------------------


def wrong_network(monkeypatch, method, change):
    """Return a network one of whose methods gives something changed."""
    net = bp.Network([bp.Linear(4, 3), bp.Tanh(), bp.Linear(3, 3)], bp.CrossEntropyLoss())
    plain = getattr(bp.Network, method)
    monkeypatch.setattr(bp.Network, method, lambda self, *a: change(plain(self, *a)))
    return net, np.random.default_rng(0).normal(size=(5, 4)), [0, 1, 2, 1, 0]


def scaled_entry(place):
    def change(result):
        array = result[1] if isinstance(result, tuple) else result
        array[..., place] *= 1.001
        return result

    return change


@pytest.mark.parametrize(
    ("method", "report"),
    [
        ("cost_and_gradient", "cost_and_gradient, parameter '0.weight'[1, 2]"),
        ("gradients_per_row", "parameter '0.weight'[1, 2]"),
        ("hessian_vector_product", "hessian_vector_product, parameter '0.weight'[1, 2]"),
    ],
)
def test_a_wrong_whole_is_caught_though_its_parts_are_right(monkeypatch, method, report):
    net, X, y = wrong_network(monkeypatch, method, scaled_entry(6))
    caught(lambda: bp.check_network(net, X, y), report)


def test_a_forgotten_successor_is_caught(monkeypatch):
    """A recursion that follows the chain of a Residual but not the way around it."""
    net = bp.Network(
        [bp.Linear(4, 3), bp.Residual(bp.Tanh()), bp.Linear(3, 3)],
        bp.CrossEntropyLoss(),
        fused=False,
    )
    steps = tuple(type(step)(step.layer, step.key, step.skip) for step in net.evaluated_steps)
    net.__dict__["evaluated_steps"] = steps
    X = np.random.default_rng(0).normal(size=(5, 4))
    caught(lambda: bp.check_network(net, X, [0, 1, 2, 1, 0]), "cost_and_gradient, parameter '0.")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(NETWORKS)[::3])
def test_right_networks_pass(name, dtype):
    case = draw(name, networks(dtype)[name], 17)
    bp.check_network(case.net, case.X, case.y, seed=1)
    bp.check_network(case.net, case.X, case.y, theta=case.theta)


def test_wrong_input_is_refused_in_the_users_own_rows():
    net = bp.Network([bp.Linear(4, 3)], bp.CrossEntropyLoss())
    X = np.zeros((100, 4))
    y = np.zeros(100, int)
    y[77] = 3
    with pytest.raises(ValueError, match=r"y, row 77: class 3"):
        bp.check_network(net, X, y)
    with pytest.raises(ValueError, match=r"needs at least one row"):
        bp.check_network(net, X[:0], y[:0])


# ---- no false alarms ----------------------------------------------------------------------------


@every_layer
@settings(max_examples=15)
@given(seed=seeds)
def test_right_layers_pass_whatever_the_seed(layer, seed):
    bp.check_layer(layer, 4, seed=seed)


@pytest.mark.parametrize("width", [1, 2, 30])
def test_right_layers_pass_at_other_widths(width):
    for layer in (bp.Softmax(), bp.LogSoftmax(), bp.ReLU(), bp.Linear(width, 7)):
        bp.check_layer(layer, width)


@dataclass(frozen=True)
class Plain(bp.Layer):
    """A user's layer without tangents: f and its slope, element by element."""

    name: str

    def forward(self, params, z_in, z_out):
        z_out[...] = FUNCTIONS[self.name][0](z_in)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        delta_in[...] = delta_out * FUNCTIONS[self.name][1](z_in)


FUNCTIONS = {
    "abs, any number between the slopes at 0": (
        np.abs,
        lambda z: np.where(z == 0, 0.3, np.sign(z)),
    ),
    "hard tanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) <= 1) * 1.0),
    "elu with a kink": (
        lambda z: np.where(z > 0, z, 1.5 * np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1.0, 1.5 * np.exp(np.minimum(z, 0))),
    ),
    "step": (lambda z: (z > 0) * 1.0, lambda z: 0.0 * z),
    "logarithm of positive numbers": (np.log, lambda z: 1.0 / z),
    "logit of probabilities": (lambda z: np.log(z / (1 - z)), lambda z: 1.0 / (z * (1 - z))),
    "steep": (
        lambda z: np.tanh(1e4 * z),
        lambda z: 1e4 / np.cosh(np.clip(1e4 * z, -300, 300)) ** 2,
    ),
    "wavy": (lambda z: np.sin(50 * z), lambda z: 50 * np.cos(50 * z)),
    "tiny": (lambda z: 1e-200 * z**2, lambda z: 2e-200 * z),
    "huge": (lambda z: 1e20 * z**3, lambda z: 3e20 * z**2),
    "constant": (lambda z: 0.0 * z + 3.0, lambda z: 0.0 * z),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=10)
@given(seed=seeds)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # far outside of domains
def test_users_layers_with_kinks_borders_and_odd_scales_pass(name, seed):
    bp.check_layer(Plain(name), 3, seed=seed)


@settings(max_examples=15)
@given(seed=seeds, scale=st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
def test_networks_pass_on_columns_of_zeros_and_any_scale(seed, scale):
    """Pixels that are 0 in every row, and parameters as they start, put ReLU on its kink."""
    net = bp.Network(
        [bp.ReLU(), bp.Linear(3, 4), bp.ReLU(), bp.Residual(bp.ReLU()), bp.Linear(4, 3)],
        bp.CrossEntropyLoss(),
    )
    rng = np.random.default_rng(seed)
    X = scale * rng.normal(size=(6, 3))
    X[:, 0] = 0.0
    X[2] = 0.0
    bp.check_network(net, X, rng.integers(0, 3, 6), theta=net.init(seed % 1000), seed=seed)
