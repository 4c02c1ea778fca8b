"""The objective: value, gradient, curvature, batches and their masks, and the count of rows."""

import numpy as np
import pytest

import backpass as bp
from backpass.masks import dropout_mask
from backpass.objective import BatchObjective, LinearObjective, Objective
from backpass.penalties import ElasticNet, weights_only
from backpass.runner import reproducible


def linear_objective(n_classes, bias=True, l2=0.0, weighted=True, n_rows=40, seed=0, X=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3)) if X is None else X
    y = rng.integers(n_classes, size=len(X))
    n_out = 1 if n_classes == 2 else n_classes
    end = (bp.Sigmoid(), bp.BCELoss()) if n_out == 1 else (bp.LogSoftmax(), bp.NLLLoss())
    net = bp.Network([bp.Linear(X.shape[1], n_out, bias=bias), end[0]], loss=end[1])
    weight = rng.uniform(0.0, 2.0, len(X)) if weighted else None
    penalty = ElasticNet(weights_only(net.layout), l2=l2)
    return LinearObjective(net, X, y, weight, penalty)


CASES = [(2, True), (2, False), (4, True), (4, False)]


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
def test_curvature_is_the_exact_hessian(n_classes, bias):
    objective = linear_objective(n_classes, bias, l2=0.7)
    net = objective.network
    theta = np.random.default_rng(1).normal(size=net.n_parameters)
    columns = [
        net.hessian_vector_product(theta, objective.X, objective.y, unit, objective.sample_weight)
        for unit in np.eye(net.n_parameters)
    ]
    expected = np.array(columns) + np.diag(objective.penalty.smooth_curvature())
    np.testing.assert_allclose(objective.curvature(theta, definite=False), expected, rtol=1e-10,
                               atol=1e-12)  # fmt: skip


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_a_definite_curvature_is_stiffer_along_null_directions_alone(n_classes, bias, l2):
    objective = linear_objective(n_classes, bias, l2)
    theta = np.random.default_rng(1).normal(size=objective.n_parameters)
    plain = objective.curvature(theta, definite=False)
    added = objective.curvature(theta) - plain
    assert np.linalg.eigvalsh(plain + added).min() > 1e-3
    values, vectors = np.linalg.eigh(added)
    stiffened = vectors[:, values > 1e-8 * (1 + values.max())]
    np.testing.assert_allclose(plain @ stiffened, 0.0, atol=1e-12 * np.abs(plain).max())


def test_collinear_columns_are_null_directions_in_every_class():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    X = np.hstack([X, X[:, :1] + X[:, 1:]])
    objective = linear_objective(3, X=X)
    theta = rng.normal(size=objective.n_parameters)
    assert np.linalg.eigvalsh(objective.curvature(theta)).min() > 1e-3
    # 4 for the common shift of 3 columns and the intercept, 1 direction in each of 2 contrasts
    values = np.linalg.eigvalsh(objective.curvature(theta, definite=False))
    assert (values < 1e-12 * values.max()).sum() == 6


def test_value_is_cost_and_penalty_and_gradient_is_its_derivative():
    objective = linear_objective(3, l2=0.4)
    theta = np.random.default_rng(2).normal(size=objective.n_parameters)
    value, grad = objective.smooth_value_and_gradient(theta)
    assert value == pytest.approx(objective.value(theta), rel=1e-15)
    assert value == objective.smooth_value(theta)
    for j, unit in enumerate(np.eye(len(theta))):
        slope = (objective.value(theta + 1e-5 * unit) - objective.value(theta - 1e-5 * unit)) / 2e-5
        assert slope == pytest.approx(grad[j], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
def test_pull_back_of_the_residual_is_the_gradient(n_classes, bias):
    objective = linear_objective(n_classes, bias)
    theta = np.random.default_rng(3).normal(size=objective.n_parameters)
    residual = objective.probabilities(theta) - objective.one_hot()
    pulled = objective.pull_back(objective.sample_weight[:, None] * residual)
    _, grad = objective.smooth_value_and_gradient(theta)
    np.testing.assert_allclose(pulled, grad, atol=1e-12)


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
def test_the_row_form_bounds_the_spread_of_logits(n_classes, bias):
    """(max - min of a row's logits)² <= form · ‖Δ‖_H² for every direction Δ and every row."""
    objective = linear_objective(n_classes, bias, l2=0.3)
    rng = np.random.default_rng(4)
    H = objective.curvature(rng.normal(size=objective.n_parameters))
    form = objective.largest_row_form(np.linalg.inv(H))
    for _ in range(50):
        move = rng.normal(size=objective.n_parameters)
        parts = objective.network.parameters(move)
        logits = objective.X @ parts["0.weight"].T + parts.get("0.bias", 0.0)
        spread = np.ptp(logits, axis=1) if n_classes > 2 else np.abs(logits[:, 0])
        assert spread.max() ** 2 <= form * float(move @ H @ move) * (1 + 1e-12)


def test_rows_are_counted():
    objective = linear_objective(2)
    theta = np.zeros(objective.n_parameters)
    objective.value(theta)
    objective.smooth_value_and_gradient(theta)
    objective.curvature(theta, definite=False)
    assert objective.passes == 3.0


def test_curvature_has_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    objective = linear_objective(3, X=rng.normal(size=(200_000, 3)))
    theta = rng.normal(size=objective.n_parameters)
    found = []
    for n_jobs in (1, 2):
        with reproducible(n_jobs):
            found.append(objective.curvature(theta))
    np.testing.assert_array_equal(*found)


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
