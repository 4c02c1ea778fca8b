"""Every message of the engine: where, what came, what to do, in the user's own names."""

from __future__ import annotations

import re

import numpy as np
import pytest

import backpass as bp

X = np.arange(12.0).reshape(4, 3) / 10.0
Y = np.array([0, 1, 2, 1])


def network(dtype="float64", fused=True):
    return bp.Network(
        [bp.Linear(3, 4), bp.ReLU(), bp.Linear(4, 3), bp.LogSoftmax()], bp.NLLLoss(), dtype, fused
    )


def binary():
    return bp.Network([bp.Linear(3, 1), bp.Sigmoid()], bp.BCELoss())


def says(text, kind=ValueError):
    """Expect an error with exactly this text in its message."""
    return pytest.raises(kind, match=re.escape(text))


# ---- building a network: steps.py, pairs.py -----------------------------------------------------


def test_neighbours_that_do_not_fit_are_both_named():
    with says(
        "layer 3, Linear(n_in=20, n_out=16, bias=True), takes 20 values per row but "
        "layer 2, ReLU(), gives 32; make them equal."
    ):
        bp.Network([bp.Linear(4, 32), bp.ReLU(), bp.Linear(20, 16)], bp.CrossEntropyLoss())


def test_neighbours_inside_a_residual_are_named_by_their_places():
    with says(
        "layer 2.2, Linear(n_in=5, n_out=4, bias=True), takes 5 values per row but "
        "layer 2.1, ReLU(), gives 4; make them equal."
    ):
        bp.Network(
            [bp.Linear(3, 4), bp.Residual(bp.ReLU(), bp.Linear(5, 4))], bp.CrossEntropyLoss()
        )


def test_a_residual_chain_must_end_as_wide_as_it_starts():
    with says(
        "layer 2, Residual: its chain takes 4 values per row and gives 5; "
        "the two are added, so make them equal."
    ):
        bp.Network([bp.Linear(3, 4), bp.Residual(bp.Linear(4, 5))], bp.CrossEntropyLoss())


def test_an_empty_residual_or_network_is_refused():
    with says("Residual() needs at least one layer; x + x is not what is meant."):
        bp.Residual()
    with says("a network needs at least one layer."):
        bp.Network([], bp.NLLLoss())


@pytest.mark.parametrize("stranger", [bp.ReLU, "relu", bp.NLLLoss()])
def test_what_is_not_a_layer_is_named_with_its_place(stranger):
    with says(f"place 1 of the network holds {stranger!r}, which is not a layer", TypeError):
        bp.Network([bp.Linear(3, 4), stranger], bp.CrossEntropyLoss())
    with says("place 1.0 of the network holds", TypeError):
        bp.Network([bp.Linear(3, 4), bp.Residual(stranger)], bp.CrossEntropyLoss())


def test_loss_and_dtype_are_checked():
    with says("loss must be a loss such as bp.NLLLoss(), got <class", TypeError):
        bp.Network([bp.Linear(3, 4)], bp.NLLLoss)
    with says("dtype must be 'float64' or 'float32', got 'float16'."):
        bp.Network([bp.Linear(3, 4)], bp.CrossEntropyLoss(), dtype="float16")


@pytest.mark.parametrize(
    ("last", "loss", "remedy"),
    [
        (bp.Softmax(), bp.CrossEntropyLoss(), "drop Softmax()"),
        (bp.LogSoftmax(), bp.CrossEntropyLoss(), "drop LogSoftmax(), or use NLLLoss()"),
        (bp.Softmax(), bp.NLLLoss(), "end the layers with LogSoftmax(), or use CrossEntropyLoss()"),
        (bp.ReLU(), bp.NLLLoss(), "end the layers with LogSoftmax(), or use CrossEntropyLoss()"),
        (
            bp.Linear(3, 3),
            bp.BCELoss(),
            "end the layers with Sigmoid(), or use BCEWithLogitsLoss()",
        ),
        (bp.Softmax(), bp.BCEWithLogitsLoss(), "drop Softmax()"),
        (bp.Sigmoid(), bp.BCEWithLogitsLoss(), "drop Sigmoid(), or use BCELoss()"),
    ],
    ids=repr,
)
def test_wrong_pairs_are_refused_with_both_named(last, loss, remedy):
    with pytest.raises(ValueError, match=re.escape(f"{last!r} → {loss!r}: ") + ".*") as caught:
        bp.Network([bp.Linear(3, 3), last], loss)
    assert str(caught.value).endswith(f"{remedy}.")


