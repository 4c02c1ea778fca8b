"""The five measures against scikit-learn, and where scikit-learn has no answer by hand."""

import numpy as np
import pytest
from sklearn import metrics as peer

from backpass import metrics


def problem(n_classes, seed, ties=False):
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.normal(size=(300, n_classes))
    if ties:  # equal rows tie to the last bit, for any way of computing a score
        logits = logits[rng.integers(0, 12, size=300)]
    log_proba = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    y = np.array([rng.choice(n_classes, p=p) for p in np.exp(log_proba)])
    return y, log_proba, rng.uniform(0.0, 3.0, size=300)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_scores_agree_with_scikit_learn(n_classes, ties, weighted):
    y, log_proba, weight = problem(n_classes, seed=n_classes, ties=ties)
    weight = weight if weighted else None
    proba = np.exp(log_proba)
    scores = metrics.score(y, log_proba, weight)
    accuracy = peer.accuracy_score(y, proba.argmax(axis=1), sample_weight=weight)
    assert scores.accuracy == pytest.approx(accuracy, rel=1e-12)
    log_loss = peer.log_loss(y, proba, sample_weight=weight)
    assert scores.log_loss == pytest.approx(log_loss, rel=1e-12)
    brier = peer.brier_score_loss(
        y,
        proba[:, 1] if n_classes == 2 else proba,
        sample_weight=weight,
        scale_by_half=n_classes == 2,
        **({} if n_classes == 2 else {"labels": range(n_classes)}),
    )
    assert scores.brier == pytest.approx(brier, rel=1e-12)
    if n_classes == 2:
        expected = peer.roc_auc_score(y, proba[:, 1], sample_weight=weight)
    else:
        expected = np.mean(
            [
                peer.roc_auc_score(y == k, proba[:, k], sample_weight=weight)
                for k in range(n_classes)
            ]
        )
    assert scores.auc == pytest.approx(expected, rel=1e-12)
    assert scores.n_rows == 300


@pytest.mark.parametrize("n_classes", [2, 4])
def test_calibration_error_is_its_definition(n_classes):
    y, log_proba, weight = problem(n_classes, seed=5)
    proba = np.exp(log_proba)
    if n_classes == 2:
        confidence, event = proba[:, 1], (y == 1).astype(float)
    else:
        confidence, event = proba.max(axis=1), (proba.argmax(axis=1) == y).astype(float)
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence >= low) & (confidence < low + 0.1)
        if inside.any():
            gap = np.average(event[inside] - confidence[inside], weights=weight[inside])
            expected += weight[inside].sum() / weight.sum() * abs(gap)
    assert metrics.calibration_error(y, log_proba, weight) == pytest.approx(expected, rel=1e-9)


def test_a_certain_and_right_model_has_no_error():
    y = np.array([0, 1, 1])
    log_proba = np.where(np.arange(2) == y[:, None], 0.0, -np.inf)
    with np.errstate(invalid="raise"):
        scores = metrics.score(y, log_proba)
    assert (scores.accuracy, scores.log_loss, scores.auc) == (1.0, 0.0, 1.0)
    assert (scores.brier, scores.calibration_error) == (0.0, 0.0)


def test_log_loss_of_a_confident_mistake_is_not_clipped():
    # The probability of the true class, e^-800, is 0 in float64; its logarithm is not.
    log_proba = np.array([[0.0, -800.0], [-800.0, 0.0]])
    assert metrics.log_loss(np.array([1, 1]), log_proba) == 400.0


def test_auc_orders_rows_whose_probabilities_round_to_one():
    # 1 - p is 1e-20, 1e-30 and 1e-10: as probabilities all are 1.0, as log-odds they differ.
    small = np.log([1e-20, 1e-30, 1e-10])
    log_proba = np.column_stack([small, np.zeros(3)])
    assert metrics.auc(np.array([1, 1, 0]), log_proba) == 1.0


def test_auc_leaves_out_classes_without_rows():
    y, log_proba, _ = problem(3, seed=1)
    rows = y != 2
    one = peer.roc_auc_score(y[rows] == 0, np.exp(log_proba[rows, 0]))
    two = peer.roc_auc_score(y[rows] == 1, np.exp(log_proba[rows, 1]))
    assert metrics.auc(y[rows], log_proba[rows]) == pytest.approx((one + two) / 2, rel=1e-12)


def test_one_class_only_has_no_auc_and_json_says_null():
    scores = metrics.score(np.array([0, 0]), np.log([[0.5, 0.5], [0.9, 0.1]]))
    assert np.isnan(scores.auc)
    assert scores.to_document()["auc"] is None
    assert scores.to_document()["accuracy"] == 1.0


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows to score"):
        metrics.score(np.zeros(0, int), np.zeros((0, 2)))


def test_the_trivial_model_predicts_the_shares():
    log_proba = metrics.trivial_log_proba([30, 10], 4)
    np.testing.assert_allclose(np.exp(log_proba), np.tile([0.75, 0.25], (4, 1)), rtol=1e-15)
    y = np.array([0, 0, 0, 1])
    scores = metrics.score(y, log_proba)
    assert (scores.accuracy, scores.auc) == (0.75, 0.5)
    assert scores.log_loss == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert scores.calibration_error == pytest.approx(0.0, abs=1e-15)


def test_integer_weights_are_repeated_rows():
    y, log_proba, _ = problem(3, seed=9)
    times = np.random.default_rng(2).integers(0, 4, size=len(y))
    once = metrics.score(y, log_proba, times.astype(float))
    repeated = metrics.score(np.repeat(y, times), np.repeat(log_proba, times, axis=0))
    for name in ("accuracy", "log_loss", "auc", "brier", "calibration_error"):
        assert getattr(once, name) == pytest.approx(getattr(repeated, name), rel=1e-12)
