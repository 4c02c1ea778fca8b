"""Model files: safetensors for θ, strictly checked JSON for everything else, never pickle.

A file may come from anybody. So nothing in it names code to run: layers, losses and estimators are
looked up in the fixed tables below or in what the caller of `load` supplies, every field is checked
(see `data/document.py`), and sizes are compared before anything is allocated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import backpass
from backpass.architecture import network_document, network_from
from backpass.data import document
from backpass.data.atomic import written_beside
from backpass.data.document import DocumentError
from backpass.encoding import Encoding
from backpass.formula import Design
from backpass.network import Network

FORMAT = 1
_WHOLE_TYPES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_LABEL_TYPES = ("str", "object", "bool", "float32", "float64", *_WHOLE_TYPES)

_finite_numbers = document.items(document.number)
_COMMON = {
    "n_features_in_": document.count,
    "feature_names_in_": document.items(document.text),
    "n_iter_": document.count,
}
# What a file keeps of each estimator beside network, θ, classes and encoding: attribute -> check.
_RECORDS: dict[str, dict[str, document.Check]] = {
    "LogisticRegression": _COMMON
    | {
        "objective_": document.number,
        "cost_": document.number,
        "null_objective_": document.number,
        "gap_": document.number,
        "passes_": document.number,
        "converged_": document.flag,
        "has_offset_": document.flag,
        "coef_names_": document.items(document.text),
    },
    "MLPClassifier": _COMMON
    | {
        "loss_": document.number,
        "best_loss_": document.optional(document.number),
        "loss_curve_": _finite_numbers,
        "validation_scores_": document.optional(_finite_numbers),
        "best_validation_score_": document.optional(document.number),
        "t_": document.count,
        "n_layers_": document.count,
        "n_outputs_": document.count,
        "out_activation_": document.text,
    },
}
_NAME_ARRAYS = ("feature_names_in_", "coef_names_")

_SEARCHES = {"LogisticRegressionCV"}  # which keep what they found


class ModelFileError(ValueError):
    """A model that cannot be saved, or a file that is not a whole and well-formed model."""


@dataclass(frozen=True)
class FitRecord:
    """What is worth knowing of a fit from a file later on; `fit_record_` of a fitted estimator.

    target, weight: column names. missing_values: the file's markers. class_totals: weight of each
    class in the rows fitted on, which makes the trivial model. test: held-out scores by name.
    """

    target: str
    weight: str | None
    missing_values: tuple[str, ...]
    class_totals: tuple[float, ...]
    n_rows: int
    seed: int
    test: Mapping[str, float | None] | None

    @classmethod
    def from_document(cls, plain: Any, where: str) -> FitRecord:
        """Read a record, checking every field."""
        got = document.fields(
            plain,
            where,
            target=document.text,
            weight=document.optional(document.text),
            missing_values=document.items(document.text),
            class_totals=_finite_numbers,
            n_rows=document.count,
            seed=document.count,
            test=document.optional(_scores),
        )
        return cls(**got)


def _scores(plain: Any, where: str) -> dict[str, float | None]:
    if type(plain) is not dict:
        raise DocumentError(f"{where} is not an object.")
    check = document.optional(document.number)
    return {document.text(k, where): check(v, f"{where}.{k}") for k, v in plain.items()}


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted LogisticRegression or MLPClassifier to a safetensors file.

    Parameters that are no plain values (a function, a generator, callbacks) are not kept; they play
    no part in prediction. Own layers are stored by name and fields; the functions of an Elementwise
    by the name of `f`. Of a LogisticRegressionCV the fitted LogisticRegression is kept. Raises
    ModelFileError for what no file can hold: a lambda, say.
    """
    name = type(model).__name__
    known = name in _RECORDS or name in _SEARCHES
    if not known or type(model).__module__.partition(".")[0] != "backpass":
        raise ModelFileError(f"cannot save {model!r}; models are {' and '.join(_RECORDS)}.")
    if not hasattr(model, "theta_"):
        raise ModelFileError(f"this {name} is not fitted yet; call fit(X, y) first.")
    if name in _SEARCHES:  # the search is over
        return save(model.best_estimator_, path)
    record = getattr(model, "fit_record_", None)
    try:
        network = network_document(model.network_)
    except ValueError as error:
        raise ModelFileError(str(error)) from None
    described = {
        "format": FORMAT,
        "version": backpass.__version__,
        "estimator": name,
        "params": _params_document(model),
        "network": network,
        "own_network": getattr(model, "network", None) is not None,
        "multilabel": getattr(model, "_multilabel", False),
        "classes": {"type": _label_type(model.classes_), "labels": model.classes_.tolist()},
        "encoding": None if model.encoding_ is None else model.encoding_.to_document(),
        "fitted": _fitted_document(model, _RECORDS[name]),
        "record": None if record is None else asdict(record),
    }
    from safetensors.numpy import save_file

    text = json.dumps(described, allow_nan=False)
    with written_beside(path) as beside:
        save_file({"theta": np.ascontiguousarray(model.theta_)}, beside, {"backpass": text})


