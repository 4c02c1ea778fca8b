"""L-BFGS with a fixed preconditioner: wide rows, many classes, sparse text."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from tests.strategies import random_csr

import backpass as bp
from backpass.linear_objective import LinearObjective
from backpass.solvers import preconditioned


def test_the_fixed_inverse_solves_class_by_class():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(9, 3))
    gram, ridge = root.T @ root, np.array([0.5, 0.5, 0.0])
    # u is laid out as all weights, class by class, then the biases
    order = np.array([0, 1, 4, 2, 3, 5])
    penalty = np.empty(6)
    penalty[order] = np.tile(ridge, 2)
    solve = preconditioned.fixed_inverse(gram, 0.25, penalty, 2, order)
    grad = rng.normal(size=6)
    found = solve(grad)[order].reshape(2, 3)
    expected = np.linalg.solve(0.25 * gram + np.diag(ridge), grad[order].reshape(2, 3).T).T
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    diagonal = preconditioned.fixed_inverse(np.diag(gram), 0.25, penalty, 2, order)
    expected = grad[order].reshape(2, 3) / (0.25 * np.diag(gram) + ridge)
    np.testing.assert_allclose(diagonal(grad)[order].reshape(2, 3), expected, rtol=1e-13)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_wide_rows_are_fitted_and_certified(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2100 if n_classes == 2 else 900))
    y = rng.integers(n_classes, size=300)
    model = bp.LogisticRegression(C=0.01).fit(X, y)
    assert model.converged_
    assert model.gap_ <= 1e-6 * model.null_objective_
    newton = bp.LogisticRegression(C=0.01, solver="newton", tol=1e-12).fit(X[:, :600], y)
    for solver in ("lbfgs", "newton-cg"):
        other = bp.LogisticRegression(C=0.01, solver=solver, tol=1e-10).fit(X[:, :600], y)
        assert other.converged_
        np.testing.assert_allclose(other.coef_, newton.coef_, atol=1e-5)


def test_sparse_rows_wider_than_any_matrix_are_fitted():
    rng = np.random.default_rng(0)
    X = random_csr(rng, (400, 30_000), 0.001)
    y = rng.integers(2, size=400)
    model = bp.LogisticRegression().fit(X, y)
    assert model.converged_
    assert model.coef_.shape == (1, 30_000)
    few = np.flatnonzero(np.diff(X.tocsc().indptr))[:500]
    dense = bp.LogisticRegression(tol=1e-10).fit(X[:, few].toarray(), y)
    stored = bp.LogisticRegression(tol=1e-10).fit(X[:, few], y)
    np.testing.assert_allclose(stored.coef_, dense.coef_, atol=1e-4)


def test_steps_to_the_neighbourhood_of_a_dear_optimum_count_among_all(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    y = (X[:, 0] + rng.logistic(size=400) > 0).astype(int)
    plain = bp.LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    monkeypatch.setattr(LinearObjective, "curvature_is_dear", True)
    model = bp.LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    assert model.converged_ and model.n_iter_ > plain.n_iter_
    errors = plain.summary().bse.to_numpy()[1:]  # each fit is within 1e-6 of them
    assert (np.abs(model.coef_[0] - plain.coef_[0]) <= 2e-6 * errors).all()
    with pytest.warns(ConvergenceWarning, match="raise max_iter, 2 now"):
        short = bp.LogisticRegression(C=np.inf, max_iter=2).fit(X, y)
    assert short.n_iter_ == 2