@pytest.mark.parametrize("sizes", [(0, 3), (3, -1), (2.5, 3), ("3", 3)])
def test_sizes_of_a_linear_layer(sizes):
    with says("must be a whole number, 1 or more."):
        bp.Linear(*sizes)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_the_probability_of_dropout(p):
    with says("p is a probability, 0 <= p < 1."):
        bp.Dropout(p)


# ---- X, θ and weights: batch.py, theta.py -------------------------------------------------------


def test_theta_of_another_size():
    net = network()
    with says("theta has shape (3,); this network has 31 parameters, so it takes (31,)."):
        net.cost(np.zeros(3), X, Y)
    with says("theta has shape (31, 1)"):
        net.parameters(np.zeros((31, 1)))


def test_names_that_flatten_does_not_know_or_misses():
    net = binary()
    with says(
        "parameters ['0.bias'] are missing and ['bias'] are unknown; "
        "this network has ['0.weight', '0.bias']."
    ):
        net.flatten({"0.weight": np.zeros((1, 3)), "bias": [0.0]})
    with says("parameter '0.weight' has shape (1, 3), got (3,)."):
        net.flatten({"0.weight": np.zeros(3), "0.bias": [0.0]})


def test_rows_of_the_wrong_width_or_shape():
    net = network()
    theta = net.init()
    with says("takes 3 values per row but X has 2; make them equal."):
        net.cost(theta, X[:, :2], Y)
    with says("X has shape (3,); expected (n_rows, n_features). One row alone is X[None, :]."):
        net.forward(theta, X[0])
    with says("X has shape (1, 4, 3); expected (n_rows, n_features)."):
        net.forward(theta, X[None])
    with says("X holds <U1 values; expected numbers."):
        net.forward(theta, np.full((4, 3), "a"))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, -2, 1], "sample_weight, row 2: -2.0; weights are finite and not negative."),
        ([1, np.nan, 1, 1], "sample_weight, row 1: nan; weights are finite and not negative."),
        ([1, 1, 1, np.inf], "sample_weight, row 3: inf; weights are finite and not negative."),
        ([1, 1], "sample_weight has shape (2,); expected (4,), one per row of X."),
    ],
)
def test_weights(weight, message):
    net = network()
    for method in (net.cost, net.cost_and_gradient):
        with says(message):
            method(net.init(), X, Y, sample_weight=weight)
    with says(message):
        net.hessian_vector_product(net.init(), X, Y, net.init(), weight)


# ---- labels: losses/base.py ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 3, 1], "y, row 2: class 3; the network has 3 outputs, so classes are 0 to 2."),
        ([0, -1, 2, 1], "y, row 1: class -1; the network has 3 outputs, so classes are 0 to 2."),
        ([0, 1, 2], "y has shape (3,); expected (4,), one class per row of X."),
        (np.eye(4, 3), "y has shape (4, 3); expected (4,), one class per row of X."),
        ([0, 0.5, 1, 1], "y holds float64 values; expected whole numbers"),
        ([0, np.nan, 1, 1], "y holds float64 values; expected whole numbers"),
        (["a", "b", "a", "b"], "y holds <U1 values; expected whole numbers"),
    ],
)
def test_class_labels(y, message):
    net = network()
    for method in (net.cost, net.cost_and_gradient, net.gradients_per_row, net.trace):
        with says(message):
            method(net.init(), X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 2, 1], "y, row 2: 2; expected 0, 1 or a probability between them."),
        ([0, -0.5, 1, 1], "y, row 1: -0.5; expected 0, 1 or a probability between them."),
        ([0, 1, 1, np.nan], "y, row 3: nan; expected 0, 1 or a probability between them."),
        ([[0, 1]] * 4, "y has shape (4, 2); expected (4, 1) or (4,)."),
        (["no", "yes", "no", "no"], "y holds <U3 values; expected numbers in [0, 1]."),
    ],
)
def test_targets_of_one_output(y, message):
    with says(message):
        binary().cost(np.zeros(4), X, y)


