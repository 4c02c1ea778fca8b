"""Categories stay codes: the fit is that of their columns of 0 and 1, in memory of their levels."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backpass as bp
from backpass import curvature, linear_objective
from backpass.bordered import Bordered
from backpass.data.mixed import MixedTable
from backpass.encoding import Encoding
from backpass.estimators import statistics
from backpass.estimators.given import Given
from backpass.estimators.minimum import write_problem


def mixed_frame(rng, n_rows, levels=(5, 3), gaps=0.0, n_classes=2):
    """Numbers between categories, and labels that both have a say in."""
    places = [rng.integers(0, n_levels, n_rows) for n_levels in levels]
    age, size = rng.normal(40.0, 10.0, n_rows), rng.normal(size=n_rows)
    z = 0.05 * (age - 40.0) + size + sum(np.sin(7.0 * p) for p in places)
    cuts = np.quantile(z, np.arange(1, n_classes) / n_classes)
    y = np.digitize(z + rng.logistic(size=n_rows), cuts)
    y[:n_classes] = np.arange(n_classes)
    gone = rng.random((n_rows, 3)) < gaps
    frame = {"age": np.where(gone[:, 0], np.nan, age)}
    for number, place in enumerate(places):
        words = np.array([f"{'abc'[number]}{p}" for p in place], dtype=object)
        words[gone[:, 1 + number % 2]] = None
        frame[f"kind{number}"] = words
    return pd.DataFrame(frame | {"size": size}), y


def both_fits(frame, y, weight=None, **parameters):
    """Return the fit of a frame, and the same where its encoding writes categories out."""
    coded = bp.LogisticRegression(**parameters).fit(frame, y, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoding, "rows", Encoding.transform)
        return coded, bp.LogisticRegression(**parameters).fit(frame, y, weight)


def assert_same_optimum(coded, written):
    """Both objectives lie within their gaps of one minimum."""
    apart = abs(coded.objective_ - written.objective_)
    assert apart <= coded.gap_ + written.gap_ + 1e-12 * written.objective_


def few_unknowns(patch, up_to):
    """Let a matrix be formed for so many unknowns only."""
    for module in (curvature, linear_objective, statistics):
        patch.setattr(module, "MATRIX_UP_TO", up_to)


CASES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "n_classes": st.sampled_from([2, 3]),
        "levels": st.sampled_from([(2,), (7, 3), (3, 4, 9)]),
        "gaps": st.sampled_from([0.0, 0.1]),
        "C": st.sampled_from([0.01, 1.0, 100.0]),
        "l1_ratio": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        "fit_intercept": st.booleans(),
        "standardize": st.booleans(),
        "weighted": st.booleans(),
        "up_to": st.sampled_from([2000, 2]),  # unknowns of a matrix; 2: bordered, or none
        "bordered": st.sampled_from([curvature.BORDERED_BYTES, 0]),
    }
)


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_the_optimum_is_that_of_columns_of_0_and_1(case):
    case = dict(case)
    rng = np.random.default_rng(case.pop("seed"))
    shape = {name: case.pop(name) for name in ("levels", "gaps", "n_classes")}
    frame, y = mixed_frame(rng, 300, **shape)
    weight = rng.integers(0, 3, 300).astype(float) if case.pop("weighted") else None
    up_to, bordered = case.pop("up_to"), case.pop("bordered")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # proximal steps may need more than max_iter
        few_unknowns(patch, up_to)
        patch.setattr(curvature, "BORDERED_BYTES", bordered)
        coded, written = both_fits(frame, y, weight, tol=1e-9, **case)
    assert_same_optimum(coded, written)
    assert coded.gap_ >= 0.0
    if coded.converged_ and written.converged_ and case["l1_ratio"] < 1.0:
        l2 = (1.0 - case["l1_ratio"]) / case["C"]
        # strong convexity: ½ l2 · distance² <= gap, where the penalty is on columns as they are
        reach = np.sqrt(2.0 * coded.gap_ / l2) + np.sqrt(2.0 * written.gap_ / l2)
        if not case["standardize"]:
            assert np.linalg.norm(coded.coef_ - written.coef_) <= reach + 1e-9
    np.testing.assert_allclose(
        coded.predict_proba(frame),
        bp_proba(coded, coded.encoding_.transform(frame)),
        atol=1e-12,
    )


def bp_proba(model, x):
    logits = x @ model.coef_.T + model.intercept_
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimates_and_errors_at_maximum_likelihood(n_classes):
    rng = np.random.default_rng(3)
    frame, y = mixed_frame(rng, 2000, levels=(6, 3), n_classes=n_classes)
    coded, written = both_fits(frame, y, C=np.inf)
    np.testing.assert_allclose(coded.coef_, written.coef_, rtol=1e-6, atol=1e-8)
    a, b = coded.summary(), written.summary()
    np.testing.assert_allclose(a.bse, b.bse, rtol=1e-8)
    again = coded.inference(frame, y, cov="HC0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoding, "rows", Encoding.transform)
        expected = written.inference(frame, y, cov="HC0")
    np.testing.assert_allclose(again.bse, expected.bse, rtol=1e-8)
    np.testing.assert_allclose(again.leverage(), expected.leverage(), rtol=1e-8)
    shares = again.predict(frame.head(20))
    np.testing.assert_allclose(shares, expected.predict(frame.head(20)), rtol=1e-6)
    assert list(coded.coef_names_[:3]) == ["age", "kind0=a1", "kind0=a2"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_maximum_likelihood_with_a_bordered_curvature(monkeypatch, n_classes):
    frame, y = mixed_frame(np.random.default_rng(3), 2000, (6, 3), n_classes=n_classes)
    whole = bp.LogisticRegression(C=np.inf).fit(frame, y)
    few_unknowns(monkeypatch, 2)
    bordered = bp.LogisticRegression(C=np.inf).fit(frame, y)
    assert bordered.converged_ and bordered.passes_ < 20
    np.testing.assert_allclose(bordered.coef_, whole.coef_, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="errors need the covariance of all"):
        bordered.inference(frame, y)
    with pytest.raises(ValueError, match="errors need the covariance of all"):
        bordered.summary()


def problem_of(model, frame, y):
    encoding = Encoding.learn(frame, missing="indicator")
    given_rows = Given(encoding.rows(frame), y, None)
    return write_problem(model, given_rows, len(np.unique(y)), encoding.is_number).objective


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_bordered_curvature_is_the_matrix_in_another_form(monkeypatch, n_classes, C):
    frame, y = mixed_frame(np.random.default_rng(5), 500, (7, 3), 0.1, n_classes)
    model = bp.LogisticRegression(C=C)
    whole = problem_of(model, frame, y)
    few_unknowns(monkeypatch, 2)
    bordered = problem_of(model, frame, y)
    assert bordered.form.border.n_levels == 8  # and the missing ones
    u, v = np.random.default_rng(6).normal(size=(2, whole.n_parameters))
    for stride in (1, 4):
        one, other = (o.evaluate(u, stride, curvature=True) for o in (whole, bordered))
        assert isinstance(other.curvature, Bordered)
        assert other.longest == pytest.approx(one.longest, rel=1e-12)
        expected = whole.definite(one.curvature)
        np.testing.assert_allclose(
            bordered.definite(other.curvature) @ v, expected @ v, rtol=1e-9, atol=1e-9
        )
    if np.isfinite(C):
        forms = [o.largest_row_form(o.factor(o.evaluate(u, curvature=True))) for o in
                 (whole, bordered)]  # fmt: skip
        assert forms[1] == pytest.approx(forms[0], rel=1e-8)


def test_the_same_bits_for_any_number_of_threads(monkeypatch):
    frame, y = mixed_frame(np.random.default_rng(7), 150_000, (40, 3))
    for up_to in (2000, 2):
        few_unknowns(monkeypatch, up_to)
        one, two = (bp.LogisticRegression(n_jobs=n).fit(frame, y) for n in (1, 2))
        np.testing.assert_array_equal(one.coef_, two.coef_)
        assert (one.gap_, one.passes_) == (two.gap_, two.passes_)


def test_pandas_polars_and_arrow_are_one_fit():
    frame, y = mixed_frame(np.random.default_rng(8), 500, (5, 3), 0.1)
    models = [
        bp.LogisticRegression().fit(table, y)
        for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame))
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef_, models[0].coef_)
        np.testing.assert_array_equal(model.predict_proba(frame), models[0].predict_proba(frame))


def many_levels(n_levels, n_rows, seed=0):
    rng = np.random.default_rng(seed)
    place = np.concatenate([np.arange(n_levels), rng.integers(0, n_levels, n_rows - n_levels)])
    x = rng.normal(size=n_rows)
    levels = [f"shop {i}" for i in range(n_levels)]
    frame = pd.DataFrame({"x": x, "shop": pd.Categorical.from_codes(place, levels)})
    z = x + rng.normal(size=n_levels)[place]
    return frame, (z + rng.logistic(size=n_rows) > 0.0).astype(int)


def peak_of_fit(frame, y, **parameters):
    """Return the fit and the most bytes that it held at once."""
    tracemalloc.start()
    try:
        model = bp.LogisticRegression(**parameters).fit(frame, y)
        return model, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_levels_not_of_rows_by_levels():
    few, y_few = many_levels(25_000, 200_000)
    many, y_many = many_levels(100_000, 200_000)
    _, small = peak_of_fit(few, y_few)
    model, large = peak_of_fit(many, y_many)
    assert model.converged_ and model.coef_.shape == (1, 100_001)
    # Written out, it would be 200,000 · 100,000 · 8 bytes = 160 GB; the matrix, 80 GB.
    assert large < 200e6
    assert (large - small) / 75_000 < 1500  # bytes for one level more
    assert model.passes_ < 12  # Newton's steps, not hundreds of gradients
    rows = Encoding.learn(many, missing="indicator").rows(many)
    assert isinstance(rows, MixedTable) and rows.codes.nbytes == 4 * len(many)


def test_two_large_categories_need_no_curvature():
    frame, y = many_levels(5_000, 30_000)
    frame["item"] = many_levels(5_000, 30_000, seed=1)[0]["shop"]
    model, peak = peak_of_fit(frame, y)
    assert model.converged_ and peak < 100e6
    worse = model.objective_ - bp.LogisticRegression(tol=1e-10).fit(frame, y).objective_
    assert worse <= model.gap_
