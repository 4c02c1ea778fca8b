"""The objective of a linear model over blocks: value, gradient, curvature, null directions."""

import numpy as np
import pytest
from scipy import sparse
from tests.solvers.problems import on_given_columns

import backpass as bp
from backpass.data.mixed import Border, MixedColumns, MixedTable
from backpass.data.rows import DenseRows, SparseRows, View
from backpass.factor import Factor
from backpass.linear_objective import LinearObjective
from backpass.penalties import ElasticNet
from backpass.runner import reproducible


def linear_objective(n_classes, bias=True, l2=0.0, weighted=True, n_rows=40, seed=0, X=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3)) if X is None else X
    y = rng.integers(n_classes, size=len(X))
    weight = rng.uniform(0.0, 2.0, len(X)) if weighted else None
    return on_given_columns(X, y, weight, 1 if n_classes == 2 else n_classes, l2, bias=bias)


def twin(objective):
    """Return the note's network for the same model; its θ is the objective's u."""
    k, d = objective.n_outputs, objective.rows.n_columns
    end = (bp.Sigmoid(), bp.BCELoss()) if k == 1 else (bp.LogSoftmax(), bp.NLLLoss())
    return bp.Network([bp.Linear(d, k, bias=objective.view.ones), end[0]], loss=end[1])


CASES = [(2, True), (2, False), (4, True), (4, False)]


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
def test_curvature_is_the_exact_hessian(n_classes, bias):
    objective = linear_objective(n_classes, bias, l2=0.7)
    net, X, y = twin(objective), objective.rows.X, objective.y
    theta = np.random.default_rng(1).normal(size=net.n_parameters)
    columns = [
        net.hessian_vector_product(theta, X, y, unit, objective.weight)
        for unit in np.eye(net.n_parameters)
    ]
    expected = np.array(columns) + np.diag(objective.penalty.smooth_curvature())
    products = [objective.hessian_product(theta, unit) for unit in np.eye(net.n_parameters)]
    np.testing.assert_allclose(products, expected, rtol=1e-10, atol=1e-12)
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
    assert np.linalg.eigvalsh(objective.curvature(theta)).min() < 1e-10  # not looked for yet
    assert objective.find_collinear()
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
def test_value_and_gradient_are_the_networks(n_classes, bias):
    objective = linear_objective(n_classes, bias, l2=0.3)
    u = np.random.default_rng(3).normal(size=objective.n_parameters)
    cost, grad = twin(objective).cost_and_gradient(
        u, objective.rows.X, objective.y, objective.weight
    )
    value, own = objective.smooth_value_and_gradient(u)
    assert value == pytest.approx(cost + objective.penalty.value(u), rel=1e-13)
    np.testing.assert_allclose(own, grad + objective.penalty.smooth_curvature() * u, atol=1e-12)


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
@pytest.mark.parametrize("storage", ["dense", "float32", "fortran", "strided", "csr"])
def test_a_view_and_a_storage_change_nothing_but_the_variables(storage, n_classes, bias):
    rng = np.random.default_rng(5)
    X = (rng.normal(size=(300, 4)) * [1, 10, 0.1, 1]).astype(np.float32).astype(np.float64)
    y, k = rng.integers(n_classes, size=300), 1 if n_classes == 2 else n_classes
    plain = on_given_columns(X, y, None, k, bias=bias)
    centre = X.mean(axis=0) if bias and storage != "csr" else np.zeros(4)
    view = View(centre, X.std(axis=0), bias)
    stored = {
        "dense": X,
        "float32": X.astype(np.float32),
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "csr": sparse.csr_matrix(X),
    }[storage]
    rows = SparseRows(stored) if storage == "csr" else DenseRows(stored)
    penalty = ElasticNet(np.zeros(plain.n_parameters))
    viewed = LinearObjective(rows, y, None, k, penalty, view)
    u = rng.normal(size=plain.n_parameters)
    weight, bias_vector = viewed.given(u)
    theta = plain.solvers(weight, bias_vector)
    np.testing.assert_allclose(viewed.solvers(weight, bias_vector), u, rtol=1e-12, atol=1e-13)
    for stride in (1, 3):
        here = viewed.evaluate(u, stride, curvature=True)
        there = plain.evaluate(theta, stride, curvature=True)
        assert here.value == pytest.approx(there.value, rel=1e-12)
        # θ = A u, so gradients and curvatures are translated by A
        A = np.array([plain.solvers(*viewed.given(unit)) for unit in np.eye(len(u))]).T
        np.testing.assert_allclose(here.gradient, A.T @ there.gradient, atol=1e-9)
        np.testing.assert_allclose(here.curvature, A.T @ there.curvature @ A, atol=1e-8)


