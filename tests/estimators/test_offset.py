"""offset=: a part of the logit that is known, at fit, at predict, in statistics, in files."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import minimize

import backpass as bp

RNG = np.random.default_rng(5)
N = 240
X = RNG.normal(size=(N, 3))
OFFSET = RNG.normal(size=N)
Y = (RNG.random(N) < 1.0 / (1.0 + np.exp(-(X @ [1.0, -0.5, 0.2] + OFFSET + 0.3)))).astype(int)
OFFSETS = RNG.normal(size=(N, 3))
LABELS = (X @ RNG.normal(size=(3, 3)) + OFFSETS + RNG.gumbel(size=(N, 3))).argmax(axis=1)
WEIGHT = RNG.integers(0, 4, size=N).astype(float)


def test_a_column_with_coefficient_one_is_the_same():
    """The offset's own coefficient, estimated beside it, measures what is left to explain."""
    beside = np.column_stack([X, OFFSET])
    without = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(beside, Y)
    with_it = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(beside, Y, offset=OFFSET)
    expected = without.coef_ - [[0.0, 0.0, 0.0, 1.0]]
    np.testing.assert_allclose(with_it.coef_, expected, atol=1e-7)
    np.testing.assert_allclose(
        with_it.decision_function(beside, offset=OFFSET),
        without.decision_function(beside),
        atol=1e-7,
    )
    assert with_it.cost_ == pytest.approx(without.cost_, rel=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 1.0},
        {"C": 0.3, "solver": "lbfgs"},
        {"C": 0.3, "solver": "newton-cg", "standardize": True},
        {"C": 0.05, "l1_ratio": 1.0},
        {"C": 0.1, "l1_ratio": 0.4, "fit_intercept": False},
    ],
)
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_matrix, np.asfortranarray])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_gap_holds_with_an_offset(parameters, store, n_classes):
    """A fit that stops early is within its gap of one that does not."""
    y, offset = (Y, OFFSET) if n_classes == 2 else (LABELS, OFFSETS)
    exact = bp.LogisticRegression(tol=1e-12, **parameters).fit(X, y, WEIGHT, offset=offset)
    rough = bp.LogisticRegression(tol=1e-2, **parameters).fit(store(X), y, WEIGHT, offset=offset)
    assert exact.converged_ and rough.converged_
    assert rough.objective_ - exact.objective_ <= rough.gap_ * (1.0 + 1e-9)
    loss = -np.log(rough.predict_proba(X, offset=offset)[np.arange(N), y])
    assert rough.cost_ == pytest.approx(WEIGHT @ loss, rel=1e-10)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_null_model_keeps_the_offset(n_classes, intercept):
    y, offset = (Y, OFFSET[:, None]) if n_classes == 2 else (LABELS, OFFSETS)

    def cost(bias):
        z = np.hstack([np.zeros((N, 1)), offset]) if n_classes == 2 else offset
        z = z + np.concatenate([[0.0], bias])
        return WEIGHT @ (np.logaddexp.reduce(z, axis=1) - z[np.arange(N), y])

    start = np.zeros(n_classes - 1)
    best = minimize(cost, start, tol=1e-12).fun if intercept else cost(start)
    given = offset[:, 0] if n_classes == 2 else offset
    model = bp.LogisticRegression(C=np.inf, fit_intercept=intercept)
    found = model.fit(X, y, WEIGHT, offset=given).inference(X, y, WEIGHT, offset=given)
    assert found.llnull == pytest.approx(-best, rel=1e-9)
    assert model.null_objective_ == pytest.approx(best, rel=1e-9)


def test_statistics_know_the_offset():
    model = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X, Y, offset=OFFSET)
    found = model.inference(X, Y, offset=OFFSET)
    assert found.optimum.decrement < 1e-8
    design = np.column_stack([np.ones(N), X])
    proba = model.predict_proba(X, offset=OFFSET)[:, 1]
    information = design.T @ (design * (proba * (1.0 - proba))[:, None])
    covariance = np.linalg.inv(information)
    np.testing.assert_allclose(found.cov_params(), covariance, rtol=1e-9)
    shown = found.predict(X[:3], offset=OFFSET[:3])
    np.testing.assert_allclose(shown[1, "proba"], proba[:3], rtol=1e-12)
    assert str(model.summary()) == str(found)
    # a test by names fits the smaller model with the same offset
    smaller = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X[:, 1:], Y, offset=OFFSET)
    by_two = found.lr_test(smaller.inference(X[:, 1:], Y, offset=OFFSET))
    assert found.lr_test("x0").statistic == pytest.approx(by_two.statistic, rel=1e-9)


