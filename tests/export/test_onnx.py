"""The exported graph, run by onnxruntime, gives the probabilities of predict_proba."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from tests.modelfiles.make import LAYERS, as_input, models

import backpass as bp

# Values that a fit did not see are given on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::backpass.data.unseen.UnseenWarning")
KEPT = models()
BRIEF = {"tol": 1.0, "n_iter_no_change": 3, "random_state": 0}


def session(model, path, **options):
    bp.to_onnx(model, path, **options)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def fed(running, asked):
    """Return raw columns, or the rows of an array, as onnxruntime takes them."""
    if not isinstance(asked, dict):
        kind = np.float32 if running.get_inputs()[0].type == "tensor(float)" else np.float64
        return {"X": np.array(asked, kind)}
    made = {}
    for given in running.get_inputs():
        cells = asked[given.name]
        if given.type == "tensor(string)":
            column = np.array(["(none)" if cell is None else cell for cell in cells], object)
        elif given.type == "tensor(bool)":
            column = np.array(cells, bool)
        else:
            kind = np.float32 if given.type == "tensor(float)" else np.float64
            column = np.array([np.nan if cell is None else cell for cell in cells], kind)
        made[given.name] = column[:, None]
    return made


def assert_same(model, asked, path, atol=1e-12):
    running = session(model, path)
    label, proba = running.run(["label", "probabilities"], fed(running, asked))
    np.testing.assert_allclose(proba, model.predict_proba(as_input(asked)), rtol=0, atol=atol)
    assert proba.dtype == np.float64
    np.testing.assert_array_equal(label, model.predict(as_input(asked)))
    return running


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


@pytest.mark.parametrize("name", [name for name in KEPT if name != "own-layer"])
def test_the_graph_predicts_as_the_model_does(name, path):
    model, asked = KEPT[name]
    running = assert_same(model, asked, path)
    assert [file.name for file in path.parent.iterdir()] == ["m.onnx"]
    kinds = {given.name: given.type for given in running.get_inputs()}
    if isinstance(asked, dict):
        assert kinds == {
            "age": "tensor(double)",
            "income": "tensor(double)",
            "place": "tensor(string)",
            "member": "tensor(bool)",
        }
    else:
        assert kinds == {"X": "tensor(double)"}


def frame(**columns):
    rng = np.random.default_rng(3)
    n = 60
    plain = {"a": rng.normal(size=n), "b": rng.normal(50.0, 9.0, size=n)}
    y = np.where(plain["a"] + rng.normal(size=n) > 0.0, "yes", "no")
    return pd.DataFrame(plain | {k: (v * n)[:n] for k, v in columns.items()}), y


def listed(table):
    """Return a frame's columns as lists with None where values are missing."""
    return {
        name: [None if pd.isna(cell) else cell for cell in cells] for name, cells in table.items()
    }


@pytest.mark.parametrize("estimator", [bp.LogisticRegression, lambda: bp.MLPClassifier(**BRIEF)])
def test_gaps_levels_and_booleans_of_every_sort(estimator, path):
    table, y = frame(
        gaps=[1.0, None, 2.5, 4.0],
        only_gaps=[None, 7.0, 7.0],
        flag=[True, False, None, True, False],
        whole=[1, 5, 2, 8, 3],
        kind=["x", "y", None, "z", "", "x y"],
        full=["l", "r", "r"],
    )
    model = estimator().fit(table, y)
    asked = listed(table.head(12))
    asked["full"][:2] = ["never seen", None]
    asked["kind"][:2] = ["never seen", None]
    asked["a"][0] = asked["whole"][1] = None
    running = assert_same(model, asked, path)
    # A boolean with gaps at the fit must be able to say so, which tensor(bool) cannot.
    assert {i.name: i.type for i in running.get_inputs()}["flag"] == "tensor(double)"


