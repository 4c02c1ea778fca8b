"""Intervals of 95 % cover the truth in 94 to 96 of 100 samples: of every kind, for both models."""

from __future__ import annotations

import numpy as np
import pytest

import backpass as bp

N_SAMPLES, N_ROWS, N_CLUSTERS = 700, 300, 60


def samples(n_classes):
    """Yield rows, labels and the true contrasts, (classes - 1, 3), the intercept first."""
    rng = np.random.default_rng(20)
    truth = np.array([[0.3, -0.6, 0.8], [-0.4, 0.7, 0.2]])[: n_classes - 1]
    for _ in range(N_SAMPLES):
        X = rng.normal(size=(N_ROWS, 2))
        logits = np.zeros((N_ROWS, n_classes))
        logits[:, 1:] = truth[:, 0] + X @ truth[:, 1:].T
        yield X, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1), truth.ravel()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_wald_intervals_cover(n_classes):
    inside = []
    for X, y, truth in samples(n_classes):
        found = bp.LogisticRegression(C=np.inf, n_jobs=1).fit(X, y).summary()
        half = 1.959963984540054 * found.bse.to_numpy()
        inside.append(np.abs(found.params.to_numpy() - truth) <= half)
    assert 0.94 < np.mean(inside) < 0.96
    assert len(inside) == N_SAMPLES


def test_clustered_intervals_cover_where_others_do_not():
    """Rows come in fives, all alike: n is a fifth of what it seems."""
    inside = {"hessian": [], "cluster": []}
    groups = np.repeat(np.arange(N_CLUSTERS), 5)
    for X, y, truth in samples(2):
        X, y = np.repeat(X[:N_CLUSTERS], 5, axis=0), np.repeat(y[:N_CLUSTERS], 5)
        model = bp.LogisticRegression(C=np.inf, n_jobs=1).fit(X, y)
        for cov, hits in inside.items():
            given = groups if cov == "cluster" else None
            found = model.inference(X, y, cov=cov, groups=given)
            off = np.abs(found.params.to_numpy() - truth)
            hits.append(off <= 1.959963984540054 * found.bse.to_numpy())
    assert np.mean(inside["hessian"]) < 0.7
    # 60 clusters are few, so the sandwich is a little short
    assert 0.92 < np.mean(inside["cluster"]) < 0.96
