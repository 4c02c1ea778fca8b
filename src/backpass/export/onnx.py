"""A fitted model as one ONNX graph, from raw columns to probabilities, for onnxruntime and others.

The graph computes in float64, as `predict_proba` does. What the operators' float64 forms need of
onnxruntime is in docs/model-files.md.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from typing import Any

import numpy as np

import backpass
from backpass.data.atomic import written_beside
from backpass.estimators.base import NetworkClassifier
from backpass.estimators.outputs import logit_network
from backpass.export import columns, rules
from backpass.export.graph import ROWS, Graph
from backpass.formula import Design

INPUT_DTYPES = ("float64", "float32")


def to_onnx(
    model: Any, path: str | os.PathLike[str] | None = None, *, input_dtype: str = "float64"
) -> Any:
    """Write a fitted classifier as an ONNX file, preprocessing included.

    Parameters
    ----------
    model : a fitted LogisticRegression or MLPClassifier.
    path : where to write, whole or not at all. None writes nothing.
    input_dtype : "float64" or "float32", of the inputs that are numbers. The graph computes in
        float64 either way, but a number that was rounded to float32 is another number.

    Returns
    -------
    onnx.ModelProto, checked by onnx.checker.

    Raises
    ------
    ImportError : where the package onnx is not installed.
    ValueError : for a model that is not fitted, and for a layer, loss or column without a rule in
        ONNX (an own layer, Elementwise), named.

    Notes
    -----
    Fitted on a table, the graph has one input (rows, 1) per column that the model uses: numbers,
    booleans (tensor(bool)), categories (tensor(string)). A missing number is NaN, a missing
    category any text that is no level, such as "". A boolean that was missing in rows of the fit
    is a number: 0, 1 or NaN. Fitted on an array, it has one input X, (rows, n_features).

    Outputs are `label`, (rows,) of `classes_`' type, and `probabilities`, (rows, n_classes)
    float64; multilabel: 0 or 1, (rows, n_labels), and (rows, n_labels). Where `predict` raises an
    error for a row (a missing value that the fit had no place for, an infinite number), the row's
    probabilities are NaN.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ImportError(
            "export to ONNX needs the package onnx, which is not installed; "
            "pip install 'backpass[onnx]' brings it."
        )
    import onnx

    _check(model, input_dtype)
    made = _graph(model, input_dtype)
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        with written_beside(path) as beside:
            beside.write_bytes(made.SerializeToString())
    return made


def _check(model: Any, input_dtype: str) -> None:
    if not isinstance(model, NetworkClassifier):
        raise ValueError(f"cannot export {model!r}; it is no classifier of backpass.")
    if not hasattr(model, "theta_"):
        raise ValueError(f"this {type(model).__name__} is not fitted yet; call fit(X, y) first.")
    if getattr(model, "has_offset_", False):
        raise ValueError(
            "the model was fitted with an offset, for which a graph of its columns has no place; "
            "fit without offset=, or predict in Python."
        )
    if isinstance(getattr(model, "encoding_", None), Design):
        raise ValueError(
            "the model was fitted with a formula, whose functions are not exported; compute the "
            "columns beforehand and fit to them, or predict in Python."
        )
    if input_dtype not in INPUT_DTYPES:
        raise ValueError(f"input_dtype is {input_dtype!r}; it is 'float64' or 'float32'.")
    if model.encoding_ is not None:
        columns.check_columns(model.encoding_)


def _graph(model: Any, input_dtype: str) -> Any:
    from onnx import helper

    graph = Graph()
    network = logit_network(model.network_)
    several = getattr(model, "_multilabel", False)
    z = _inputs(graph, model, input_dtype)
    last = rules.network(graph, network, model.theta_, z)
    proba = rules.probabilities(graph, network, last, several)
    _outputs(graph, model, several, graph.add("Add", proba, _doubt(graph, z)))
    made = graph.model(
        type(model).__name__, f"{type(model).__name__} of backpass, raw columns to probabilities"
    )
    made.producer_name, made.producer_version = "backpass", backpass.__version__
    helper.set_model_props(made, _metadata(model))
    return made


def _inputs(graph: Graph, model: Any, dtype: str) -> str:
    """Declare the inputs; return the matrix that the network takes, float64."""
    encoding, names = model.encoding_, getattr(model, "feature_names_in_", None)
    if encoding is not None and names is not None:
        return columns.encoded(graph, encoding, columns.declare(graph, encoding, dtype))
    if names is not None:
        given = [graph.input(str(name), dtype, 1, "number") for name in names]
        return columns.as_double(graph, graph.beside(*given))
    X = graph.input("X", dtype, int(model.n_features_in_), "numbers, columns as at the fit")
    if encoding is not None:
        return columns.encoded(graph, encoding, columns.split(graph, encoding, X))
    return columns.as_double(graph, X)


def _doubt(graph: Graph, z: str) -> str:
    """Return 0 for each row, or NaN where an input is not finite, (rows, 1).

    The network alone would not tell: a ReLU may make 0 of NaN.
    """
    nothing = graph.add("Mul", z, graph.constant(0.0))
    return graph.add("ReduceSum", nothing, graph.constant(np.array([1])), keepdims=1)


def _outputs(graph: Graph, model: Any, several: bool, proba: str) -> None:
    from onnx import TensorProto

    n = len(model.classes_)
    shape: tuple[str | int, ...]
    if several:
        more = graph.add("Greater", proba, graph.constant(0.5))
        label, dtype, shape = graph.add("Cast", more, to=TensorProto.INT64), np.int64, (ROWS, n)
    else:
        place = graph.add("ArgMax", proba, axis=1, keepdims=0)
        label = graph.add("Gather", graph.constant(model.classes_), place, axis=0)
        dtype, shape = model.classes_.dtype, (ROWS,)
    says = ", ".join(map(str, model.classes_[:100].tolist()))
    graph.output(label, "label", dtype, shape, "the most probable of the classes")
    graph.output(proba, "probabilities", np.float64, (ROWS, n), f"of {says}")


def _metadata(model: Any) -> dict[str, str]:
    record = getattr(model, "fit_record_", None)
    said = {
        "estimator": type(model).__name__,
        "classes": json.dumps([str(label) for label in model.classes_.tolist()]),
        "fingerprint": _fingerprint(model),
    }
    return said if record is None else said | {"target": record.target}


def _fingerprint(model: Any) -> str:
    """Return sixteen hexadecimal digits of what predicts: θ, network, columns and classes."""
    encoding = None if model.encoding_ is None else model.encoding_.to_document()
    text = json.dumps([repr(model.network_), encoding, model.classes_.tolist()])
    return hashlib.sha256(model.theta_.tobytes() + text.encode()).hexdigest()[:16]
