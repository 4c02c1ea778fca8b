"""The compiled head of a linear model against its definition, the losses, and extremes."""

import mpmath as mp
import numpy as np
import pytest

from backpass.kernels.head import RUN, logistic_head, softmax_bends, softmax_head, standardise
from backpass.losses import BCEWithLogitsLoss, CrossEntropyLoss

NO_WEIGHT = np.empty(0)


def run_logistic(z, y, weight=NO_WEIGHT):
    delta, bend = np.full_like(z, np.nan), np.full_like(z, np.nan)
    cost = logistic_head(z, np.exp(-np.abs(z)), y, weight, delta, bend)
    return cost, delta, bend


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_rows", [0, 1, RUN - 1, RUN, 3 * RUN + 7])
def test_the_logistic_head_is_the_loss_its_delta_and_its_bend(n_rows, weighted):
    rng = np.random.default_rng(n_rows)
    z, y = 5.0 * rng.normal(size=n_rows), rng.choice([0.0, 1.0, 0.3], size=n_rows)
    weight = rng.uniform(0.0, 3.0, n_rows) if weighted else np.ones(n_rows)
    loss, value = BCEWithLogitsLoss(), np.empty(n_rows)
    expected, bends = np.empty((n_rows, 1)), np.empty((n_rows, 1))
    loss.value(z[:, None], y[:, None], value)
    loss.delta(z[:, None], y[:, None], expected)
    loss.tangent(z[:, None], y[:, None], np.ones((n_rows, 1)), bends)
    cost, delta, bend = run_logistic(z, y, weight if weighted else NO_WEIGHT)
    assert cost == pytest.approx(float(weight @ value), rel=1e-13, abs=1e-300)
    np.testing.assert_allclose(delta, weight * expected[:, 0], rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(bend, weight * bends[:, 0], rtol=1e-14)


@pytest.mark.parametrize("z", [-1e300, -1e4, -50.0, 0.0, 50.0, 1e4, 1e300])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_extreme_logits_keep_their_delta(z, y):
    _, delta, bend = run_logistic(np.array([z]), np.array([y]))
    with mp.workdps(50):
        p = 1 / (1 + mp.exp(-mp.mpf(z)))
        exact = float(p - y) if y == 0.0 else float(-(1 / (1 + mp.exp(mp.mpf(z)))))
        slope = float(1 / (1 + mp.exp(mp.mpf(z))) * p)
    assert delta[0] == pytest.approx(exact, rel=1e-15, abs=1e-308)
    assert bend[0] == pytest.approx(slope, rel=1e-15, abs=1e-308)


def test_the_product_of_a_run_cannot_overflow():
    cost, _, _ = run_logistic(np.zeros(4 * RUN), np.zeros(4 * RUN))
    assert cost == pytest.approx(4 * RUN * np.log(2.0), rel=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_the_softmax_head_is_the_loss_and_its_delta(n_classes, weighted):
    rng = np.random.default_rng(n_classes)
    z, y = 4.0 * rng.normal(size=(50, n_classes)), rng.integers(n_classes, size=50)
    weight = rng.uniform(0.0, 3.0, 50) if weighted else np.ones(50)
    loss, value, expected = CrossEntropyLoss(), np.empty(50), np.empty_like(z)
    loss.value(z, y, value)
    loss.delta(z, y, expected)
    shifted = z - z.max(axis=1, keepdims=True)
    proba, delta = np.exp(shifted), np.full_like(z, np.nan)
    cost = softmax_head(shifted, y, weight if weighted else NO_WEIGHT, delta, proba)
    assert cost == pytest.approx(float(weight @ value), rel=1e-13)
    np.testing.assert_allclose(delta, weight[:, None] * expected, atol=1e-15, rtol=1e-13)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_standardise_is_what_it_says(dtype, ones):
    rng = np.random.default_rng(0)
    x, centre, scale = rng.normal(size=(9, 4)), rng.normal(size=4), rng.uniform(0.5, 2.0, 4)
    root = rng.uniform(size=9)
    seen = (x - centre) / scale
    seen = np.hstack([seen, np.ones((9, 1))]) if ones else seen
    out = np.full(seen.shape, np.nan, dtype)
    longest = standardise(x, centre, 1.0 / scale, root, ones, out)
    np.testing.assert_allclose(out, root[:, None] * seen, rtol=8 * np.finfo(dtype).eps)
    assert longest == pytest.approx(np.square(seen).sum(axis=1).max(), rel=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_bends_of_a_softmax_by_pairs_of_classes(weighted):
    rng = np.random.default_rng(0)
    proba, weight = rng.dirichlet(np.ones(4), 9), rng.uniform(size=9)
    pairs = np.full((9, 10), np.nan)
    softmax_bends(proba, weight if weighted else NO_WEIGHT, pairs)
    a, b = np.triu_indices(4)
    for row, given in enumerate(pairs):
        full = np.diag(proba[row]) - np.outer(proba[row], proba[row])
        expected = full[a, b] * (weight[row] if weighted else 1.0)
        np.testing.assert_allclose(given, expected, rtol=1e-13, atol=1e-16)
