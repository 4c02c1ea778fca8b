"""The joint rules against 50 digits, at logits where their halves lose everything.

Costs and δ are to be right within a few units in the last place, in float64 and in float32.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import backpass as bp

ULPS = {"float64": 4, "float32": 6}  # NumPy's vectorised float32 exp alone may be off by 2.5
LOGITS = {
    "float64": [0.0, 1e-9, 0.3, 1.0, 17.0, 36.8, 50.0, 700.0, 750.0, 1e4, 1e300],
    "float32": [0.0, 1e-5, 0.3, 1.0, 15.0, 17.0, 50.0, 88.0, 100.0, 1e4, 1e38],
}
both_types = pytest.mark.parametrize("dtype", ["float64", "float32"])


def within_ulps(given, exact, dtype, ulps=0):
    """Assert that every number is within a few ulps (ULPS, or more per entry) of 50 digits."""
    expected = np.array([float(value) for value in exact], np.dtype(dtype))
    error = np.abs([mpmath.mpf(float(g)) - e for g, e in zip(given, exact, strict=True)])
    spacing = np.spacing(np.abs(expected)).astype(np.float64)
    off = np.array([float(e) for e in error]) / spacing
    assert (off <= np.maximum(ulps, ULPS[dtype])).all(), f"{off.max():.3g} ulps at {off.argmax()}"


def signed(dtype):
    values = np.array(LOGITS[dtype], dtype)
    return np.concatenate([values, -values])


@both_types
@pytest.mark.parametrize("label", [0, 1])
def test_bce_with_logits(dtype, label):
    logits = signed(dtype)
    cost, delta = _network(bp.Sigmoid(), bp.BCELoss(), logits[:, None], label, dtype)
    with mpmath.workdps(50):
        z = [mpmath.mpf(float(value)) * (1 if label else -1) for value in logits]
        # With the logit's sign towards the label: cost log(1 + e^-z), δ = ∓ 1 / (1 + e^z).
        exact_cost = [mpmath.log1p(mpmath.exp(-x)) if x > -1e5 else -x for x in z]
        sign = -1 if label else 1
        exact_delta = [sign / (1 + mpmath.exp(x)) if x < 1e5 else mpmath.mpf(0) for x in z]
        within_ulps(cost, exact_cost, dtype)
        within_ulps(delta[:, 0], exact_delta, dtype)


@both_types
@pytest.mark.parametrize("label", [0, 1, 2])
def test_log_softmax_nll(dtype, label):
    one = signed(dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(one, one))
    logits = np.stack([a, b, np.zeros_like(a)], axis=1)
    cost, delta = _network(bp.LogSoftmax(), bp.NLLLoss(), logits, label, dtype)
    with mpmath.workdps(50):
        exact_cost, exact_delta = zip(*(_cross_entropy(row, label) for row in logits), strict=True)
        allowed = 2 * ULPS[dtype] + _lost_in_subtraction(logits)
        within_ulps(cost, exact_cost, dtype, allowed)
        for k in range(3):
            within_ulps(delta[:, k], [row[k] for row in exact_delta], dtype, allowed)


def _lost_in_subtraction(logits):
    """Bound, in ulps, what rounding z_k - z_max costs e^(z_k - z_max): 0 for ±50, ±1e4 and ±1e300.

    A problem of the numbers given, not of the rule: a logit of 700 is not known any better.
    """
    lost = []
    for row in logits:
        top = row.max()
        exact = [mpmath.mpf(float(z)) - mpmath.mpf(float(top)) for z in row]
        lost.append(max(abs(e - float(z - top)) for e, z in zip(exact, row, strict=True)))
    return 2.0 * np.array([float(x) for x in lost]) / np.finfo(logits.dtype).eps


def _cross_entropy(logits, label):
    """Return the cost and δ of one row to 50 digits, free of cancellation at that precision."""
    z = [mpmath.mpf(float(value)) for value in logits]
    top = max(z)
    place = z.index(top)
    powers = [mpmath.exp(x - top) if x - top > -1e5 else mpmath.mpf(0) for x in z]
    rest = mpmath.fsum(power for k, power in enumerate(powers) if k != place)
    cost = (top - z[label]) + mpmath.log1p(rest)
    pi = [power / (1 + rest) for power in powers]
    others = mpmath.fsum(value for k, value in enumerate(pi) if k != label)
    return cost, [-others if k == label else value for k, value in enumerate(pi)]


def _network(last, loss, logits, label, dtype):
    """Return each row's cost and δ at the logits, from the network and from its trace."""
    net = bp.Network([last], loss, dtype)
    y = np.full(len(logits), label)
    trace = net.trace([], logits, y)
    costs = trace.z[-1][:, 0]
    one_by_one = [net.cost([], logits[row : row + 1], y[row : row + 1]) for row in range(len(y))]
    eps = np.finfo(dtype).eps  # a compiled plan may round the last bit the other way
    np.testing.assert_allclose(one_by_one, costs, rtol=4 * eps, atol=0.0)
    return costs, trace.delta[1]


