"""y as (n, 2) counts of failures and successes: the same as a row for every single label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import backpass as bp

RNG = np.random.default_rng(8)
N = 60
X = RNG.normal(size=(N, 2))
COUNTS = np.column_stack([RNG.integers(0, 5, N), RNG.integers(0, 5, N)])
ONE_EACH = np.vstack([X, X])
LABELS = np.repeat([0, 1], N)
TIMES = COUNTS.T.reshape(-1).astype(float)
PARAMETERS = {"C": np.inf, "tol": 1e-16}


@pytest.mark.parametrize("weight", [None, RNG.integers(0, 3, N).astype(float)])
@pytest.mark.parametrize("cov", ["hessian", "HC0", "HC1", "cluster"])
def test_counts_are_rows_of_one_label_each(cov, weight):
    times = TIMES if weight is None else TIMES * np.tile(weight, 2)
    groups = np.arange(N) // 3 if cov == "cluster" else None
    twice = None if groups is None else np.tile(groups, 2)
    counted = bp.LogisticRegression(**PARAMETERS).fit(X, COUNTS, weight)
    single = bp.LogisticRegression(**PARAMETERS).fit(ONE_EACH, LABELS, times)
    assert counted.classes_.tolist() == [0, 1]
    found = counted.inference(X, COUNTS, weight, cov=cov, groups=groups)
    expected = single.inference(ONE_EACH, LABELS, times, cov=cov, groups=twice)
    np.testing.assert_allclose(found.to_frame(), expected.to_frame(), rtol=1e-9)
    for name in ("llf", "llnull", "llr", "aic", "bic", "nobs", "df_resid"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)
    leverage = expected.leverage().reshape(2, N).sum(axis=0)
    np.testing.assert_allclose(found.leverage(), leverage, atol=1e-12)
    scores = [np.vstack([s for _, s in r.score_rows()]) for r in (found, expected)]
    np.testing.assert_allclose(scores[0], scores[1].reshape(2, N, -1).sum(axis=0), atol=1e-10)


@pytest.mark.parametrize("parameters", [{"C": 0.5}, {"C": 0.1, "l1_ratio": 1.0}, {"firth": True}])
def test_penalised_fits_and_firths_too(parameters):
    parameters = {"C": np.inf, "tol": 1e-12} | parameters
    counted = bp.LogisticRegression(**parameters).fit(X, COUNTS)
    single = bp.LogisticRegression(**parameters).fit(ONE_EACH, LABELS, TIMES)
    np.testing.assert_allclose(counted.coef_, single.coef_, atol=1e-8)
    assert counted.objective_ == pytest.approx(single.objective_, rel=1e-10)


def test_separation_is_found_among_counts():
    """Below 0 only failures, above 0 only successes, and both at 0: complete but for that row."""
    x = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    counts = np.array([[3, 0], [2, 0], [1, 1], [0, 2], [0, 4]])
    with pytest.warns(bp.SeparationWarning, match=r"4 rows: .* along x0 to \+inf"):
        model = bp.LogisticRegression(C=np.inf).fit(x, counts)
    assert not model.inference(x, counts).separation.complete
    counts[1, 1] = 1  # one success below 0 ends it
    assert bp.LogisticRegression(C=np.inf).fit(x, counts).summary().separation is None


def test_a_frame_of_counts_and_an_offset():
    frame = pd.DataFrame({"failed": COUNTS[:, 0], "worked": COUNTS[:, 1]})
    offset = RNG.normal(size=N)
    counted = bp.LogisticRegression(**PARAMETERS).fit(X, frame, offset=offset)
    single = bp.LogisticRegression(**PARAMETERS)
    single.fit(ONE_EACH, LABELS, TIMES, offset=np.tile(offset, 2))
    np.testing.assert_allclose(counted.coef_, single.coef_, atol=1e-9)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.where(np.arange(2 * N).reshape(N, 2) == 9, -1, COUNTS), r"y, row 4: \[.*-1.*negative"),
        (COUNTS * [1, 0], r"y counts no successes \(column 1\) in any row"),
        (np.full((N, 2), "yes"), "two columns, so they are counts .* do not hold numbers"),
        (COUNTS[:5], "inconsistent numbers of samples"),
    ],
)
def test_counts_that_are_none(y, said):
    with pytest.raises(ValueError, match=said):
        bp.LogisticRegression().fit(X, y)


def test_class_weight_has_no_labels_to_weigh():
    with pytest.raises(ValueError, match="class_weight weighs labels, but y holds counts"):
        bp.LogisticRegression(class_weight="balanced").fit(X, COUNTS)


@pytest.mark.parametrize("weight", [None, RNG.integers(0, 3, N).astype(float)])
def test_the_score_is_the_share_of_trials_predicted_right(weight):
    model = bp.LogisticRegression().fit(X, COUNTS)
    times = TIMES if weight is None else TIMES * np.tile(weight, 2)
    found = model.score(X, COUNTS, weight)
    assert found == pytest.approx(model.score(ONE_EACH, LABELS, times), rel=1e-12)
    none = model.score(X[:2], [[3, 0], [0, 0]])  # of rows to score, no success need be among them
    assert none == float(model.predict(X[:1])[0] == 0)
    with pytest.raises(ValueError, match="score needs y"):
        model.score(X)


def test_the_table_says_that_its_deviance_is_not_of_groups(tmp_path):
    model = bp.LogisticRegression(C=np.inf).fit(X, COUNTS)
    said = " ".join(str(model.summary()).split())
    assert f"trials used {COUNTS.sum()}" in said and "A deviance of groups, as R prints it" in said
    bp.save(model, tmp_path / "m.safetensors")
    assert str(bp.load(tmp_path / "m.safetensors").summary()) == str(model.summary())
    assert "A deviance of groups" in model.summary()._repr_html_()
    single = bp.LogisticRegression(C=np.inf).fit(ONE_EACH, LABELS, TIMES)
    assert "rows used" in str(single.summary()) and "deviance" not in str(single.summary())
