"""From last values to log-probabilities: the same whichever way a network ends."""

import numpy as np
import pytest

import backpass as bp
from backpass.estimators.outputs import (
    entropy,
    log_distribution,
    log_probabilities,
    logit_network,
)
from backpass.losses import Loss

ENDS = [
    (bp.LogSoftmax(), bp.NLLLoss(), bp.CrossEntropyLoss()),
    (bp.Sigmoid(), bp.BCELoss(), bp.BCEWithLogitsLoss()),
]


@pytest.mark.parametrize(("last", "loss", "joint"), ENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_come_from_the_same_theta(last, loss, joint, dtype):
    width = 1 if isinstance(last, bp.Sigmoid) else 3
    net = bp.Network([bp.Linear(2, 4), bp.Tanh(), bp.Linear(4, width), last], loss, dtype)
    asked = logit_network(net)
    theta, X = net.init(0), np.random.default_rng(0).normal(size=(5, 2))
    assert asked.loss == joint
    assert asked.dtype == np.float64
    assert asked.layout.shapes == net.layout.shapes
    proba = net.forward(theta, X)
    proba = np.exp(proba) if width == 3 else np.hstack([1.0 - proba, proba])
    logs = log_distribution(asked.forward(theta, X), asked)
    np.testing.assert_allclose(np.exp(logs), proba, rtol=1e-5 if dtype == "float32" else 1e-12)


def test_logits_far_out():
    net = bp.Network([bp.Linear(1, 1)], bp.BCEWithLogitsLoss())
    no, yes = log_probabilities(np.array([[1e4], [-1e4], [50.0]]), net)
    np.testing.assert_allclose(yes[:2, 0], [0.0, -1e4])
    np.testing.assert_allclose(no[:2, 0], [-1e4, 0.0])
    assert yes[2, 0] == pytest.approx(-np.exp(-50.0), rel=1e-14)


def test_a_sigmoid_that_stands_alone_gives_probabilities():
    net = bp.Network([bp.Linear(1, 1), bp.Sigmoid(), bp.Dropout(0.5)], bp.BCELoss())
    assert logit_network(net).loss == bp.BCELoss()
    no, yes = log_probabilities(np.array([[0.25]]), net)
    np.testing.assert_allclose([no[0, 0], yes[0, 0]], np.log([0.75, 0.25]))


def test_a_loss_of_ones_own_has_no_known_meaning():
    class Hinge(Loss):
        def targets(self, y, n_rows, width, dtype):
            return y

        def value(self, z, y, loss_out): ...
        def delta(self, z, y, delta_in): ...
        def tangent(self, z, y, dot_z, dot_delta_in): ...

    net = bp.Network([bp.Linear(1, 2)], Hinge())
    with pytest.raises(ValueError, match=r"what .* makes of 2 outputs is not known"):
        log_distribution(np.zeros((1, 2)), net)


def test_entropy_is_the_cost_of_the_shares():
    assert entropy(np.array([3.0, 1.0])) == pytest.approx(
        -(3 * np.log(0.75) + np.log(0.25)), rel=1e-15
    )
    assert entropy(np.array([2.0, 0.0])) == 0.0
