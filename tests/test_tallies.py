"""Measures of rows that pass by: those of `metrics.score` on all of them at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from backpass import metrics, tallies


def rows(n_rows, n_classes, weighted, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_rows)
    z = rng.normal(size=(n_rows, n_classes)).round(1)
    z[np.arange(n_rows), y] += 1.0
    return y, log_softmax(z, axis=1), rng.random(n_rows) if weighted else None


def tallied(y, log_proba, weight, size):
    tally = tallies.Tally(log_proba.shape[1])
    for start in range(0, len(y), size):
        part = slice(start, start + size)
        tally.add(y[part], log_proba[part], None if weight is None else weight[part])
    return tally


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_they_are_those_of_all_rows_at_once(n_classes, weighted):
    given = rows(5000, n_classes, weighted)
    once = metrics.score(*given)
    found = tallied(*given, size=700).scores()
    assert found.n_rows == 5000
    for name in ("accuracy", "log_loss", "auc", "brier", "calibration_error"):
        assert getattr(found, name) == pytest.approx(getattr(once, name), rel=1e-12), name


def test_many_scores_are_counted_by_their_first_bits(monkeypatch):
    y, log_proba, weight = rows(20_000, 2, True)
    exact = metrics.score(y, log_proba, weight).auc
    log_proba = log_softmax(np.column_stack([np.zeros(len(y)), log_proba[:, 1] * 1.234567]), axis=1)
    exact = metrics.score(y, log_proba, weight).auc
    monkeypatch.setattr(tallies, "MOST_KEPT", 5000)
    tally = tallied(y, log_proba, weight, 1000)
    assert tally.curves[0].kept == []
    assert tally.scores().auc == pytest.approx(exact, abs=1e-3)


def test_the_order_of_keys_is_that_of_scores():
    scores = np.array([-np.inf, -1e30, -2.0, -1.0, -1e-30, 0.0, 1e-30, 1.0, 2.0, 1e30, np.inf])
    assert (np.diff(tallies._keys(scores)) >= 0).all()
    assert len(set(tallies._keys(scores[[0, 1, 2, 3, 5, 7, 8, 9, 10]]))) == 9


def test_confusion_and_an_impossible_truth():
    tally = tallies.Tally(2)
    with np.errstate(divide="ignore"):
        tally.add(np.array([0, 1, 1]), np.log([[1.0, 0.0], [1.0, 0.0], [0.25, 0.75]]))
    assert tally.confusion.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert tally.scores().log_loss == np.inf
    with pytest.raises(ValueError, match="no rows"):
        tallies.Tally(2).scores()
