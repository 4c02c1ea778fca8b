"""Model files: safetensors for θ, strictly checked JSON for everything else, never pickle.

A file may come from anybody. So nothing in it names code to run: layers, losses and estimators are
looked up in the fixed tables below or in what the caller of `load` supplies, every field is checked
(see `data/document.py`), and sizes are compared before anything is allocated.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import backpass
from backpass.architecture import network_document, network_from
from backpass.attributes import (
    ATTRIBUTES,
    FitRecord,
    classes_document,
    classes_from,
    fitted_document,
    fitted_from,
    params_document,
    params_from,
)
from backpass.data import document
from backpass.data.atomic import written_beside
from backpass.data.document import DocumentError
from backpass.data.tensors import LONGEST_HEADER, Tensors, read_header
from backpass.encoding import Encoding
from backpass.formula import Design
from backpass.network import Network

__all__ = ["FORMAT", "FitRecord", "ModelFileError", "load", "save"]

FORMAT = 2
KEY = "backpass"  # of the description in the header's metadata
_ARRAYS_HEADER = 10_000  # bytes, more than names and places of a model's few arrays take

_SEARCHES = {"LogisticRegressionCV"}  # which keep what they found


class ModelFileError(ValueError):
    """A model that cannot be saved, or a file that is not a whole and well-formed model."""


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted LogisticRegression or MLPClassifier to a safetensors file.

    Parameters that are no plain values (a function, a generator, callbacks) are not kept; they play
    no part in prediction. Own layers are stored by name and fields; the functions of an Elementwise
    by the name of `f`. Of a LogisticRegressionCV the fitted LogisticRegression is kept. Raises
    ModelFileError for what no file can hold: a lambda, say.
    """
    name = type(model).__name__
    known = name in ATTRIBUTES or name in _SEARCHES
    if not known or type(model).__module__.partition(".")[0] != "backpass":
        raise ModelFileError(f"cannot save {model!r}; models are {' and '.join(ATTRIBUTES)}.")
    if not hasattr(model, "theta_"):
        raise ModelFileError(f"this {name} is not fitted yet; call fit(X, y) first.")
    if name in _SEARCHES:  # the search is over
        return save(model.best_estimator_, path)
    try:
        arrays, described = _contents(model)
    except ValueError as error:
        raise ModelFileError(str(error)) from None
    text = json.dumps(described, allow_nan=False)
    quoted = len(text) + text.count('"') + text.count("\\")  # as a text in the header's own JSON
    if quoted + _ARRAYS_HEADER > LONGEST_HEADER:
        raise ModelFileError(
            f"the description of this model takes {quoted:,} characters, more than a safetensors "
            "file can hold; join the levels of its largest categories, or leave columns of free "
            "text out."
        )
    from safetensors.numpy import save_file

    with written_beside(path) as beside:
        save_file(arrays, beside, {KEY: text})


