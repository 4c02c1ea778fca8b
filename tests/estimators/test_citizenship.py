"""The estimators among scikit-learn's: pipelines, searches, calibration, routing, processes."""

import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import backpass as bp

MODELS = {
    "LogisticRegression": bp.LogisticRegression(),
    "LogisticRegressionCV": bp.LogisticRegressionCV([0.1, 1.0], cv=3),
    "MLPClassifier": bp.MLPClassifier((4,), solver="lbfgs", alpha=1.0, random_state=0, tol=1e-3),
}
LOGISTIC = ["LogisticRegression", "LogisticRegressionCV"]


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    return (X - X.mean()) / X.std(), y


def test_pipelines_hand_names_on(model, iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), model).set_output(transform="pandas").fit(X, y)
    assert pipeline[-1].feature_names_in_.tolist() == X.columns.tolist()
    scaled = pipeline[0].transform(X)
    alone = clone(model).fit(scaled, y)
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(scaled))


def test_column_transformers_encode_for_it(model):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(size=90), "town": rng.choice(["Ulm", "Hof"], 90)})
    y = np.where(frame["town"] == "Ulm", "yes", "no")
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]), remainder="passthrough"
    )
    assert make_pipeline(encode, model).fit(frame, y).score(frame, y) > -0.5


def test_grid_search_in_two_processes(model, iris):
    name = "alpha" if isinstance(model, bp.MLPClassifier) else "tol"
    grid = {name: [1e-3, 1e-4]}
    two = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(*iris)
    one = GridSearchCV(model, grid, cv=2).fit(*iris)
    np.testing.assert_array_equal(
        two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_val_score_by_any_backend(model, iris, backend):
    with joblib.parallel_config(backend=backend):
        two = cross_val_score(model, *iris, cv=2, n_jobs=2)
    np.testing.assert_array_equal(two, cross_val_score(model, *iris, cv=2))


def test_calibration_by_splits_and_of_a_fitted_model(model, iris):
    X, y = iris
    calibrated = CalibratedClassifierCV(model, cv=2).fit(X, y)
    frozen = CalibratedClassifierCV(FrozenEstimator(clone(model).fit(X, y))).fit(X, y)
    for fitted in (calibrated, frozen):
        np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0)
        assert (fitted.predict(X) == y).mean() > 0.8


def test_sample_weight_is_routed(model, iris):
    X, y = iris
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    with config_context(enable_metadata_routing=True):
        asked = model.set_fit_request(sample_weight=True)
        if isinstance(model, bp.LogisticRegressionCV):
            scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
            asked.set_params(scoring=scorer)
        scale = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scale, asked).fit(X, y, sample_weight=weight)
        scaled = StandardScaler().fit_transform(X)
        direct = clone(asked).fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(pipeline[-1].theta_, direct.theta_)
    assert (clone(model).fit(scaled, y).theta_ != direct.theta_).any()


