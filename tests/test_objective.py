"""The objective: value, gradient, curvature, batches and their masks, and the count of rows."""

import numpy as np
import pytest

import backpass as bp
from backpass.masks import dropout_mask
from backpass.objective import BatchObjective, Objective
from backpass.penalties import ElasticNet, weights_only


def batch_objective(net, n_rows=30, weight=None, l2=0.1, seed=9):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, 4)), rng.integers(3, size=n_rows)
    penalty = ElasticNet(weights_only(net.layout), l2=l2)
    return BatchObjective(net, X, y, weight, penalty, seed)


def small_net(*between, dtype="float64"):
    return bp.Network(
        [bp.Linear(4, 5), bp.ReLU(), *between, bp.Linear(5, 3), bp.LogSoftmax()],
        loss=bp.NLLLoss(),
        dtype=dtype,
    )


def test_a_batch_is_the_mean_of_its_rows():
    net = small_net()
    weight = np.random.default_rng(5).uniform(0, 2, 30)
    batches = batch_objective(net, weight=weight)
    theta, rows = net.init(1), np.array([3, 0, 28, 11])
    whole = Objective(net, batches.X[rows], batches.y[rows], weight[rows], batches.penalty)
    value, grad = whole.smooth_value_and_gradient(theta)
    mean, mean_grad = batches.mean_and_gradient(theta, rows, 0)
    assert mean == pytest.approx(value / weight[rows].sum(), rel=1e-14)
    np.testing.assert_allclose(mean_grad, grad / weight[rows].sum(), rtol=1e-13, atol=1e-16)


def test_slices_and_numbers_ask_for_the_same_rows():
    net = small_net()
    batches, theta = batch_objective(net), net.init(0)
    one = batches.mean_and_gradient(theta, slice(5, 9), 0)
    two = batches.mean_and_gradient(theta, np.arange(5, 9), 0)
    assert one[0] == two[0]
    np.testing.assert_array_equal(one[1], two[1])


def test_rows_without_weight_have_no_gradient():
    net = small_net()
    batches = batch_objective(net, weight=np.zeros(30))
    assert batches.mean_and_gradient(net.init(0), slice(0, 5), 0) == (0.0, None)


def test_dropout_is_the_network_with_masked_units():
    """A mask belongs to (seed, step, epoch, row): a batch is a mean over thinned networks."""
    net = small_net(bp.Dropout(0.4))
    plain = small_net()
    batches, theta = batch_objective(net, l2=0.0, seed=9), net.init(0)
    rows = np.array([4, 17, 8])
    mean, grad = batches.mean_and_gradient(theta, rows, epoch=6)
    parts = net.parameters(theta)
    costs, mask = [], dropout_mask(9, 2, 6, rows, 5, 0.4)
    assert 0 < (mask == 0).sum() < mask.size
    for row, own in zip(rows, mask, strict=True):
        # a unit times its mask is its outgoing weights times the mask
        thinned = plain.flatten(
            {
                "0.weight": parts["0.weight"],
                "0.bias": parts["0.bias"],
                "2.weight": parts["3.weight"] * own,
                "2.bias": parts["3.bias"],
            }
        )
        costs.append(plain.cost(thinned, batches.X[row : row + 1], batches.y[row : row + 1]))
    assert mean == pytest.approx(np.mean(costs), rel=1e-13)
    for j in (0, 7, 20, 30):
        unit = np.eye(net.n_parameters)[j]
        ahead, _ = batches.mean_and_gradient(theta + 1e-6 * unit, rows, 6)
        behind, _ = batches.mean_and_gradient(theta - 1e-6 * unit, rows, 6)
        assert (ahead - behind) / 2e-6 == pytest.approx(grad[j], rel=1e-5, abs=1e-8)
    other, _ = batches.mean_and_gradient(theta, rows, epoch=7)
    assert other != mean