def test_baselines_and_rows_that_predict_refuses(path):
    table, y = frame(kind=["x", "y", "x", "z", "y"])
    model = bp.LogisticRegression(C=np.inf, reference={"kind": "y"}).fit(table, y)
    asked = listed(table.head(5))
    running = assert_same(model, asked, path)
    asked["kind"][1], asked["a"][2] = "never seen", None
    proba = running.run(["probabilities"], fed(running, asked))[0]
    np.testing.assert_array_equal(np.isnan(proba).all(axis=1), [False, True, True, False, False])
    with pytest.raises(bp.ModelFileError.__mro__[1], match="kind"):
        model.predict_proba(pd.DataFrame(asked))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_not_lost_in_a_relu(bad, path):
    model, asked = KEPT["mlp"]
    rows = np.array(asked)
    rows[1, 2] = bad
    running = session(model, path)
    proba = running.run(["probabilities"], {"X": rows})[0]
    np.testing.assert_array_equal(np.isnan(proba).any(axis=1), np.arange(len(rows)) == 1)


def test_a_frame_of_numbers_and_an_array_with_gaps(path):
    table, y = frame()
    assert_same(bp.LogisticRegression().fit(table, y), listed(table), path)
    rows = table.to_numpy().copy()
    rows[::7, 1] = np.nan
    assert_same(bp.LogisticRegression(missing="indicator").fit(rows, y), rows.tolist(), path)