def load(path: str | os.PathLike[str], layers: Mapping[str, Any] | None = None) -> Any:
    """Read a model file; the estimator predicts with the same bits as the one that was saved.

    layers: own layers (and losses) by name, {"Swish": Swish}; for an Elementwise the layer itself
    under the name of its function, {"swish": bp.Elementwise(swish, dswish)}. Raises ModelFileError
    where the file is damaged, of another format, or names a layer that is not known.
    """
    file = Path(path)
    try:
        theta_size, metadata = _inspect(file)
        described = _described(metadata)
        network = network_from(described["network"], dict(layers or {}))
        if network.n_parameters != theta_size:
            raise DocumentError(
                f"θ has {theta_size:,} entries but the architecture {network.n_parameters:,}."
            )
        return _model_from(described, network, _theta(file))
    except DocumentError as error:
        raise ModelFileError(f"{file.name}: {error}") from None


def _inspect(file: Path) -> tuple[int, Mapping[str, str]]:
    """Return the number of entries of θ and the metadata, without reading θ."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise DocumentError("there is no such file.")
    try:
        with safe_open(file, framework="numpy") as tensors:
            if list(tensors.keys()) != ["theta"]:
                raise DocumentError("is a safetensors file, but not one of backpass.")
            theta = tensors.get_slice("theta")
            if theta.get_dtype() != "F64" or len(theta.get_shape()) != 1:
                raise DocumentError("θ is not one row of float64 numbers.")
            return theta.get_shape()[0], tensors.metadata() or {}
    except SafetensorError as error:
        raise DocumentError(
            f"is not a safetensors file, or is damaged or cut short ({error})."
        ) from None


def _theta(file: Path) -> NDArray[np.float64]:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        theta = np.array(tensors.get_tensor("theta"), dtype=np.float64)
    if not np.isfinite(theta).all():
        place = int((~np.isfinite(theta)).argmax())
        raise DocumentError(f"θ[{place}] is {theta[place]}; a model's parameters are finite.")
    return theta


def _described(metadata: Mapping[str, str]) -> dict[str, Any]:
    if list(metadata) != ["backpass"]:
        raise DocumentError("is a safetensors file, but not one of backpass.")
    plain = document.parse(metadata["backpass"])
    if type(plain) is not dict:
        raise DocumentError("holds no description of a model.")
    # Before the other fields, since a later format may have others.
    stated = plain.get("format")
    if type(stated) is not int or stated != FORMAT:
        raise DocumentError(
            f"has format {stated!r}, written by backpass {str(plain.get('version'))[:20]}; this "
            f"is backpass {backpass.__version__}, which reads format {FORMAT}."
        )
    return document.fields(
        plain,
        "model",
        format=document.count,
        version=document.text,
        estimator=document.one_of(*_RECORDS),
        params=document.anything,
        network=document.anything,
        own_network=document.flag,
        multilabel=document.flag,
        classes=document.anything,
        encoding=document.optional(_encoding_from),
        fitted=document.anything,
        record=document.optional(FitRecord.from_document),
    )


def _encoding_from(plain: Any, where: str) -> Encoding | Design:
    of_formula = type(plain) is dict and "formula" in plain
    return (Design if of_formula else Encoding).from_document(plain, where)


def _model_from(described: dict[str, Any], network: Network, theta: NDArray[np.float64]) -> Any:
    name = described["estimator"]
    cls = getattr(import_module("backpass.estimators"), name)
    model = cls(**_params_from(described["params"], cls().get_params()))
    if described["own_network"]:
        model.network = network
    if name == "MLPClassifier":
        model._multilabel = described["multilabel"]
    model.network_, model.theta_ = network, theta
    model.classes_ = _classes_from(described["classes"])
    model.encoding_ = described["encoding"]
    if described["record"] is not None:
        model.fit_record_ = described["record"]
    for attribute, value in _fitted_from(described["fitted"], _RECORDS[name]).items():
        setattr(model, attribute, value)
    _check_widths(model)
    if name == "LogisticRegression":
        parts = network.parameters(theta)
        model.coef_ = parts["0.weight"].copy()
        model.intercept_ = (
            parts["0.bias"].copy() if "0.bias" in parts else np.zeros(len(model.coef_))
        )
    return model


def _check_widths(model: Any) -> None:
    """Raise DocumentError where encoding, network and classes do not fit each other."""
    encoding = model.encoding_
    n_in = getattr(model, "n_features_in_", 0) if encoding is None else len(encoding.coef_names)
    try:
        n_out = model.network_.forward(model.theta_, np.empty((0, n_in))).shape[1]
    except ValueError as error:
        raise DocumentError(f"the network does not take the model's columns: {error}") from None
    n_classes = len(model.classes_)
    if n_out != n_classes and (n_out, n_classes) != (1, 2):
        raise DocumentError(f"the network has {n_out} outputs for {n_classes} classes.")


def _params_document(model: Any) -> dict[str, Any]:
    stored = {}
    for name, value in model.get_params(deep=False).items():
        try:
            stored[name] = document.wrapped(value)
        except TypeError:
            continue
    return stored


def _params_from(plain: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    values = document.unwrapped_by_name(plain, "params")
    strange = [name[:60] for name in values if name not in known]
    if strange:
        raise DocumentError(f"params names {strange[:5]}, which this estimator does not have.")
    return values


def _fitted_document(model: Any, checks: Mapping[str, document.Check]) -> dict[str, Any]:
    stored = {}
    for name in checks:
        # A property is computed from what the file holds anyway.
        if hasattr(model, name) and not isinstance(getattr(type(model), name, None), property):
            value = getattr(model, name)
            stored[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return stored


def _fitted_from(plain: Any, checks: Mapping[str, document.Check]) -> dict[str, Any]:
    if type(plain) is not dict:
        raise DocumentError("fitted is not an object.")
    present = {name: check for name, check in checks.items() if name in plain}
    values = document.fields(plain, "fitted", **present)
    for name, value in values.items():
        if name in _NAME_ARRAYS:
            values[name] = np.array(value, dtype=object)
        elif isinstance(value, tuple):
            values[name] = list(value)
    return values


def _label_type(classes: NDArray) -> str:
    kind = "str" if classes.dtype.kind in "U" else classes.dtype.name
    if kind not in _LABEL_TYPES or (kind == "object" and not all(type(c) is str for c in classes)):
        raise ModelFileError(
            f"cannot save classes of type {classes.dtype}; labels are texts, numbers or booleans."
        )
    return kind


def _classes_from(plain: Any) -> NDArray:
    got = document.fields(
        plain,
        "classes",
        type=document.one_of(*_LABEL_TYPES),
        labels=document.items(document.anything),
    )
    kind = got["type"]
    check = (
        document.text
        if kind in ("str", "object")
        else document.flag
        if kind == "bool"
        else document.number
        if kind.startswith("float")
        else _whole
    )
    labels = [check(label, f"classes.labels[{i}]") for i, label in enumerate(got["labels"])]
    if not labels or len(set(labels)) != len(labels):
        raise DocumentError("classes needs labels, each once.")
    try:
        return np.array(labels, dtype=kind)
    except OverflowError as error:
        raise DocumentError(f"classes: {error}.") from None


def _whole(value: Any, where: str) -> int:
    if type(value) is not int:
        raise DocumentError(f"{where} is not a whole number.")
    return value
