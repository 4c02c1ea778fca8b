"""A Recorder keeps what a training looked like: against quantities computed from θ anew."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

import backpass as bp


def trained(**options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(X[:, 0] + X[:, 1] > 0, "up", "down")
    recorder = bp.Recorder(X[:20], y[:20], classes=["down", "up"])
    seen = []
    model = bp.MLPClassifier(
        (8,), max_iter=5, n_iter_no_change=9, random_state=0,
        callbacks=[recorder, seen.append], **options,
    )  # fmt: skip
    with pytest.warns(UserWarning):  # five epochs are few
        model.fit(X, y)
    return model, recorder, seen, X, y


def test_norms_are_those_of_the_parameters_at_each_epoch():
    _, recorder, seen, X, y = trained()
    assert [epoch["epoch"] for epoch in recorder.epochs] == [1, 2, 3, 4, 5]
    for record, state in zip(recorder.epochs, seen, strict=True):
        named = state.network.parameters(state.theta)
        norm = np.sqrt(np.sum(named["0.weight"] ** 2) + np.sum(named["0.bias"] ** 2))
        assert record["weights"][0] == pytest.approx(norm)
        assert record["weights"][1] is None  # a rectifier has none
        assert record["loss"] == state.loss
        trace = state.network.trace(state.theta, X[:20], (y[:20] == "up").astype(int))
        mean = np.hypot.reduce(
            [np.linalg.norm(trace.gradient[f"0.{part}"] / 20) for part in ("weight", "bias")]
        )
        assert record["gradients"][0] == pytest.approx(mean, rel=1e-5)
        delta = np.sqrt(np.mean(np.sum(trace.delta[2].astype(float) ** 2, axis=1)))
        assert record["delta"][1] == pytest.approx(delta, rel=1e-6)


def test_recording_does_not_change_the_training():
    model, *_, X, y = trained()
    with pytest.warns(UserWarning):
        alone = bp.MLPClassifier((8,), max_iter=5, n_iter_no_change=9, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.theta_, alone.theta_)


def test_dead_units_are_counted():
    net = bp.Network([bp.Linear(1, 4), bp.ReLU(), bp.Linear(4, 2)], bp.CrossEntropyLoss())
    bias = [-9.0, 1.0, -9.0, -9.0]
    theta = net.flatten({
        "0.weight": [[1.0], [1.0], [1.0], [-20.0]], "0.bias": bias,
        "2.weight": np.ones((2, 4)), "2.bias": [0.0, 0.0],
    })  # fmt: skip
    recorder = bp.Recorder(np.array([[-1.0], [0.5], [1.0]]), [0, 1, 1])
    recorder(SimpleNamespace(
        epoch=1, loss=1.0, validation_score=None, learning_rate=0.1, theta=theta, network=net,
    ))  # fmt: skip
    # units 0 and 2 are off in every row, unit 3 lives in the first
    assert recorder.epochs[0]["dead"] == [None, 0.5, None]


def test_the_training_has_a_page(tmp_path):
    model, recorder, _, X, y = trained(early_stopping=True)
    recorder.to_html(tmp_path / "training.html", title="Training")
    text = (tmp_path / "training.html").read_text(encoding="utf-8")
    assert '"epochs":[1,2,3,4,5]' in text and '"levels":null' in text
    model.trace(X[:3], y[:3]).to_html(tmp_path / "both.html", training=recorder)
    both = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert '"epochs":[1,2,3,4,5]' in both and re.search(r'"levels":\[\{', both)


def test_without_rows_it_has_weights_alone(tmp_path):
    rng = np.random.default_rng(0)
    recorder = bp.Recorder()
    with pytest.warns(UserWarning):
        bp.MLPClassifier((4,), max_iter=2, random_state=0, callbacks=[recorder]).fit(
            rng.normal(size=(30, 2)), np.arange(30) % 2
        )
    content = recorder.document()
    assert content["rows"] == 0 and content["delta"] == [] and content["weights"][0] is not None


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(ValueError, match="X and y, or neither"):
        bp.Recorder(np.ones((3, 2)))
    with pytest.raises(ValueError, match="X has shape"):
        bp.Recorder(np.ones((3, 2)), [0, 1])
    with pytest.raises(ValueError, match="row 2: 'c' is not among classes"):
        bp.Recorder(np.ones((3, 2)), ["a", "b", "c"], classes=["a", "b"])
    with pytest.raises(ValueError, match="no epoch"):
        bp.Recorder().document()
