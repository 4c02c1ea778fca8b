"""Growing subsamples: few passes, no harm from sorted or rare columns, and the right minimum."""

import warnings

import numpy as np
import pytest

import backpass as bp
from backpass.solvers import staged


def gaussian(n_rows, n_columns, seed=0):
    rng = np.random.default_rng(seed)
    mix = np.eye(n_columns) + rng.normal(size=(n_columns, n_columns)) / np.sqrt(n_columns)
    X = rng.normal(size=(n_rows, n_columns)) @ mix
    logit = X @ rng.normal(size=n_columns) / np.sqrt(n_columns)
    return X, (rng.uniform(size=n_rows) < 1.0 / (1.0 + np.exp(-logit))).astype(int)


def test_stages_grow_eightfold_and_stop_before_all_rows():
    assert staged.strides(1_000_000, 31) == [1024, 128, 16]
    assert staged.strides(1000, 31) == []
    assert all(stride >= 4 for stride in staged.strides(10**9, 7))


def test_a_certified_fit_takes_at_most_four_passes():
    X, y = gaussian(60_000, 12)
    model = bp.LogisticRegression(tol=1e-6).fit(X, y)
    assert model.converged_
    assert model.gap_ <= 1e-6 * model.null_objective_
    assert model.passes_ <= 4.0
    exact = bp.LogisticRegression(tol=1e-13).fit(X, y)
    assert exact.passes_ <= 6.0
    true = model.objective_ - exact.objective_
    assert -1e-9 <= true <= model.gap_


@pytest.mark.parametrize("order", ["by class", "by column"])
def test_sorted_rows_do_no_harm(order):
    X, y = gaussian(40_000, 8)
    place = np.argsort(y if order == "by class" else X[:, 0], kind="stable")
    model, twin = bp.LogisticRegression().fit(X[place], y[place]), bp.LogisticRegression().fit(X, y)
    assert model.passes_ <= 5.0
    np.testing.assert_allclose(model.coef_, twin.coef_, atol=2e-3)


def test_a_column_that_is_constant_on_every_subsample_is_fitted_all_the_same():
    X, y = gaussian(40_000, 4)
    rare = np.zeros(len(X))
    rare[[1, 3, 5, 7, 9, 33, 71]] = 1.0  # odd rows: no stride of 2 or more sees one
    X = np.column_stack([X, rare])
    model = bp.LogisticRegression(tol=1e-10).fit(X, y)
    assert model.converged_
    plain = bp.LogisticRegression(tol=1e-10, solver="lbfgs", max_iter=5000).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-4)


def test_softmax_goes_through_stages_too():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30_000, 5))
    y = (X @ rng.normal(size=(5, 4)) + rng.gumbel(size=(30_000, 4))).argmax(axis=1)
    model = bp.LogisticRegression().fit(X, y)
    assert model.converged_
    assert model.passes_ <= 6.0
    weights = rng.integers(0, 3, len(X))
    weighted = bp.LogisticRegression(tol=1e-14).fit(X, y, sample_weight=weights)
    repeated = bp.LogisticRegression(tol=1e-14).fit(np.repeat(X, weights, axis=0),
                                                    np.repeat(y, weights))  # fmt: skip
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


def test_max_iter_is_obeyed_and_said():
    X, y = gaussian(20_000, 5)
    with pytest.warns(Warning, match="not converged"):
        model = bp.LogisticRegression(max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    assert not model.converged_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isfinite(model.gap_)


def test_a_subsample_that_is_separable_does_not_lead_the_fit_away():
    """Every stride of 2 or more sees a column that tells the classes apart; all rows do not."""
    X, y = gaussian(20_000, 4)
    tell = np.where(np.arange(len(X)) % 2 == 0, 2.0 * y - 1.0, 0.0)
    tell[1::2] = np.where(np.random.default_rng(0).uniform(size=10_000) < 0.5, 1.0, -1.0) * 50.0
    X = np.column_stack([X, tell])
    for C in (1.0, np.inf):
        model = bp.LogisticRegression(C=C).fit(X, y)
        assert model.converged_
        assert model.objective_ < model.null_objective_
        assert model.passes_ < 30.0


def test_a_warm_start_skips_the_subsamples():
    X, y = gaussian(60_000, 6)
    model = bp.LogisticRegression(warm_start=True).fit(X, y)
    again = model.fit(X, y)
    assert again.n_iter_ <= 1
    assert again.passes_ <= 2.1
