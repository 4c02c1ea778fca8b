"""A trace is one pass laid open: values, δ, Jacobians, and the chain rule written out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.oracles.cases import draw, networks

import backpass as bp
from backpass import trace as trace_module

NETWORKS = networks()
every_network = pytest.mark.parametrize("name", NETWORKS)


def traced(name, seed=3):
    case = draw(name, NETWORKS[name], seed)
    return case, case.net.trace(case.theta, case.X, case.y)


def note_example():
    """Figure 1 of the note: Linear → log-softmax → NLL, two classes."""
    net = bp.Network([bp.Linear(2, 2), bp.LogSoftmax()], bp.NLLLoss())
    rng = np.random.default_rng(0)
    theta, X = rng.normal(size=net.n_parameters), rng.normal(size=(3, 2))
    return net, net.trace(theta, X, [0, 1, 1]), X


@every_network
def test_values_deltas_and_gradient_are_those_of_the_network(name):
    case, trace = traced(name)
    np.testing.assert_array_equal(trace.z[1], case.X)
    np.testing.assert_allclose(trace.z[-2], case.net.forward(case.theta, case.X), rtol=1e-12)
    cost, grad = case.net.cost_and_gradient(case.theta, case.X, case.y)
    assert trace.cost == pytest.approx(cost, rel=1e-12)
    assert trace.z[-1].shape == (len(case.X), 1)
    assert trace.z[-1].sum() == pytest.approx(cost, rel=1e-12)
    np.testing.assert_array_equal(trace.delta[-1], 1.0)
    size = np.abs(grad).max()
    np.testing.assert_allclose(case.net.flatten(trace.gradient), grad, rtol=0, atol=1e-12 * size)
    assert [a.shape for a in trace.z] == [a.shape for a in trace.delta]
    assert len(trace.names) == len(trace.z) - 1


@every_network
def test_delta_is_the_derivative_of_the_cost_by_each_value(name):
    """δ¹ by differences of the input, in one random direction a row."""
    case, trace = traced(name)
    net, step = case.net, 1e-5 * np.random.default_rng(0).normal(size=case.X.shape)
    for row in range(len(case.X)):
        one = slice(row, row + 1)
        ahead, behind = (
            net.cost(case.theta, case.X[one] + sign * step[one], case.y[one]) for sign in (1, -1)
        )
        slope = trace.delta[1][row] @ step[row]
        assert (ahead - behind) / 2 == pytest.approx(slope, rel=1e-5, abs=1e-12)


@every_network
def test_jacobians_carry_delta_from_level_to_level(name):
    """δ^L = δ^{L+1} ∂z^{L+1}/∂z^L, where level L feeds only the next one."""
    case, trace = traced(name)
    steps = case.net.steps
    for L in range(1, len(trace.z)):
        if len(steps) >= L and steps[L - 1].also_feeds:
            continue
        for row in range(len(case.X)):
            jacobian = trace.jacobian(L, row)
            assert jacobian.shape == (trace.z[L + 1].shape[1], trace.z[L].shape[1])
            back = trace.delta[L + 1][row] @ jacobian
            size = np.abs(trace.delta[L + 1][row]) @ np.abs(jacobian)
            assert (np.abs(back - trace.delta[L][row]) <= 1e-9 * size + 1e-15).all()


@every_network
def test_the_paths_of_an_entry_sum_to_its_gradient_for_the_row(name):
    case, trace = traced(name)
    rows = case.net.gradients_per_row(case.theta, case.X, case.y)
    for flat in (0, len(case.theta) // 2, len(case.theta) - 1):
        parameter, index = case.net.layout.name_at(flat)
        paths = trace.paths(parameter, index, row=1)
        products = [path.product for path in paths.paths]
        size = np.abs(products).sum()
        assert paths.n_paths == len(products) > 0
        assert sum(products) == pytest.approx(rows[1, flat], rel=1e-9, abs=1e-12 * size)
        assert paths.total == pytest.approx(rows[1, flat], rel=1e-9, abs=1e-12 * size)
        assert paths.multiplications == sum(len(path.factors) - 1 for path in paths.paths)
        for path in paths.paths:
            levels = [level for level, _ in path.units]
            assert levels == sorted(levels)
            assert levels[-1] == len(trace.z)
            assert len(path.factors) == len(path.units)


def test_the_notes_example_has_four_paths():
    """The sum of four products on p. 3, written out, for θ_1 = weight[0, :]."""
    _, trace, X = note_example()
    paths = trace.paths("0.weight", (0, 1), row=2)
    assert paths.n_paths == 4
    assert {path.units for path in paths.paths} == {
        ((2, i), (3, j), (4, 0)) for i in range(2) for j in range(2)
    }
    d4, d3 = trace.jacobian(3, 2), trace.jacobian(2, 2)
    for path in paths.paths:
        (_, i), (_, j), _ = path.units
        enters = X[2, 1] if i == 0 else 0.0  # z²_2 does not depend on θ_1
        assert path.factors == pytest.approx((enters, d3[j, i], d4[0, j]))
    # Four products of three factors; the recursion: δ³ (given), δ² = 2·2 products, then 2.
    assert paths.multiplications == 8
    assert paths.recursion_multiplications == 6


def test_the_printed_chain_rule_reads_like_the_notes():
    _, trace, _ = note_example()
    text = str(trace.paths("0.bias", 0, row=0))
    lines = text.splitlines()
    assert lines[0] == "∂C/∂0.bias[0], row 0"
    assert len(lines) == 6
    assert lines[1].startswith("  z⁴ ← z³₁ ← z²₁:  ")
    assert not any(line.endswith("= -0") for line in lines)
    assert lines[-1].startswith("  sum of 4 paths = ")
    assert lines[-1].endswith("8 multiplications, the recursion needs 6")


def test_recursion_cost_grows_by_levels_where_paths_multiply():
    layers = [layer for _ in range(4) for layer in (bp.Linear(3, 3), bp.Tanh())]
    net = bp.Network(layers, bp.CrossEntropyLoss())
    trace = net.trace(net.init(0), np.ones((1, 3)), [0])
    paths = trace.paths("0.weight", (0, 0), 0)
    assert paths.n_paths == 3**8
    assert paths.recursion_multiplications == 3 + 7 * 9
    assert paths.multiplications == 3**8 * 8
    assert sum(path.product for path in paths.paths) == pytest.approx(paths.total, rel=1e-9)


def test_of_many_paths_the_text_has_the_largest_and_the_sum_of_the_others():
    layers = [layer for _ in range(4) for layer in (bp.Linear(3, 3), bp.Tanh())]
    net = bp.Network(layers, bp.CrossEntropyLoss())
    paths = net.trace(net.init(0), np.ones((1, 3)), [0]).paths("0.weight", (0, 0), 0)
    _, *written, others, _ = str(paths).splitlines()
    sizes = np.array([abs(float(line.rpartition("= ")[2])) for line in written])
    products = sorted((path.product for path in paths.paths), key=abs, reverse=True)
    assert sizes == pytest.approx(np.abs(products[:64]), rel=1e-5)
    assert others.startswith(f"  and {3**8 - 64} smaller ones, their sum ")
    rest = float(others.rpartition(" ")[2])
    assert rest == pytest.approx(paths.total - sum(products[:64]), rel=1e-4, abs=1e-12)
    assert len(paths.paths) == 3**8


def test_counts_are_exact_at_any_depth():
    layers = [layer for _ in range(40) for layer in (bp.Linear(10, 10), bp.Tanh())]
    net = bp.Network(layers, bp.CrossEntropyLoss())
    counts = net.trace(net.init(0), np.ones((1, 10)), [0]).count_paths("0.weight")
    assert counts.n_paths == 10**80
    assert counts.multiplications == 10**80 * 80


def test_residuals_add_paths_around_the_chain():
    net = bp.Network([bp.Linear(2, 2), bp.Residual(bp.Tanh())], bp.CrossEntropyLoss())
    trace = net.trace(net.init(0), np.ones((1, 2)), [0])
    paths = trace.paths("0.bias", 0, 0)
    # From each of 2 units: 2 through Tanh, then straight through the sum; 1 around. z² → z⁴ → cost.
    assert paths.n_paths == 2 * (2 + 1)
    assert sum(path.product for path in paths.paths) == pytest.approx(paths.total, rel=1e-12)
    around = [path for path in paths.paths if [level for level, _ in path.units] == [2, 4, 5]]
    assert len(around) == 2


def test_too_many_paths_are_counted_but_not_written_out(monkeypatch):
    _, trace, _ = note_example()
    written = trace.paths("0.weight", (0, 0), 0)
    monkeypatch.setattr(trace_module, "MOST_PATHS", 3)
    counted = trace.paths("0.weight", (0, 0), 0)
    assert counted.paths == ()
    assert (counted.n_paths, counted.total) == (4, written.total)
    assert counted.multiplications == written.multiplications


@pytest.mark.parametrize(
    ("last", "loss", "X", "y", "delta"),
    [
        (bp.Sigmoid(), bp.BCELoss(), [[-1e4], [1.0]], [1, 1], -1.0),
        (bp.Sigmoid(), bp.BCELoss(), [[1.0], [800.0]], [1, 0], 1.0),
    ],
)
def test_where_a_half_overflows_the_joint_delta_is_shown_and_said(last, loss, X, y, delta):
    net = bp.Network([last], loss)
    trace = net.trace([], X, y)
    (note,) = trace.notes
    row = int(np.flatnonzero(trace.delta[1][:, 0] == delta)[0])
    assert note.startswith(f"row {row}: in Sigmoid() → BCELoss() a half overflows float64")
    assert re.search(rf"the δ shown, {delta:.0f}, is that of the joint rule", note)
    assert np.isfinite(trace.delta[1]).all()
    assert np.isfinite(trace.z[-1]).all()


def test_no_notes_where_the_halves_do_well():
    _, trace, _ = note_example()
    assert trace.notes == ()
    # The product of the halves is then the joint δ: a trace does not contradict itself.
    for row in range(3):
        halves = trace.delta[3][row] @ trace.jacobian(2, row)
        np.testing.assert_allclose(halves, trace.delta[2][row], rtol=1e-12, atol=1e-15)


def test_levels_rows_and_names_that_do_not_exist():
    _, trace, _ = note_example()
    with pytest.raises(IndexError, match=r"level 0: levels are 1 \(the input\) to 4 \(the cost\)"):
        trace.z[0]
    with pytest.raises(IndexError, match=r"level 5: levels are 1"):
        trace.delta[5]
    with pytest.raises(TypeError, match=r"take one level at a time"):
        trace.z[1:3]
    with pytest.raises(IndexError, match=r"level 4: jacobian\(L\) takes 1 to 3"):
        trace.jacobian(4, 0)
    with pytest.raises(IndexError, match=r"row 3: this trace has rows 0 to 2"):
        trace.jacobian(1, 3)
    with pytest.raises(IndexError, match=r"row -1: this trace has rows 0 to 2"):
        trace.paths("0.weight", (0, 0), -1)
    with pytest.raises(KeyError, match=r"no parameter '1.weight'; there are"):
        trace.paths("1.weight", (0, 0), 0)
    assert trace.z[-1] is trace.z[4]


@pytest.mark.parametrize("index", [(5, 0), (0, 2), (-1, 0), (0,), 0, (0, 0, 0), (0.0, 0), "00"])
def test_an_entry_that_a_parameter_does_not_have(index):
    _, trace, _ = note_example()
    said = re.escape(
        f"index {index!r}: 0.weight has the shape (2, 2), so its entries are (0, 0) to (1, 1)."
    )
    for ask in (trace.paths, trace.parameter_jacobian):
        with pytest.raises(IndexError, match=said):
            ask("0.weight", index, 0)
    with pytest.raises(IndexError, match="row 3: this trace has rows 0 to 2"):
        trace.parameter_jacobian("0.bias", 0, 3)


def test_an_index_may_be_one_number_and_numpys():
    _, trace, _ = note_example()
    assert trace.paths("0.bias", np.int64(1), 0) == trace.paths("0.bias", (1,), 0)


def test_its_repr_lists_levels_and_shapes_and_no_array():
    _, trace, _ = note_example()
    assert repr(trace).splitlines() == [
        f"Trace of 3 rows in float64, cost {trace.cost:.6g}",
        "  z¹   (3, 2)       the input",
        "  z²   (3, 2)       from Linear(n_in=2, n_out=2, bias=True)",
        "  z³   (3, 2)       from LogSoftmax()",
        "  z⁴   (3, 1)       from NLLLoss()",
        "  gradient: 0.weight (2, 2), 0.bias (2,)",
    ]
    assert repr(trace.delta) == "Levels(1: (3, 2), 2: (3, 2), 3: (3, 2), 4: (3, 1))"


def test_the_repr_of_a_deep_network_is_short_and_notes_are_told():
    net = bp.Network([bp.Tanh() for _ in range(200)], bp.CrossEntropyLoss())
    text = repr(net.trace([], np.ones((1, 2)), [0]))
    assert len(text.splitlines()) == 2 + trace_module.MOST_LEVELS + 1
    assert "1 row in" in text and "z²⁰²" in text and "\n  ...\n" in text
    assert "gradient: none" in text
    net = bp.Network([bp.Sigmoid()], bp.BCELoss())
    assert "\n  note: row 0: in Sigmoid()" in repr(net.trace([], [[-1e4]], [1]))


def test_a_float32_trace_holds_float32():
    net = bp.Network([bp.Linear(2, 2)], bp.CrossEntropyLoss(), "float32")
    trace = net.trace(net.init(0), np.ones((2, 2)), [0, 1])
    assert {array.dtype for array in (*trace.z, *trace.delta)} == {np.dtype("float32")}
    assert trace.gradient["0.weight"].dtype == np.float64