def test_a_subsample_stands_for_all_rows_and_is_counted_as_what_it_is():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 3))
    objective = linear_objective(2, weighted=False, X=X)
    u = rng.normal(size=4)
    here = objective.evaluate(u, stride=4, curvature=True)
    part = on_given_columns(X[::4], objective.y[::4], None, 1)
    expected = part.evaluate(u, curvature=True)
    assert objective.passes == 0.25
    assert here.value == pytest.approx(4 * expected.value, rel=1e-13)
    np.testing.assert_allclose(here.gradient, 4 * expected.gradient, rtol=1e-12)
    np.testing.assert_allclose(here.curvature, 4 * expected.curvature, rtol=1e-12)


def test_values_that_are_not_finite_are_named_by_row_and_column():
    X = np.ones((3, 2))
    X[1, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN: row 1, column 0"):
        on_given_columns(X, np.array([0, 1, 0]), None, 1).value(np.zeros(3))
    X = sparse.csr_matrix(np.array([[0.0, 1.0], [0.0, 0.0], [np.inf, 2.0]]))
    view = View(np.zeros(2), np.ones(2), True)
    objective = LinearObjective(
        SparseRows(X), np.array([0, 1, 0]), None, 1, ElasticNet(np.zeros(3)), view
    )
    with pytest.raises(ValueError, match="Input X contains inf: row 2, column 0"):
        objective.value(np.zeros(3))
    objective = on_given_columns(np.full((2, 1), 1e300), np.array([0, 1]), None, 1)
    with pytest.raises(FloatingPointError, match="logits overflow"):
        objective.value(np.array([1e300, 0.0]))


@pytest.mark.parametrize(("n_classes", "bias"), CASES)
def test_the_row_form_bounds_the_spread_of_logits(n_classes, bias):
    """(max - min of a row's logits)² <= form · ‖Δ‖_H² for every direction Δ and every row."""
    objective = linear_objective(n_classes, bias, l2=0.3)
    rng = np.random.default_rng(4)
    H = objective.curvature(rng.normal(size=objective.n_parameters))
    form = objective.largest_row_form(Factor(H))
    for _ in range(50):
        move = rng.normal(size=objective.n_parameters)
        weight, shift = objective.given(move)
        logits = objective.rows.X @ weight.T + shift
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


def rows_of(kind, numbers, codes):
    """Return numbers and one category with levels 0 to 4, codes (m,), in one form or another."""
    if kind == "mixed":
        of_code = np.append(np.arange(2, 7), -1).astype(np.int32)
        columns = MixedColumns(7, np.arange(2), (Border(2, 7),), (of_code,))
        return MixedTable(numbers, codes[:, None].astype(np.int32), columns)
    written = np.hstack([numbers, np.eye(5)[codes]])
    return DenseRows(written) if kind == "dense" else SparseRows(sparse.csr_matrix(written))


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("kind", ["dense", "csr", "mixed"])
def test_the_curvature_of_some_columns_is_a_part_of_that_of_all(n_outputs, ones, kind):
    rng = np.random.default_rng(2)
    rows = rows_of(kind, rng.normal(size=(3000, 2)), rng.integers(5, size=3000))
    view, k = View(np.zeros(7), rng.uniform(0.5, 2.0, 7), ones), n_outputs
    y, weight = rng.integers(max(k, 2), size=3000), rng.uniform(0.1, 2.0, 3000)
    scale = rng.uniform(0.5, 2.0, k * view.width)
    objective = LinearObjective(rows, y, weight, k, ElasticNet(scale, l2=0.3, l1=1.0), view)
    u = rng.normal(size=objective.n_parameters)
    wanted = np.zeros(objective.n_parameters, dtype=bool)
    wanted[[1, 5]], wanted[7 * (k - 1) + 3] = True, True  # a column wanted in one class only
    form = objective.form_of(wanted)
    weights = np.add.outer(7 * np.arange(k), [1, 3, 5]).reshape(-1)
    biases = 7 * k + np.arange(k * ones)
    np.testing.assert_array_equal(form.places, np.concatenate([weights, biases]))
    for stride in (1, 2):
        whole = objective.evaluate(u, stride, curvature=True)
        part = objective.evaluate(u, stride, curvature=True, of=form)
        np.testing.assert_allclose(part.gradient, whole.gradient, rtol=1e-12, atol=1e-10)
        expected = whole.curvature[np.ix_(form.places, form.places)]
        np.testing.assert_allclose(part.curvature, expected, rtol=1e-11, atol=1e-10)