def test_predictions_of_such_a_model_ask_for_an_offset(tmp_path):
    model = bp.LogisticRegression().fit(X, Y, offset=OFFSET)
    bp.save(model, tmp_path / "m.safetensors")
    for one in (model, bp.load(tmp_path / "m.safetensors")):
        with pytest.raises(ValueError, match=r"fitted with an offset, .* or offset=0 to predict"):
            one.predict(X)
        z = one.decision_function(X, offset=0)
        np.testing.assert_array_equal(z, (X @ model.coef_.T + model.intercept_)[:, 0])
        np.testing.assert_array_equal(one.decision_function(X, offset=OFFSET), z + OFFSET)
        assert one.score(X, Y, offset=OFFSET) > 0.6
    with pytest.raises(ValueError, match="fitted with an offset"):
        model.trace(X, Y)


def test_a_trace_shows_the_offset_as_a_column():
    for y, offset, names in ((Y, OFFSET, 1), (LABELS, OFFSETS, 3)):
        model = bp.LogisticRegression().fit(X, y, offset=offset)
        trace = model.trace(X[:4], y[:4], offset=offset[:4])
        assert len(trace.feature_names) == 3 + names and "offset" in trace.feature_names[3]
        logits = model.decision_function(X[:4], offset=offset[:4])
        np.testing.assert_allclose(trace.z[2], logits.reshape(4, -1), rtol=1e-10)


def test_rows_that_are_dropped_take_their_offsets_along():
    table = pd.DataFrame(X.copy(), columns=list("abc"))
    table.iloc[::7, 1] = np.nan
    kept = table["b"].notna().to_numpy()
    dropping = bp.LogisticRegression(C=np.inf, missing="drop").fit(table, Y, offset=OFFSET)
    plain = bp.LogisticRegression(C=np.inf).fit(table[kept], Y[kept], offset=OFFSET[kept])
    np.testing.assert_array_equal(dropping.coef_, plain.coef_)
    found = dropping.inference(table, Y, offset=OFFSET)
    assert found.account.n_dropped == (~kept).sum()


@pytest.mark.parametrize(
    ("y", "offset", "said"),
    [
        (Y, OFFSET[:5], "inconsistent numbers of samples"),
        (Y, OFFSETS, r"offset has the shape \(240, 3\); for 2 classes and 240 rows it is \(240,\)"),
        (
            LABELS,
            OFFSET,
            r"shape \(240,\); for 3 classes .* is \(240, 3\), .* of each class",
        ),
        (Y, np.where(np.arange(N) == 7, np.inf, OFFSET), "offset, row 7: .*inf.* are finite"),
    ],
)
def test_offsets_that_are_none(y, offset, said):
    with pytest.raises(ValueError, match=said):
        bp.LogisticRegression().fit(X, y, offset=offset)


def test_inference_wants_the_offset_of_the_fit():
    model = bp.LogisticRegression(C=np.inf).fit(X, Y, offset=OFFSET)
    with pytest.raises(ValueError, match=r"the fit had an offset, .* call it with offset="):
        model.inference(X, Y)
    with pytest.raises(ValueError, match="sample_weight and offset are not those of the fit"):
        model.inference(X, Y, offset=-OFFSET)
    with pytest.raises(ValueError, match=r"the fit had no offset, .* call it without offset="):
        bp.LogisticRegression(C=np.inf).fit(X, Y).inference(X, Y, offset=OFFSET)


def test_what_has_no_place_for_an_offset_says_so():
    pytest.importorskip("onnx")
    model = bp.LogisticRegression().fit(X, Y, offset=OFFSET)
    with pytest.raises(ValueError, match="was fitted with an offset, for which a graph"):
        bp.to_onnx(model)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_summary_kept_anywhere_predicts_with_offsets(n_classes, tmp_path):
    y, offset = (Y, OFFSET) if n_classes == 2 else (LABELS, OFFSETS)
    model = bp.LogisticRegression(C=np.inf, reference={"y": 1}).fit(X, y, offset=offset)
    bp.save(model, tmp_path / "m.safetensors")
    expected = model.inference(X, y, offset=offset).predict(X[:4], offset=offset[:4])
    proba = model.predict_proba(X[:4], offset=offset[:4])
    np.testing.assert_allclose(expected[1, "proba"], proba[:, 1], rtol=1e-12)
    loaded = bp.load(tmp_path / "m.safetensors")
    for summary in (pickle.loads(pickle.dumps(model.summary())), loaded.summary()):
        shown = summary.predict(X[:4], offset=offset[:4])
        np.testing.assert_allclose(shown, expected, rtol=1e-9)