def test_a_search_routes_weights_to_fits_and_scores(iris):
    X, y = iris
    weight = np.where(y == 2, 3.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = bp.LogisticRegression().set_fit_request(sample_weight=True)
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        found = cross_validate(model, X, y, cv=2, scoring=scorer, params={"sample_weight": weight})
    plain = cross_validate(bp.LogisticRegression(), X, y, cv=2, scoring="neg_log_loss")
    assert (found["test_score"] != plain["test_score"]).all()


def test_offsets_are_routed(iris):
    X, y = iris
    X, y = X[y < 2], y[y < 2]
    offset = np.linspace(-1.0, 1.0, len(y))
    with config_context(enable_metadata_routing=True):
        model = bp.LogisticRegression().set_fit_request(offset=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y, offset=offset)
    direct = bp.LogisticRegression().fit(StandardScaler().fit_transform(X), y, offset=offset)
    np.testing.assert_array_equal(pipeline[-1].coef_, direct.coef_)


def test_groups_are_routed_to_the_splitter_of_the_choice(iris):
    X, y = iris
    groups = np.arange(len(y)) % 7
    wanted = bp.LogisticRegressionCV([0.1, 1.0], cv=list(GroupKFold(3).split(X, y, groups)))
    with config_context(enable_metadata_routing=True):
        model = bp.LogisticRegressionCV([0.1, 1.0], cv=GroupKFold(3))
        found = make_pipeline(model).fit(X, y, groups=groups)[-1]
    np.testing.assert_array_equal(found.scores_, wanted.fit(X, y).scores_)


@pytest.mark.parametrize("way", ["pickle", "loky", "threading"])
def test_fitted_models_travel(model, iris, way):
    X, y = iris
    expected = model.fit(X, y).predict_proba(X)
    if way == "pickle":
        found = [pickle.loads(pickle.dumps(model)).predict_proba(X)]
    else:
        run = joblib.Parallel(n_jobs=2, backend=way)
        found = run(joblib.delayed(model.predict_proba)(X) for _ in range(3))
    for proba in found:
        np.testing.assert_array_equal(proba, expected)


def test_models_are_pickled_and_asked_while_another_fit_runs(model, iris):
    X, y = iris
    expected = model.fit(X, y).predict_proba(X)
    stop = threading.Event()

    def fit():
        while not stop.is_set():
            bp.LogisticRegression(n_jobs=2).fit(X, y)

    beside = threading.Thread(target=fit)
    beside.start()
    try:
        for _ in range(5):
            again = pickle.loads(pickle.dumps(model))
            np.testing.assert_array_equal(again.predict_proba(X), expected)
        np.testing.assert_array_equal(clone(model).fit(X, y).theta_, model.theta_)
    finally:
        stop.set()
        beside.join()


def test_columns_in_another_order_are_an_error_that_says_so(model, iris):
    X, y = iris
    model.fit(X, y)
    with pytest.raises(ValueError, match="in the same order as they were in fit"):
        model.predict(X[X.columns[::-1]])
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        model.predict(X.rename(columns={X.columns[0]: "other"}))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(model, iris, library):
    X, y = iris
    convert = {
        "polars": lambda: pytest.importorskip("polars").from_pandas(X),
        "pyarrow": lambda: pytest.importorskip("pyarrow").Table.from_pandas(X),
    }
    table = convert[library]()
    proba = model.fit(table, y).predict_proba(table)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert model.predict_proba(X) == pytest.approx(proba)  # columns go by name


@pytest.mark.parametrize("name", LOGISTIC)
def test_integer_weights_are_repeated_rows(name, iris):
    X, y = (part.to_numpy() for part in iris)
    times = np.random.default_rng(0).integers(1, 4, len(y))
    rows, fold = np.repeat(np.arange(len(y)), times), np.arange(len(y)) % 3
    model = clone(MODELS[name]).set_params(tol=1e-22)
    repeated = clone(model)
    if name == "LogisticRegressionCV":
        model.set_params(cv=fold)
        repeated.set_params(cv=fold[rows])
    model.fit(X, y, sample_weight=times)
    repeated.fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coef_, repeated.coef_, atol=1e-9)
    if name == "LogisticRegressionCV":
        np.testing.assert_allclose(model.scores_, repeated.scores_, atol=1e-9)


@pytest.mark.parametrize("name", LOGISTIC)
def test_log_probabilities_do_not_become_infinite(name):
    X = np.linspace(-1.0, 1.0, 60)[:, None]
    y = (X[:, 0] + 0.3 * np.sin(40.0 * X[:, 0]) > 0.0).astype(int)
    model = clone(MODELS[name]).fit(X, y)
    far = np.array([[800.0], [-5000.0]]) / model.coef_[0, 0]
    found = model.predict_log_proba(far)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0, 0], -model.decision_function(far)[0], rtol=1e-12)
    np.testing.assert_allclose(found[1, 1], model.decision_function(far)[1], rtol=1e-12)


@pytest.mark.parametrize("name", LOGISTIC)
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 2.0, 2: 1.0}])
def test_class_weights_and_no_intercept_are_kept(name, class_weight, iris):
    X, y = iris
    model = clone(MODELS[name]).set_params(class_weight=class_weight, fit_intercept=False)
    model.fit(X, y)
    assert (model.intercept_ == 0.0).all()
    C = getattr(model, "C_", 1.0)
    alone = bp.LogisticRegression(C, class_weight=class_weight, fit_intercept=False).fit(X, y)
    np.testing.assert_array_equal(model.coef_, alone.coef_)