def test_targets_of_many_outputs_name_the_column():
    net = bp.Network([bp.Linear(3, 2), bp.Sigmoid()], bp.BCELoss())
    with says("y, row 1, column 0: 7; expected 0, 1 or a probability between them."):
        net.cost(np.zeros(8), X, [[0, 1], [7, 1], [0, 0], [1, 1]])
    with says("y has shape (4,); expected (4, 2)."):
        net.cost(np.zeros(8), X, Y)


# ---- inf and nan: diagnosis.py ------------------------------------------------------------------

every_pass = pytest.mark.parametrize(
    "method",
    [
        "cost",
        "cost_and_gradient",
        "gradients_per_row",
        "hessian_vector_product",
        "forward",
        "trace",
    ],
)
both = pytest.mark.parametrize("fused", [True, False])


def call(net, method, theta, rows):
    """Call a method of a network with as many arguments as it takes."""
    arguments = {"forward": (theta, rows), "hessian_vector_product": (theta, rows, Y, theta)}
    return getattr(net, method)(*arguments.get(method, (theta, rows, Y)))


@every_pass
@both
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_x_that_is_not_finite_is_named_by_row_and_column(method, fused, value):
    net, rows = network(fused=fused), X.copy()
    rows[2, 1] = value
    with says(f"X, row 2, column 1: {value}; expected finite numbers. Drop the row"):
        call(net, method, net.init(), rows)


@every_pass
def test_x_is_seen_where_the_first_layer_would_swallow_it(method):
    net = bp.Network([bp.ReLU(), bp.Linear(3, 3)], bp.CrossEntropyLoss())
    rows = X.copy()
    rows[3, 0] = -np.inf  # ReLU makes 0 of it
    with says("X, row 3, column 0: -inf; expected finite numbers."):
        call(net, method, net.init(), rows)


@both
def test_rows_are_counted_through_the_slices(fused):
    net = bp.Network(
        [bp.Linear(1, 2), bp.ReLU(), bp.Linear(2, 2)], bp.CrossEntropyLoss(), fused=fused
    )
    rows = np.zeros((70_000, 1))
    rows[66_666] = np.nan
    with says("X, row 66666, column 0: nan"):
        net.cost_and_gradient(net.init(), rows, np.zeros(70_000, int))


@every_pass
@both
@pytest.mark.parametrize("place", [0, 13, 20, 30])
def test_theta_that_is_not_finite_is_named(method, fused, place):
    net = network(fused=fused)
    theta = net.init()
    theta[place] = np.nan
    name, entry = net.layout.name_at(place)
    with says(f"theta: '{name}'{list(entry)} is nan; expected finite numbers."):
        call(net, method, theta, X)


@both
@pytest.mark.parametrize("method", ["cost", "cost_and_gradient", "gradients_per_row", "trace"])
def test_the_layer_that_makes_the_first_inf_is_named(method, fused):
    net = network(fused=fused)
    theta = net.init()
    net.parameters(theta)["2.weight"][...] = 1e300
    net.parameters(theta)["0.weight"][...] = 1e200
    with says(
        "the output of layer 3, Linear(n_in=4, n_out=3, bias=True), is inf at row 0, unit 0, "
        "though its input is finite. Scale the columns of X down, or use smaller parameters.",
        FloatingPointError,
    ):
        call(net, method, theta, X + 1.0)


@both
def test_float32_overflows_earlier(fused):
    net = network("float32", fused)
    theta = net.init() * 1e30
    with pytest.raises(FloatingPointError, match=r"the output of layer 3, Linear.* is -?(inf|nan)"):
        net.cost_and_gradient(theta, X, Y)
    network(fused=fused).cost_and_gradient(theta, X, Y)


