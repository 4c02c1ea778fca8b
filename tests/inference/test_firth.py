"""Firth's bias reduction: its gradient, a published table, and what it is invariant to."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.inference.data import read
from tests.inference.test_results import simulated
from tests.inference.test_separation import likelihood_of

import backpass as bp
from backpass.inference.firth import FirthSurface


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_the_gradient_is_that_of_the_penalised_likelihood(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2)) * [1.0, 30.0]
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=40 - n_classes)])
    likelihood = likelihood_of(X, y, n_classes, rng.uniform(0.5, 2.0, 40))
    surface = FirthSurface(likelihood)
    beta = rng.normal(size=likelihood.shape)

    def value(flat):
        return surface.evaluate(flat.reshape(likelihood.shape))[0]

    flat, step = beta.ravel(), 1e-5
    slopes = [(value(flat + e) - value(flat - e)) / (2 * step) for e in step * np.eye(flat.size)]
    np.testing.assert_allclose(surface.evaluate(beta)[1], slopes, rtol=1e-7, atol=1e-8)
    # its value is log l + ½ log |I|, I by the coefficients of the given columns
    wide = np.column_stack([np.ones(40), X])
    plain, _, seen = likelihood.evaluate(beta)
    back = np.kron(np.eye(n_classes - 1), np.linalg.inv(likelihood.scale.matrix))
    _, logarithm = np.linalg.slogdet(back.T @ seen @ back)
    assert value(flat) == pytest.approx(plain + 0.5 * logarithm, rel=1e-12)
    assert wide.shape[1] == likelihood.n_columns


def test_endometrial_table():
    """brglm2's estimates and errors; Heinze & Schemper's (2002) profile intervals."""
    data = read("endometrial/endometrial.csv")
    X, y = data[["NV", "PI", "EH"]], data["HG"]
    model = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y)
    found = model.inference(X, y)
    np.testing.assert_allclose(found.params, [3.77456, 2.92927, -0.03475, -2.60416], atol=6e-6)
    np.testing.assert_allclose(found.bse, [1.48869, 1.55076, 0.03958, 0.77602], atol=6e-6)
    assert -2 * found.llf == pytest.approx(56.575, abs=6e-4)
    ends = found.confint(method="profile").drop("(intercept)")
    published = [[0.6097, 7.8546], [-0.1245, 0.0405], [-4.3652, -1.2327]]
    np.testing.assert_allclose(ends, published, atol=6e-5)
    assert model.converged_ and np.isnan(model.gap_)
    assert 2 * model.cost_ == pytest.approx(56.575, abs=6e-4)
    assert model.objective_ == pytest.approx(-found.optimum.penalised, rel=1e-12)
    assert "Jeffreys' prior (Firth)" in str(found)
    np.testing.assert_allclose(model.summary().to_frame(), found.to_frame(), rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_units_and_the_base_class_do_not_matter(n_classes):
    X, y = simulated(n_classes, n_rows=60)
    plain = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y)
    base = sorted(y.unique())[-1]
    other = bp.LogisticRegression(C=np.inf, firth=True, reference={"level": base})
    other.fit(X.assign(dose=1e3 * X["dose"] + 5.0), y)
    np.testing.assert_allclose(
        other.predict_proba(X.assign(dose=1e3 * X["dose"] + 5.0)),
        plain.predict_proba(X),
        rtol=1e-7,
    )
    assert other.summary().llr == pytest.approx(plain.summary().llr, rel=1e-8)


@pytest.mark.parametrize(
    "counts", [[[9, 0], [3, 4]], [[9, 0, 2], [3, 4, 0]], [[5, 0, 0], [0, 7, 1]]]
)
def test_in_two_groups_it_adds_a_half_to_every_count(counts):
    """Jeffreys' prior of a multinomial is that; an empty cell gives no infinite estimate."""
    counts = np.array(counts)
    group = np.repeat([0.0, 1.0], counts.sum(axis=1))[:, None]
    y = np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    model = bp.LogisticRegression(C=np.inf, firth=True).fit(group, y)
    shares = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba([[0.0], [1.0]]), shares, rtol=1e-7)


def test_columns_that_combine_others_get_no_estimate():
    X, y = simulated()
    X = X.assign(again=2.0 * X["age"])
    with pytest.warns(bp.CollinearityWarning, match="again is a linear combination"):
        model = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y)
    plain = bp.LogisticRegression(C=np.inf, firth=True).fit(X.drop(columns="again"), y)
    found = model.summary()
    assert found.params.isna().sum() == 1
    np.testing.assert_allclose(
        found.params.drop("again"), plain.summary().params, rtol=1e-6, atol=1e-8
    )


def test_two_penalised_fits_do_not_compare():
    X, y = simulated()
    whole = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y)
    part = bp.LogisticRegression(C=np.inf, firth=True).fit(X[["age"]], y)
    found = whole.inference(X, y)
    with pytest.raises(ValueError, match="the prior depends on the columns"):
        found.lr_test(part.inference(X[["age"]], y))
    test = found.lr_test(["dose", "group"])
    assert test.df == 3 and 0.0 < test.pvalue < 1.0
    every = found.lr_test(["age", "dose", "group"])
    assert every.statistic == pytest.approx(found.llr, rel=1e-7)


def test_the_table_shows_the_two_values_that_its_test_compares():
    X, y = simulated()
    found = bp.LogisticRegression(C=np.inf, firth=True).fit(X, y).summary()
    shown = re.search(r"penalised +(-\d+\.\d{4}), without columns (-\d+\.\d{4})", str(found))
    height, null = map(float, shown.groups())
    assert 2.0 * (height - null) == pytest.approx(found.llr, abs=2.1e-4)  # four decimals each
    assert height != pytest.approx(found.llf, abs=0.01)
    assert "penalised " not in str(bp.LogisticRegression(C=np.inf).fit(X, y).summary())
