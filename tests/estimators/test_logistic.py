"""LogisticRegression: against scikit-learn, its certificate, its parameters, its errors."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from scipy.special import xlogy
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import backpass as bp

# scikit-learn's name for the penalty, which went away when l1_ratio came to say it all
ELASTIC = {"penalty": "elasticnet"} if sklearn.__version__ < "1.8" else {}


def overlapping(n_classes=2, n_rows=300, n_features=4, seed=0):
    """Return data whose maximum likelihood estimate exists."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    logits = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n_rows, n_classes))
    return X, logits.argmax(axis=1)


def scaled(loader):
    X, y = loader(return_X_y=True)
    return StandardScaler().fit_transform(X), y


EXACT = 1e-22  # tol: the last Newton step leaves nothing that float64 could see


@pytest.mark.parametrize("loader", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_coefficients_are_scikit_learns(loader, C, fit_intercept):
    X, y = scaled(loader)
    ours = bp.LogisticRegression(C=C, fit_intercept=fit_intercept, tol=EXACT).fit(X, y)
    # its lbfgs stops at about 1e-6 whatever it is asked for
    peer = Peer(C=C, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-8, atol=1e-9)
    shift = peer.intercept_.mean() if len(peer.intercept_) > 1 else 0.0
    np.testing.assert_allclose(ours.intercept_, peer.intercept_ - shift, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_sparse_coefficients_are_scikit_learns(n_classes, l1_ratio):
    X, y = overlapping(n_classes, n_features=8)
    ours = bp.LogisticRegression(C=0.05, l1_ratio=l1_ratio, tol=1e-14).fit(X, y)
    peer = Peer(C=0.05, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=20_000, **ELASTIC)
    peer.fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-7)
    assert (ours.coef_ == 0.0).any()
    assert ours.converged_


def weights_and_peer(weight=None, class_weight=None):
    X, y = overlapping(3)
    ours = bp.LogisticRegression(tol=EXACT, class_weight=class_weight).fit(X, y, weight)
    peer = Peer(solver="newton-cholesky", tol=1e-12, class_weight=class_weight).fit(X, y, weight)
    return ours.coef_, peer.coef_


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 2: 0.5}])
def test_class_weights_are_scikit_learns(class_weight):
    np.testing.assert_allclose(*weights_and_peer(class_weight=class_weight), rtol=1e-8)


def test_weights_are_scikit_learns():
    weight = np.random.default_rng(1).uniform(0, 3, 300)
    np.testing.assert_allclose(*weights_and_peer(weight), rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("C", [np.inf, 0.5])
def test_integer_weights_are_repeated_rows(n_classes, C):
    X, y = overlapping(n_classes)
    counts = np.random.default_rng(2).integers(0, 4, len(X))
    weighted = bp.LogisticRegression(C=C, tol=EXACT).fit(X, y, counts)
    repeated = bp.LogisticRegression(C=C, tol=EXACT).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9, atol=1e-11)
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=1e-12)


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("unit", [1e-200, 1e-8, 1e-4, 1e4, 1e8, 1e200])
def test_units_of_a_column_do_not_matter(unit, solver):
    X, y = overlapping()
    plain = bp.LogisticRegression(C=np.inf, tol=EXACT).fit(X, y)
    scales, shifts = np.array([unit, 1.0, 1.0, 1.0]), np.array([0.0, 1e3, 0.0, 0.0])
    tol = 1e-12 if solver == "lbfgs" else EXACT
    model = bp.LogisticRegression(C=np.inf, tol=tol, solver=solver).fit(X * scales + shifts, y)
    assert model.converged_
    np.testing.assert_allclose(model.coef_ * scales, plain.coef_, rtol=1e-6)


