"""What a network promises beyond its layers: the note's classifiers, sums, copies, threads."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles.cases import draw, networks
from tests.strategies import SILU, SILU_FIRST_ORDER, seeds

import backpass as bp

NETWORKS = networks()
SOME = [name for name in NETWORKS if "| nll" in name or "| multilabel" in name]


def blobs(n_rows=50, n_in=4, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_in)), rng.integers(0, n_classes, n_rows)


# ---- networks A, B and C of the note ------------------------------------------------------------


def network_a(n_in=4):
    return bp.Network([bp.Linear(n_in, 1), bp.Sigmoid()], loss=bp.BCELoss())


def network_b(n_in=4, k=2):
    return bp.Network([bp.Linear(n_in, k), bp.LogSoftmax()], loss=bp.NLLLoss())


def network_c(n_in=4, k=2):
    return bp.Network([bp.Linear(n_in, k)], loss=bp.CrossEntropyLoss())


@given(seed=seeds)
def test_a_and_a_two_class_b_are_the_same_classifier(seed):
    """sigm(⟨θ, x⟩) is the softmax of (⟨θ_0, x⟩, ⟨θ_1, x⟩) with θ = θ_1 - θ_0."""
    X, y = blobs(n_classes=2, seed=seed)
    a, b = network_a(), network_b()
    theta_b = np.random.default_rng(seed).normal(size=b.n_parameters)
    named = b.parameters(theta_b)
    theta_a = a.flatten({key: (value[1:] - value[:1]) for key, value in named.items()})
    cost_a, grad_a = a.cost_and_gradient(theta_a, X, y)
    cost_b, grad_b = b.cost_and_gradient(theta_b, X, y)
    assert cost_a == pytest.approx(cost_b, rel=1e-13)
    # ∂C/∂θ_1 = ∂C/∂θ, and ∂C/∂θ_0 is its opposite.
    named_a, named_b = a.parameters(grad_a), b.parameters(grad_b)
    for key in named_a:
        np.testing.assert_allclose(named_b[key][1:], named_a[key], rtol=0, atol=1e-12)
        np.testing.assert_allclose(named_b[key][:1], -named_a[key], rtol=0, atol=1e-12)
    probabilities = np.exp(b.forward(theta_b, X))
    np.testing.assert_allclose(probabilities[:, 1:], a.forward(theta_a, X), rtol=1e-13)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)


@given(seed=seeds, k=st.integers(1, 5))
def test_b_and_c_agree(seed, k):
    X, y = blobs(n_classes=k, seed=seed)
    b, c = network_b(k=k), network_c(k=k)
    theta = np.random.default_rng(seed).normal(size=b.n_parameters)
    v = np.random.default_rng(seed + 1).normal(size=b.n_parameters)
    assert b.cost(theta, X, y) == c.cost(theta, X, y)
    for method in ("cost_and_gradient", "gradients_per_row"):
        for one, other in zip(
            getattr(b, method)(theta, X, y), getattr(c, method)(theta, X, y), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        b.hessian_vector_product(theta, X, y, v), c.hessian_vector_product(theta, X, y, v)
    )


def test_the_cost_is_the_negative_log_likelihood():
    """Eq. 3 to 5 of the note, multiplied out."""
    X, y = blobs(n_rows=8, n_classes=2)
    net = network_a()
    theta = net.init(1)
    pi = net.forward(theta, X)[:, 0]
    likelihood = np.prod(pi**y * (1.0 - pi) ** (1 - y))
    assert net.cost(theta, X, y) == pytest.approx(-np.log(likelihood), rel=1e-12)


# ---- θ ------------------------------------------------------------------------------------------


def test_parameters_are_views_under_torchs_names_and_flatten_is_the_way_back():
    net = bp.Network(
        [
            bp.Linear(4, 3),
            bp.Residual(bp.Linear(3, 3), bp.ReLU(), bp.Linear(3, 3, bias=False)),
            bp.Linear(3, 2),
        ],
        bp.CrossEntropyLoss(),
    )  # fmt: skip
    theta = net.init(seed=3)
    named = net.parameters(theta)
    assert {name: value.shape for name, value in named.items()} == {
        "0.weight": (3, 4), "0.bias": (3,), "1.0.weight": (3, 3), "1.0.bias": (3,),
        "1.2.weight": (3, 3), "2.weight": (2, 3), "2.bias": (2,),
    }  # fmt: skip
    assert all(np.shares_memory(value, theta) for value in named.values())
    again = net.flatten(named)
    np.testing.assert_array_equal(again, theta)
    assert not np.shares_memory(again, theta)


def test_init_follows_the_activation_and_the_seed():
    net = bp.Network(
        [bp.Linear(400, 300), bp.ReLU(), bp.Linear(300, 200), bp.Tanh(), bp.Linear(200, 3)],
        bp.CrossEntropyLoss(),
    )
    theta = net.init(seed=0)
    named = net.parameters(theta)
    assert named["0.weight"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)  # He
    assert np.abs(named["2.weight"]).max() == pytest.approx(np.sqrt(6 / 500), rel=1e-3)  # Glorot
    assert not any(named[f"{place}.bias"].any() for place in (0, 2, 4))
    np.testing.assert_array_equal(net.init(seed=0), theta)
    assert (net.init(seed=1) != theta).any()
    longer = bp.Network([*net.layers, bp.ReLU(), bp.Linear(3, 3)], bp.CrossEntropyLoss())
    np.testing.assert_array_equal(longer.init(seed=0)[: 400 * 300], theta[: 400 * 300])


def test_a_layers_own_starting_values_are_used():
    class Scaled(bp.Tanh):
        def shapes(self):
            return {"scale": (3,), "mix": (3, 3)}

        def initial(self, rng):
            return {"scale": np.ones(3)}

    net = bp.Network([bp.Linear(4, 3), Scaled()], bp.CrossEntropyLoss())
    named = net.parameters(net.init())
    np.testing.assert_array_equal(named["1.scale"], np.ones(3))
    assert named["1.mix"].all()


# ---- rows, weights, slices ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", SOME)
def test_integer_weights_are_repeated_rows(name, dtype, fused):
    case = draw(name, networks(dtype, fused)[name], 7)
    net, times = case.net, np.array([2, 0, 3])
    X, y = np.repeat(case.X, times, axis=0), np.repeat(case.y, times, axis=0)
    weighted = net.cost_and_gradient(case.theta, case.X, case.y, sample_weight=times)
    repeated = net.cost_and_gradient(case.theta, X, y)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for one, other in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())
    np.testing.assert_allclose(
        net.hessian_vector_product(case.theta, case.X, case.y, case.v, times),
        net.hessian_vector_product(case.theta, X, y, case.v),
        rtol=0,
        atol=10 * tolerance * np.abs(case.v).max() * len(X),
    )


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", SOME)
def test_without_rows_everything_is_zero(name, fused):
    case = draw(name, networks(fused=fused)[name], 0)
    net, X, y = case.net, case.X[:0], case.y[:0]
    assert net.cost(case.theta, X, y) == 0.0
    cost, grad = net.cost_and_gradient(case.theta, X, y)
    assert cost == 0.0
    assert not grad.any()
    assert not net.hessian_vector_product(case.theta, X, y, case.v).any()
    assert net.gradients_per_row(case.theta, X, y).shape == (0, net.n_parameters)
    width = net.forward(case.theta, case.X).shape[1]
    assert net.forward(case.theta, X).shape == (0, width)
    assert net.trace(case.theta, X, y).cost == 0.0


@pytest.mark.parametrize("name", SOME)
def test_one_row_is_that_rows_part_of_the_sum(name):
    case = draw(name, NETWORKS[name], 11)
    net, rows = case.net, range(len(case.X))
    costs = [net.cost(case.theta, case.X[[row]], case.y[[row]]) for row in rows]
    grads = [net.cost_and_gradient(case.theta, case.X[[row]], case.y[[row]])[1] for row in rows]
    cost, grad = net.cost_and_gradient(case.theta, case.X, case.y)
    assert sum(costs) == pytest.approx(cost, rel=1e-13)
    atol = 1e-13 * np.abs(grads).sum()
    np.testing.assert_allclose(np.sum(grads, axis=0), grad, rtol=0, atol=atol)
    np.testing.assert_allclose(
        net.gradients_per_row(case.theta, case.X, case.y), grads, rtol=0, atol=atol
    )


@pytest.mark.parametrize("fused", [True, False])
def test_a_batch_of_many_slices_is_the_sum_of_its_rows(fused):
    """40,000 rows are more than one slice can have."""
    X, y = blobs(n_rows=40_000, n_in=3)
    net = bp.Network(
        [bp.Linear(3, 4), bp.Tanh(), bp.Linear(4, 3)], bp.CrossEntropyLoss(), fused=fused
    )
    theta, v = np.random.default_rng(5).normal(size=(2, net.n_parameters))
    cost, grad = net.cost_and_gradient(theta, X, y)
    parts = [
        net.cost_and_gradient(theta, X[i : i + 999], y[i : i + 999]) for i in range(0, 40_000, 999)
    ]
    assert sum(part[0] for part in parts) == pytest.approx(cost, rel=1e-12)
    np.testing.assert_allclose(sum(part[1] for part in parts), grad, rtol=1e-9)
    rows = net.gradients_per_row(theta, X, y)
    np.testing.assert_allclose(rows.sum(axis=0), grad, rtol=1e-9)
    np.testing.assert_allclose(rows[-3:], net.gradients_per_row(theta, X[-3:], y[-3:]), rtol=1e-9)
    np.testing.assert_allclose(net.forward(theta, X)[-3:], net.forward(theta, X[-3:]), rtol=1e-12)
    half = [
        net.hessian_vector_product(theta, X[cut], y[cut], v)
        for cut in (slice(20_000), slice(20_000, None))
    ]
    np.testing.assert_allclose(sum(half), net.hessian_vector_product(theta, X, y, v), rtol=1e-9)


def test_any_numeric_input_is_taken_and_none_is_changed():
    net = network_b()
    theta, (X, y) = net.init(0), blobs(n_classes=2)
    whole = np.round(X * 3)
    expected = net.cost_and_gradient(theta, whole, y)
    fortran, strided = np.asfortranarray(whole), np.repeat(whole, 2, axis=1)[:, ::2]
    for form in (whole.astype("int8"), whole.astype("float32"), fortran, strided, whole.tolist()):
        kept = copy.deepcopy(form)
        got = net.cost_and_gradient(theta, form, y.tolist())
        assert got[0] == pytest.approx(expected[0], rel=1e-13)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-11)
        np.testing.assert_array_equal(form, kept)
    locked = whole.copy()
    locked.flags.writeable = False
    assert net.cost(theta, locked, y.astype(float)) == pytest.approx(expected[0], rel=1e-13)


# ---- Residual, Dropout, Elementwise -------------------------------------------------------------


def test_a_residual_chain_adds_the_way_around_it():
    X, _ = blobs()
    chain = [bp.Linear(4, 4), bp.Tanh()]
    net = bp.Network([bp.Residual(*chain), bp.Linear(4, 3)], bp.CrossEntropyLoss())
    theta = net.init(0)
    named = net.parameters(theta)
    around = X + np.tanh(X @ named["0.0.weight"].T + named["0.0.bias"])
    expected = around @ named["1.weight"].T + named["1.bias"]
    np.testing.assert_allclose(net.forward(theta, X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "layers",
    [
        [bp.Residual(bp.Residual(bp.Linear(4, 4), bp.Tanh()), bp.Sigmoid()), bp.Linear(4, 3)],
        [bp.Residual(bp.Residual(bp.Residual(bp.Tanh()), bp.Linear(4, 4))), bp.Linear(4, 3)],
        [bp.Linear(4, 3), bp.Residual(bp.Tanh(), bp.Residual(bp.Softmax()), bp.Linear(3, 3))],
        [bp.Residual(bp.Linear(4, 4)), bp.Residual(bp.ReLU()), bp.Linear(4, 3)],
        [bp.Linear(4, 3), bp.Residual(bp.Residual(bp.Linear(3, 3)))],
    ],
    ids=["two from one place", "three from one place", "nested", "in a row", "at the end"],
)
@pytest.mark.parametrize("fused", [True, False])
def test_delta_sums_over_all_successors(layers, fused):
    X, y = blobs(n_rows=9)
    net = bp.Network(layers, bp.CrossEntropyLoss(), fused=fused)
    bp.check_network(net, X, y)


def test_dropout_is_the_identity():
    X, y = blobs()
    with_it = bp.Network([bp.Linear(4, 3), bp.Dropout(0.9), bp.LogSoftmax()], bp.NLLLoss())
    theta = with_it.init(0)
    # Between other layers and the loss nothing else changes, so the bits are the same.
    plain = network_b(k=3)
    np.testing.assert_array_equal(with_it.forward(theta, X), plain.forward(theta, X))
    np.testing.assert_allclose(
        with_it.cost_and_gradient(theta, X, y)[1],
        plain.cost_and_gradient(theta, X, y)[1],
        rtol=1e-12,
    )


def test_a_mask_given_as_a_constant_is_multiplied_in_and_carried_back():
    X, y = blobs()
    net = bp.Network([bp.Linear(4, 5), bp.Dropout(0.5), bp.Linear(5, 3)], bp.CrossEntropyLoss())
    theta = net.init(0)
    mask = np.where(np.random.default_rng(1).random((50, 5)) < 0.5, 0.0, 2.0)
    cost, grad = net.cost_and_gradient(theta, X, y, constants={1: {"mask": mask}})
    step = 1e-6 * np.random.default_rng(2).normal(size=theta.shape)
    ahead, behind = (
        net.cost_and_gradient(theta + sign * step, X, y, constants={1: {"mask": mask}})[0]
        for sign in (1, -1)
    )
    assert ahead - behind == pytest.approx(2 * grad @ step, rel=1e-6)
    assert cost != pytest.approx(net.cost(theta, X, y), rel=1e-3)


def test_elementwise_without_d2f_does_all_but_hessian_products():
    X, y = blobs(n_rows=6)
    first, second = (
        bp.Network([bp.Linear(4, 3), layer, bp.Linear(3, 3)], bp.CrossEntropyLoss())
        for layer in (SILU_FIRST_ORDER, SILU)
    )
    theta = first.init(0)
    np.testing.assert_array_equal(
        first.cost_and_gradient(theta, X, y)[1], second.cost_and_gradient(theta, X, y)[1]
    )
    bp.check_network(first, X, y)
    bp.check_network(second, X, y)
    with pytest.raises(NotImplementedError, match=r"Elementwise.*has no tangent.*d2f"):
        first.hessian_vector_product(theta, X, y, theta)


# ---- the Hessian --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOME)
def test_the_hessian_is_symmetric_and_linear_in_v(name):
    case = draw(name, NETWORKS[name], 5)
    net, data = case.net, (case.theta, case.X, case.y)
    u, v = case.v, np.random.default_rng(1).normal(size=case.v.shape)
    hu, hv = (net.hessian_vector_product(*data, w) for w in (u, v))
    size = np.abs(hu).max() * np.abs(v).sum() + np.abs(hv).max() * np.abs(u).sum()
    assert abs(u @ hv - v @ hu) <= 1e-13 * size
    both = net.hessian_vector_product(*data, 2.0 * u - v)
    np.testing.assert_allclose(both, 2.0 * hu - hv, rtol=0, atol=1e-13 * np.abs(hu).max() * 10)


# ---- immutable, shared, copied ------------------------------------------------------------------


def test_a_network_is_immutable():
    net = network_b()
    with pytest.raises(AttributeError, match=r"a Network is immutable; build another one\."):
        net.loss = bp.CrossEntropyLoss()
    with pytest.raises(AttributeError, match=r"a Residual is immutable; build another one\."):
        bp.Residual(bp.ReLU()).layers = ()
    layers = [bp.Linear(4, 2), bp.LogSoftmax()]
    net = bp.Network(layers, bp.NLLLoss())
    layers.append(bp.ReLU())
    assert len(net.layers) == 2


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("way", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_give_the_same_bits(name, way):
    case = draw(name, NETWORKS[name], 1)
    case.net.cost_and_gradient(case.theta, case.X, case.y)  # a used network, with tapes in being
    copied = way(case.net)
    assert repr(copied) == repr(case.net)
    for one, other in zip(
        copied.cost_and_gradient(case.theta, case.X, case.y),
        case.net.cost_and_gradient(case.theta, case.X, case.y),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(AttributeError):
        copied.loss = None


@pytest.mark.parametrize("fused", [True, False])
def test_one_network_serves_many_threads_at_once(fused):
    net = bp.Network(
        [bp.Linear(4, 8), bp.Residual(bp.Tanh()), bp.Linear(8, 3)],
        bp.CrossEntropyLoss(),
        fused=fused,
    )
    thetas = np.random.default_rng(0).normal(size=(24, net.n_parameters))
    X, y = blobs(n_rows=600)

    def everything(theta):
        cost, grad = net.cost_and_gradient(theta, X, y)
        return cost, grad, net.hessian_vector_product(theta, X, y, grad), net.forward(theta, X)

    expected = [everything(theta) for theta in thetas]
    with ThreadPoolExecutor(4) as pool:
        # A tape shared by two threads would mix their values; what BLAS rounds may differ.
        for got, alone in zip(pool.map(everything, thetas), expected, strict=True):
            for one, other in zip(got, alone, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_results_are_not_overwritten_by_the_next_call():
    net, (X, y) = network_b(), blobs(n_classes=2)
    theta = net.init(0)
    results = [
        net.forward(theta, X), net.cost_and_gradient(theta, X, y)[1],
        net.gradients_per_row(theta, X, y), net.hessian_vector_product(theta, X, y, theta),
        net.trace(theta, X, y).z[2],
    ]  # fmt: skip
    kept = copy.deepcopy(results)
    other = net.init(1)
    net.forward(other, X), net.cost_and_gradient(other, X, y), net.trace(other, X, y)
    net.gradients_per_row(other, X, y), net.hessian_vector_product(other, X, y, theta)
    np.testing.assert_equal(results, kept)


def test_repr_shows_how_to_build_it():
    net = bp.Network([bp.Linear(4, 2), bp.Residual(bp.ReLU())], bp.CrossEntropyLoss(), "float32")
    again = eval(repr(net), {"Network": bp.Network, **vars(bp.layers), **vars(bp.losses)})
    assert again.layers == net.layers
    assert again.dtype == net.dtype