def _contents(model: Any) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return the arrays of a file by name, and the description."""
    from backpass.estimators import kept

    record = getattr(model, "fit_record_", None)
    arrays, statistics = kept.to_file(model)
    arrays["theta"] = model.theta_
    described = {
        "format": FORMAT,
        "version": backpass.__version__,
        "made_with": _made_with(),
        "estimator": type(model).__name__,
        "params": params_document(model),
        "network": network_document(model.network_),
        "own_network": getattr(model, "network", None) is not None,
        "multilabel": getattr(model, "_multilabel", False),
        "classes": classes_document(model.classes_),
        "encoding": None if model.encoding_ is None else model.encoding_.to_document(),
        "fitted": fitted_document(model),
        "record": None if record is None else asdict(record),
        "statistics": statistics,
    }
    return {name: np.ascontiguousarray(a, np.float64) for name, a in arrays.items()}, described


def _made_with() -> dict[str, str]:
    """Return what bits depend on: with the same, a fit gives the same."""
    versions = {
        name: import_module(name).__version__ for name in ("numpy", "scipy", "numba", "sklearn")
    }
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}


def load(path: str | os.PathLike[str], layers: Mapping[str, Any] | None = None) -> Any:
    """Read a model file; the estimator predicts with the same bits as the one that was saved.

    layers: own layers (and losses) by name, {"Swish": Swish}; for an Elementwise the layer itself
    under the name of its function, {"swish": bp.Elementwise(swish, dswish)}. Raises ModelFileError
    where the file is damaged, of another format, or names a layer that is not known.
    """
    file = Path(path)
    try:
        tensors = read_header(file)
        described = _described(tensors)
        network = network_from(described["network"], dict(layers or {}))
        shape, _ = tensors.places["theta"]
        if shape != (network.n_parameters,):
            raise DocumentError(
                f"θ has the shape {shape}, but the architecture has {network.n_parameters:,} "
                "parameters."
            )
        return _model_from(described, network, tensors)
    except DocumentError as error:
        raise ModelFileError(f"{file.name}: {error}") from None
    except RecursionError:
        raise ModelFileError(f"{file.name}: its description is nested too deeply.") from None


def _described(tensors: Tensors) -> dict[str, Any]:
    if list(tensors.metadata) != [KEY] or "theta" not in tensors.places:
        raise DocumentError("is a safetensors file, but not one of backpass.")
    plain = document.parse(tensors.metadata[KEY])
    if type(plain) is not dict:
        raise DocumentError("holds no description of a model.")
    return document.fields(
        _of_this_format(plain),
        "model",
        format=document.count,
        version=document.text,
        made_with=document.texts_by_name,
        estimator=document.one_of(*ATTRIBUTES),
        params=document.anything,
        network=document.anything,
        own_network=document.flag,
        multilabel=document.flag,
        classes=document.anything,
        encoding=document.optional(_encoding_from),
        fitted=document.anything,
        record=document.optional(FitRecord.from_document),
        statistics=document.anything,
    )


def _encoding_from(plain: Any, where: str) -> Encoding | Design:
    of_formula = type(plain) is dict and "formula" in plain
    return (Design if of_formula else Encoding).from_document(plain, where)


def _of_this_format(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a description as this version writes it; DocumentError for a later one.

    Before the other fields are looked at, since another format has others.
    """
    stated = plain.get("format")
    if type(stated) is not int or not 1 <= stated <= FORMAT:
        raise DocumentError(
            f"has format {str(stated)[:20]!r}, written by backpass "
            f"{str(plain.get('version'))[:20]}; this is backpass {backpass.__version__}, which "
            f"reads formats 1 to {FORMAT}."
        )
    return _upgraded(plain) if stated == 1 else plain


def _upgraded(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a description of format 1, which kept nothing for summary(), as one of format 2."""
    plain = {**plain, "made_with": {}, "statistics": None}
    if type(plain.get("record")) is dict:
        plain["record"] = {"fingerprint": None, **plain["record"]}
    if plain.get("estimator") == "LogisticRegression" and type(plain.get("fitted")) is dict:
        plain["fitted"] = {"has_offset_": False, **plain["fitted"]}
    return plain


def _model_from(described: dict[str, Any], network: Network, tensors: Tensors) -> Any:
    from backpass.estimators import kept

    name = described["estimator"]
    cls = getattr(import_module("backpass.estimators"), name)
    model = cls(**params_from(described["params"], cls().get_params()))
    if described["own_network"]:
        model.network = network
    model.network_, model.theta_ = network, tensors.read("theta")
    model.classes_ = classes_from(described["classes"])
    model.encoding_ = described["encoding"]
    if described["record"] is not None:
        model.fit_record_ = described["record"]
    for attribute, value in fitted_from(described["fitted"], name).items():
        setattr(model, attribute, value)
    try:
        kept.put_together(model, described["multilabel"])
    except ValueError as error:
        raise DocumentError(f"its parts do not fit each other: {error}") from None
    others = {
        array: tensors.read(array, finite=False) for array in tensors.places if array != "theta"
    }
    kept.restore(model, others, described["statistics"])
    return model