CASES = {
    "every layer": (
        [bp.Linear(3, 4), bp.Sigmoid(), bp.Linear(4, 4, bias=False), bp.LogSoftmax(), bp.Tanh()],
        [bp.Dropout(0.2), bp.Softmax(), bp.Linear(4, 3), bp.LogSoftmax()],
        bp.NLLLoss(),
    ),
    "residuals": (
        [bp.Residual(bp.Linear(3, 5), bp.ReLU(), bp.Residual(bp.Tanh()), bp.Linear(5, 3))],
        [bp.Linear(3, 3)],
        bp.CrossEntropyLoss(label_smoothing=0.1),
    ),
    "log-probabilities without logits": (
        [bp.Linear(3, 3), bp.LogSoftmax()],
        [bp.Residual(bp.Tanh()), bp.LogSoftmax()],
        bp.NLLLoss(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_own_networks_of_built_in_layers(name, path):
    first, then, loss = CASES[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.array(["a", "b", "c"])[(X + rng.normal(size=X.shape)).argmax(axis=1)]
    for dtype in ("float64", "float32"):
        network = bp.Network([*first, *then], loss, dtype)
        assert_same(bp.MLPClassifier(network=network, **BRIEF).fit(X, y), X.tolist(), path)


@pytest.mark.parametrize("loss", [bp.BCEWithLogitsLoss(), bp.BCELoss()])
def test_two_classes_by_one_output(loss, path):
    X = np.random.default_rng(1).normal(size=(40, 3))
    y = X[:, 0] > 0.0
    ends = [bp.Sigmoid()] if isinstance(loss, bp.BCELoss) else []
    network = bp.Network([bp.Linear(3, 1), *ends], loss)
    assert_same(bp.MLPClassifier(network=network, **BRIEF).fit(X, y), X.tolist(), path)
    # Without a Sigmoid right before BCELoss there are no logits, and p is taken as it is.
    bare = bp.Network([bp.Linear(3, 1), bp.Sigmoid(), bp.Dropout(0.0)], bp.BCELoss())
    assert_same(bp.MLPClassifier(network=bare, **BRIEF).fit(X, y), X.tolist(), path)


def test_probabilities_of_certain_rows_keep_their_digits(path):
    X = np.linspace(-40.0, 40.0, 41)[:, None]
    model = bp.LogisticRegression(C=10.0).fit(X, X[:, 0] > 0.5)
    running = session(model, path)
    proba = running.run(["probabilities"], {"X": X})[0]
    assert proba.min() < 1e-15
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-10)


@pytest.mark.parametrize(
    "labels",
    [[1.0, 2.0], [False, True], np.array([-3, 7], np.int8), ["nein", "ja, süß"]],
    ids=["float", "bool", "int8", "text"],
)
def test_labels_come_out_in_the_type_they_went_in(labels, path):
    table, y = frame()
    y = np.array(labels)[(y == "yes").astype(int)]
    running = assert_same(bp.LogisticRegression().fit(table, y), listed(table), path)
    found = running.run(["label"], fed(running, listed(table)))[0]
    assert found.dtype == (object if y.dtype.kind == "U" else y.dtype)


def test_columns_may_be_called_as_outputs_and_operators_are(path):
    table, y = frame()
    table = table.rename(columns={"a": "label", "b": "gemm"})
    model = bp.LogisticRegression().fit(table, y)
    running = session(model, path)
    assert [o.name for o in running.get_outputs()] == ["label_2", "probabilities"]
    proba = running.run(["probabilities"], fed(running, listed(table)))[0]
    np.testing.assert_allclose(proba, model.predict_proba(table), rtol=0, atol=1e-12)


def test_numbers_may_come_as_float32(path):
    model, asked = KEPT["mlp-table"]
    running = session(model, path, input_dtype="float32")
    given = fed(running, asked)
    assert given["age"].dtype == np.float32
    rounded = pd.DataFrame(asked)
    rounded["age"] = rounded["age"].astype(np.float32)
    rounded["income"] = rounded["income"].astype(np.float32)
    proba = running.run(["probabilities"], given)[0]
    np.testing.assert_allclose(proba, model.predict_proba(rounded), rtol=0, atol=1e-12)


def test_the_file_says_what_made_it_and_of_which_model():
    model, _ = KEPT["softmax"]
    made = bp.to_onnx(model)
    said = {entry.key: entry.value for entry in made.metadata_props}
    assert (made.producer_name, made.producer_version) == ("backpass", bp.__version__)
    assert said["estimator"] == "LogisticRegression"
    assert json.loads(said["classes"]) == ["0", "1", "2"]
    other = {e.key: e.value for e in bp.to_onnx(KEPT["mlp"][0]).metadata_props}
    assert len(said["fingerprint"]) == 16 and said["fingerprint"] != other["fingerprint"]
    assert bp.to_onnx(model).SerializeToString() == made.SerializeToString()
    assert made.graph.input[0].doc_string == "numbers, columns as at the fit"


def half(x):
    return 0.5 * x


def dhalf(x, z):
    return 0.5 + 0.0 * x


@dataclass(frozen=True)
class MyLinear(bp.Linear):
    """What a subclass does is not known."""


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (LAYERS["Swish"](2.0), r"layer 2, Swish\(slope=2.0\), has no rule"),
        (bp.Elementwise(half, dhalf), r"layer 2, Elementwise\(f=<function half.*\), has no rule"),
        (MyLinear(3, 3), r"layer 2, MyLinear\(.*\), has no rule"),
    ],
    ids=["own", "Elementwise", "subclass"],
)
def test_a_layer_without_a_rule_is_named_and_nothing_written(layer, named, path):
    X = np.random.default_rng(1).normal(size=(30, 3))
    network = bp.Network([bp.Linear(3, 3), layer, bp.Linear(3, 1)], bp.BCEWithLogitsLoss())
    model = bp.MLPClassifier(network=network, **BRIEF).fit(X, X[:, 0] > 0.0)
    with pytest.raises(ValueError, match=named):
        bp.to_onnx(model, path)
    assert list(path.parent.iterdir()) == []


def test_what_cannot_be_exported(path, monkeypatch):
    with pytest.raises(ValueError, match=r"not fitted yet; call fit\(X, y\) first"):
        bp.to_onnx(bp.LogisticRegression(), path)
    with pytest.raises(ValueError, match="it is no classifier of backpass"):
        bp.to_onnx("m.safetensors", path)
    with pytest.raises(ValueError, match="input_dtype is 'float16'; it is 'float64' or 'float32'"):
        bp.to_onnx(KEPT["mlp"][0], path, input_dtype="float16")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'backpass\[onnx\]'"):
        bp.to_onnx(KEPT["mlp"][0], path)
    assert list(path.parent.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    model, _ = KEPT["softmax"]
    bp.to_onnx(model, path)
    before = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bp.to_onnx(model, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_every_built_in_layer_and_loss_has_a_rule_or_is_known_to_have_none():
    from backpass import layers, losses
    from backpass.export import rules

    without = {"Layer", "Residual", "Elementwise"}  # Residual is a sum of two levels
    assert {kind.__name__ for kind in rules.LAYERS} == set(layers.__all__) - without
    assert {kind.__name__ for kind in rules.LOSSES} == set(losses.__all__) - {"Loss"}
    onnx.checker.check_model(bp.to_onnx(KEPT["binary-table"][0]), full_check=True)