def test_a_column_in_small_units_gets_its_coefficient():
    """scikit-learn's default solver returns about 2e-8 here, without a warning."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 1)) * 1e-4
    y = (X[:, 0] * 1.9e4 + rng.logistic(size=1000) > 0).astype(int)
    model = bp.LogisticRegression(C=np.inf).fit(X, y)
    assert 1.5 < model.coef_[0, 0] * 1e-4 < 2.3
    assert model.converged_


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_standardize_puts_the_penalty_on_standardised_columns(C):
    X, y = overlapping(3)
    X = X * [1.0, 1e-3, 50.0, 1.0] + [0.0, 5.0, 0.0, 0.0]
    Z = StandardScaler().fit_transform(X)
    model = bp.LogisticRegression(C=C, standardize=True, tol=EXACT).fit(X, y)
    by_hand = bp.LogisticRegression(C=C, tol=EXACT).fit(Z, y)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), by_hand.coef_, rtol=1e-8)
    assert model.objective_ == pytest.approx(by_hand.objective_, rel=1e-12)
    sparse = bp.LogisticRegression(C=0.1, l1_ratio=1.0, standardize=True, tol=1e-13).fit(X, y)
    by_hand = bp.LogisticRegression(C=0.1, l1_ratio=1.0, tol=1e-13).fit(Z, y)
    np.testing.assert_allclose(sparse.coef_ * X.std(axis=0), by_hand.coef_, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3])
def test_the_objective_is_what_it_is_said_to_be(n_classes, l1_ratio):
    X, y = overlapping(n_classes)
    model = bp.LogisticRegression(C=0.2, l1_ratio=l1_ratio).fit(X, y)
    cost = -model.predict_log_proba(X)[np.arange(len(y)), y].sum()
    penalty = 0.5 * (1 - l1_ratio) * (model.coef_**2).sum() + l1_ratio * np.abs(model.coef_).sum()
    assert model.cost_ == pytest.approx(cost, rel=1e-12)
    assert model.objective_ == pytest.approx(cost + penalty / 0.2, rel=1e-12)
    shares = np.bincount(y) / len(y)
    assert model.null_objective_ == pytest.approx(-len(y) * xlogy(shares, shares).sum(), rel=1e-12)
    assert model.network_.cost(model.theta_, X, y) == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 1.0},
        {"C": np.inf},
        {"C": 1e-4},
        {"C": 1.0, "solver": "lbfgs"},
        {"C": 1.0, "l1_ratio": 0.5},
        {"C": 0.1, "l1_ratio": 1.0},
    ],
)
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_the_gap_is_a_bound(n_classes, parameters, tol):
    X, y = overlapping(n_classes)
    model = bp.LogisticRegression(tol=tol, **parameters).fit(X, y)
    exact = bp.LogisticRegression(**(parameters | {"solver": "auto", "tol": 1e-13})).fit(X, y)
    assert model.converged_
    assert model.objective_ - exact.objective_ <= model.gap_ + 1e-13 * model.objective_
    assert 0.0 <= model.gap_ <= tol * model.null_objective_


def test_at_the_end_no_estimate_is_off_by_a_millionth_of_its_error():
    X, y = overlapping(3)
    model = bp.LogisticRegression(C=np.inf, tol=1e-3).fit(X, y)
    exact = bp.LogisticRegression(C=np.inf, tol=EXACT).fit(X, y)
    # 300 rows: standard errors are about 0.1
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-6)


def test_softmax_coefficients_sum_to_zero():
    X, y = overlapping(4)
    free = bp.LogisticRegression(C=np.inf).fit(X, y)
    np.testing.assert_allclose(free.coef_.sum(axis=0), 0.0, atol=1e-13)
    for model in (free, bp.LogisticRegression().fit(X, y)):
        np.testing.assert_allclose(model.intercept_.sum(), 0.0, atol=1e-13)
    named = free.network_.parameters(free.theta_)
    np.testing.assert_array_equal(named["0.weight"], free.coef_)
    np.testing.assert_array_equal(named["0.bias"], free.intercept_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_data_is_not_called_converged(n_classes):
    X = np.arange(12.0)[:, None]
    y = np.arange(12) * n_classes // 12
    with pytest.warns(bp.SeparationWarning, match="Complete separation"):
        model = bp.LogisticRegression(C=np.inf).fit(X, y)
    assert not model.converged_
    assert np.isfinite(model.coef_).all()
    assert model.score(X, y) == 1.0
    assert 0.0 <= model.gap_ <= model.objective_


def test_collinear_and_constant_columns_are_fitted():
    X, y = overlapping(3)
    wide = np.hstack([X, X[:, :1] - X[:, 1:2], np.full((len(X), 1), 0.1)])
    plain = bp.LogisticRegression(C=np.inf).fit(X, y)
    with pytest.warns(bp.CollinearityWarning, match="x4, x5 are linear combinations"):
        model = bp.LogisticRegression(C=np.inf).fit(wide, y)
    assert model.converged_
    np.testing.assert_allclose(model.predict_proba(wide), plain.predict_proba(X), atol=1e-9)


def test_too_few_iterations_are_complained_about():
    X, y = overlapping(3)
    with pytest.warns(ConvergenceWarning, match=r"certified gap .*passes; raise max_iter"):
        model = bp.LogisticRegression(max_iter=1).fit(X, y)
    assert not model.converged_
    exact = bp.LogisticRegression(tol=EXACT).fit(X, y)
    assert model.objective_ - exact.objective_ <= model.gap_ <= model.objective_


def test_probabilities_are_computed_from_logits():
    X, y = overlapping()
    model = bp.LogisticRegression().fit(X, y)
    far = np.outer([2000.0, -2000.0], model.coef_[0])
    logits = model.decision_function(far)
    assert (np.abs(logits) > 1000).all()
    logs = model.predict_log_proba(far)
    np.testing.assert_allclose(logs[0], [-logits[0], 0.0], rtol=1e-12)
    np.testing.assert_allclose(logs[1], [0.0, logits[1]], rtol=1e-12)
    np.testing.assert_array_equal(model.predict_proba(far), [[0.0, 1.0], [1.0, 0.0]])


def test_warm_start_begins_where_the_last_fit_ended():
    X, y = overlapping(3)
    model = bp.LogisticRegression(warm_start=True).fit(X, y)
    cold = model.passes_
    model.fit(X, y)
    assert model.n_iter_ == 1
    assert model.passes_ < cold
    # data of another shape starts from nothing
    assert model.fit(X[:, :2], y).converged_


@pytest.mark.parametrize("parameters", [{"C": 1.0}, {"C": 1.0, "l1_ratio": 0.5}])
def test_bits_do_not_depend_on_threads_or_memory_order(parameters):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 5))
    y = (X[:, 0] + rng.logistic(size=len(X)) > 0).astype(int)
    weight = rng.uniform(size=len(X))
    fits = [
        bp.LogisticRegression(n_jobs=n_jobs, **parameters).fit(given, y, weight).theta_
        for n_jobs, given in ((1, X), (2, X), (2, np.asfortranarray(X)), (1, X[::-1][::-1]))
    ]
    for theta in fits[1:]:
        np.testing.assert_array_equal(theta, fits[0])


def test_labels_of_any_kind():
    X, y = overlapping(3)
    for labels in (np.array(["b", "a", "c"]), np.array([7, -1, 30]), np.array([5.0, 2.0, 1.0])):
        model = bp.LogisticRegression().fit(X, labels[y])
        np.testing.assert_array_equal(model.classes_, np.sort(labels))
        assert model.score(X, labels[y]) > 0.6
    model = bp.LogisticRegression().fit(X, y > 0)
    assert model.classes_.dtype == bool


def test_trace_shows_the_fitted_network():
    X, y = overlapping(3)
    labels = np.array(["x", "y", "z"])[y]
    model = bp.LogisticRegression(C=np.inf, tol=EXACT).fit(X, labels)
    trace = model.trace(X, labels)
    assert trace.cost == pytest.approx(model.cost_, rel=1e-12)
    # at the optimum of an unpenalised fit the gradient is zero
    np.testing.assert_allclose(trace.gradient["0.weight"], 0.0, atol=1e-8)
    with pytest.raises(ValueError, match=r"y, row 1: .*'w'.* is not one of the classes"):
        model.trace(X[:2], np.array(["x", "w"]))


def test_it_is_a_scikit_learn_citizen():
    X, y = scaled(load_breast_cancer)
    model = bp.LogisticRegression(C=0.3)
    assert clone(model).get_params() == model.get_params()
    fitted = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict_proba(X), model.predict_proba(X))
    pipeline = make_pipeline(StandardScaler(), bp.LogisticRegression(n_jobs=1))
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.95
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.01, 1.0]}, cv=3, n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.95


def test_many_unknowns_use_lbfgs_and_are_certified():
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wide = np.hstack([X / 16.0, rng.normal(size=(len(X), 100))])
    model = bp.LogisticRegression(C=0.1).fit(wide, y)  # 1650 unknowns
    assert model.converged_
    assert model.gap_ <= 1e-6 * model.null_objective_


def test_not_fitted():
    with pytest.raises(NotFittedError):
        bp.LogisticRegression().predict(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"C": 0.0}, "C is 0.0; it is a positive number"),
        ({"C": "1"}, "C is '1'"),
        ({"C": np.nan}, "C is nan"),
        ({"l1_ratio": 1.5}, "l1_ratio is 1.5; it is a number from 0 to 1"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"max_iter": 0}, "max_iter is 0; it is a whole number, 1 or more"),
        ({"firth": True}, "firth=True is Jeffreys' prior in place of a penalty, but C is 1"),
        ({"solver": "saga"}, "solver is 'saga'; it is one of auto"),
        ({"solver": "newton", "l1_ratio": 0.5}, "cannot minimise an L1 penalty"),
        ({"missing": "mean"}, "missing is 'mean'; it is 'raise', 'drop', 'indicator' or None"),
        ({"class_weight": "even"}, "class_weight is 'even'"),
    ],
)
def test_wrong_parameters(parameters, says):
    with pytest.raises(ValueError, match=says):
        bp.LogisticRegression(**parameters).fit(*overlapping())


def test_wrong_data():
    X, y = overlapping()
    model = bp.LogisticRegression()
    with pytest.raises(ValueError, match="y has one class only"):
        model.fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"sample_weight, row 3: -1.0"):
        model.fit(X, y, np.where(np.arange(len(y)) == 3, -1.0, 1.0))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 2.0, np.nan, X), y)
    with pytest.raises(ValueError, match="features"):
        model.fit(X, y).predict(X[:, :2])


def test_the_short_way_of_prediction_is_the_long_one():
    """A plain array skips validation; the same numbers in other forms, and bad ones, do not."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    for labels in (y, y > 0):
        model = bp.LogisticRegression().fit(X, labels)
        expected = model.predict_proba(X)
        for other in (X.tolist(), np.asfortranarray(X), sparse.csr_matrix(X)):
            np.testing.assert_allclose(model.predict_proba(other), expected, rtol=1e-13)
        np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), expected, rtol=1e-13)
        for bad, message in ((X[:, :2], "features"), (X[:0], "0 sample"), (X[0], "1D array")):
            with pytest.raises(ValueError, match=message):
                model.predict_proba(bad)
        with pytest.raises(ValueError, match="NaN"):
            model.predict_proba(np.where(X > 1.0, np.nan, X))
        large = model.decision_function(np.full((1, 3), 1e308) * [1.0, 0.0, 0.0])
        assert np.isfinite(large).all()