@both_types
def test_a_right_label_at_logit_fifty_costs_1e_22_not_zero(dtype):
    exact = float(mpmath.log1p(mpmath.exp(-50)))
    assert 1.9e-22 < exact < 2e-22
    binary = bp.Network([bp.Sigmoid()], bp.BCELoss(), dtype)
    classes = bp.Network([bp.LogSoftmax()], bp.NLLLoss(), dtype)
    eps = float(np.finfo(dtype).eps)
    assert binary.cost([], [[50.0]], [1]) == pytest.approx(exact, rel=8 * eps)
    assert classes.cost([], [[0.0, 50.0]], [1]) == pytest.approx(exact, rel=8 * eps)


@both_types
def test_a_wrong_label_at_ten_thousand_pulls_with_full_strength(dtype):
    binary = bp.Network([bp.Sigmoid()], bp.BCELoss(), dtype)
    trace = binary.trace([], [[-1e4]], [1])
    assert trace.delta[1][0, 0] == -1.0
    assert trace.cost == 1e4
    classes = bp.Network([bp.LogSoftmax()], bp.NLLLoss(), dtype)
    trace = classes.trace([], [[1e4, 0.0]], [1])
    assert trace.delta[1].tolist() == [[1.0, -1.0]]
    assert trace.cost == 1e4


@both_types
@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_label_smoothing(dtype, smoothing):
    """δ = π - q cancels where π is near q, so it is compared in ulps of 1."""
    one = signed(dtype)[np.abs(signed(dtype)) < 1e5]
    a, b = (grid.ravel() for grid in np.meshgrid(one, one))
    logits = np.stack([a, b, np.zeros_like(a)], axis=1)
    loss = bp.CrossEntropyLoss(label_smoothing=smoothing)
    y = loss.targets(np.ones(len(a), int), len(a), 3, np.dtype(dtype))
    value, delta = np.empty(len(a), dtype), np.empty_like(logits)
    loss.value(logits, y, value)
    loss.delta(logits, y, delta)
    with mpmath.workdps(50):
        eps = mpmath.mpf(smoothing)
        q = [eps / 3 + (1 - eps) * (k == 1) for k in range(3)]
        exact = [[_cross_entropy(row, k) for k in range(3)] for row in logits]
        within_ulps(
            value,
            [mpmath.fdot(q, [c for c, _ in row]) for row in exact],
            dtype,
            16 + _lost_in_subtraction(logits),
        )
        for k in range(3):
            expected = [row[k][1][k] + 1 - q[k] for row in exact]
            np.testing.assert_allclose(
                delta[:, k].astype(float), [float(e) for e in expected],
                rtol=0.0, atol=4 * np.finfo(dtype).eps,
            )  # fmt: skip


@both_types
def test_soft_targets(dtype):
    logits = signed(dtype)
    loss, target = bp.BCEWithLogitsLoss(), np.dtype(dtype).type(0.3)
    y = loss.targets(np.full(len(logits), target), len(logits), 1, np.dtype(dtype))
    value, delta = np.empty(len(logits), dtype), np.empty((len(logits), 1), dtype)
    loss.value(logits[:, None], y, value)
    loss.delta(logits[:, None], y, delta)
    with mpmath.workdps(50):
        q = mpmath.mpf(float(target))
        z = [mpmath.mpf(float(x)) for x in logits]
        far = [abs(x) > 1e5 for x in z]
        exact = [
            (1 - q) * max(x, 0) + q * max(-x, 0) + (0 if f else mpmath.log1p(mpmath.exp(-abs(x))))
            for x, f in zip(z, far, strict=True)
        ]
        within_ulps(value, exact, dtype)
        sigm = [
            mpmath.mpf(x > 0) if f else 1 / (1 + mpmath.exp(-x))
            for x, f in zip(z, far, strict=True)
        ]
        expected = [float(s - q) for s in sigm]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(delta[:, 0].astype(float), expected, rtol=0.0, atol=2 * eps)


@both_types
@pytest.mark.parametrize("logit", [0.0, 17.0, 53.0, -53.0])
def test_the_curvature_of_a_certain_class_keeps_its_digits(dtype, logit):
    """H of two logits is π₁π₂ · (1, -1; -1, 1): no entry is 0 where a π is 1 to the last bit."""
    z, exact = np.array([[logit, 0.0]], dtype), mpmath.mpf(float(logit))
    bend = mpmath.exp(exact) / (1 + mpmath.exp(exact)) ** 2
    for unit in (0, 1):
        direction, got = np.zeros_like(z), np.empty_like(z)
        direction[0, unit] = 1.0
        bp.CrossEntropyLoss().tangent(z, np.array([0]), direction, got)
        signs = [1, -1] if unit == 0 else [-1, 1]
        within_ulps(got[0], [sign * bend for sign in signs], dtype)