@both
@pytest.mark.parametrize("method", ["cost_and_gradient", "gradients_per_row", "trace"])
def test_a_gradient_that_overflows_names_the_parameter(method, fused):
    """Each loss is finite and so is each δ; 1e200 · δ is not."""
    net = bp.Network(
        [bp.Linear(1, 2), bp.Tanh(), bp.Linear(2, 2)], bp.CrossEntropyLoss(), fused=fused
    )
    theta = np.zeros(net.n_parameters)
    net.parameters(theta)["2.weight"][...] = [[1e200, 1e200], [-1e200, -1e200]]
    with says("the gradient of '0.weight'[0, 0] is -inf", FloatingPointError):
        getattr(net, method)(theta, [[1e200]], [0])


def test_a_hessian_product_that_overflows_is_an_error():
    net = bp.Network([bp.Linear(1, 2)], bp.CrossEntropyLoss())
    with pytest.raises(FloatingPointError, match=r"the gradient of '0\.weight'"):
        net.hessian_vector_product(np.zeros(4), [[1e200]], [0], [1.0, 0.0, 0.0, 0.0])


def test_a_loss_that_is_not_finite_is_named():
    net = bp.Network([bp.Softmax()], bp.BCELoss())
    with says("the loss, BCELoss(), is inf at row 0", FloatingPointError):
        net.cost([], [[800.0, 0.0]], [[0, 1]])


def test_a_delta_that_is_not_finite_names_the_layer_that_sends_it():
    class Broken(bp.Tanh):
        def backward(self, params, z_in, z_out, delta_out, delta_in):
            delta_in[...] = np.inf

        def __repr__(self):
            return "Broken()"

    net = bp.Network([bp.Linear(3, 3), Broken()], bp.CrossEntropyLoss())
    with says(
        "the δ that layer 2, Broken(), sends back, is inf at row 0, unit 0", FloatingPointError
    ):
        net.cost_and_gradient(net.init(), X, Y)


@both
def test_large_finite_values_are_no_false_alarm(fused):
    """Squares of 1e200 overflow in the cheap test; the close look finds all finite."""
    net = bp.Network([bp.Linear(1, 2)], bp.CrossEntropyLoss(), fused=fused)
    theta = np.array([1.0, -1.0, 0.0, 0.0])
    cost, grad = net.cost_and_gradient(theta, [[1e200]], [1])
    assert cost == 2e200
    np.testing.assert_array_equal(grad, [1e200, -1e200, 1.0, -1.0])
    np.testing.assert_array_equal(net.forward(theta, [[1e200]]), [[1e200, -1e200]])


@both
def test_a_failed_pass_leaves_nothing_behind_for_the_next(fused):
    """Tapes are used again: what overflowed on one must not be held against the next pass."""
    net = bp.Network([bp.Linear(1, 2)], bp.CrossEntropyLoss(), fused=fused)
    good, bad = np.array([1.0, -1.0, 0.0, 0.0]), np.array([1e308, -1e308, 0.0, 0.0])
    with pytest.raises(FloatingPointError):
        net.cost_and_gradient(bad, [[10.0]], [0])
    # 1e200 makes the cheap test look closely, at this pass's numbers only.
    for rows in ([[1e200]], [[1.0]]):
        assert np.isfinite(net.forward(good, rows)).all()
        assert np.isfinite(net.cost(good, rows, [1]))
        assert np.isfinite(net.gradients_per_row(good, rows, [1])).all()


def test_no_warning_leaks_out_of_a_pass():
    """Warnings are errors in these tests, so an overflow that is survived must be silent."""
    net = bp.Network([bp.Linear(1, 1), bp.Sigmoid()], bp.BCELoss())
    for logit in (-1e300, -800.0, 800.0, 1e300):
        assert np.isfinite(net.cost_and_gradient([1.0, 0.0], [[logit]], [1])[0])
        net.trace([1.0, 0.0], [[logit]], [1])
