"""What the tests of the engine draw from: every layer and loss, with rows and labels for them.

The classes are found by walking the package, so a new one without an example here fails a test.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

import backpass as bp


def silu(x):
    return x / (1.0 + math.exp(-x))


def d_silu(x, z):
    s = 1.0 / (1.0 + math.exp(-x))
    return s * (1.0 + x * (1.0 - s))


def d2_silu(x, z):
    s = 1.0 / (1.0 + math.exp(-x))
    return s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s))


SILU = bp.Elementwise(silu, d_silu, d2_silu)
SILU_FIRST_ORDER = bp.Elementwise(silu, d_silu)


def classes_in(package: str, base: type) -> list[type]:
    """Find the concrete subclasses of base that the modules of a package define."""
    home = importlib.import_module(package)
    found = {
        value
        for module in pkgutil.iter_modules(home.__path__, package + ".")
        for value in vars(importlib.import_module(module.name)).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__.startswith(package)
    }
    return sorted(
        (cls for cls in found if not inspect.isabstract(cls)), key=lambda cls: cls.__name__
    )


LAYER_CLASSES = classes_in("backpass.layers", bp.Layer)
LOSS_CLASSES = classes_in("backpass.losses", bp.Loss)

# How to build each layer for n_in values per row; several where options change the code path.
LAYERS: Mapping[type, Any] = {
    bp.Linear: lambda n_in: [bp.Linear(n_in, 3), bp.Linear(n_in, 2, bias=False)],
    bp.Sigmoid: lambda n_in: [bp.Sigmoid()],
    bp.LogSoftmax: lambda n_in: [bp.LogSoftmax()],
    bp.Softmax: lambda n_in: [bp.Softmax()],
    bp.ReLU: lambda n_in: [bp.ReLU()],
    bp.Tanh: lambda n_in: [bp.Tanh()],
    bp.Dropout: lambda n_in: [bp.Dropout(0.4)],
    bp.Elementwise: lambda n_in: [SILU, SILU_FIRST_ORDER],
}
LOSSES: Mapping[type, list[bp.Loss]] = {
    bp.BCELoss: [bp.BCELoss()],
    bp.NLLLoss: [bp.NLLLoss()],
    bp.BCEWithLogitsLoss: [bp.BCEWithLogitsLoss()],
    bp.CrossEntropyLoss: [bp.CrossEntropyLoss(), bp.CrossEntropyLoss(label_smoothing=0.2)],
}
EVERY_LAYER = [layer for cls in LAYER_CLASSES for layer in LAYERS[cls](4)]
EVERY_LOSS = [loss for cls in LOSS_CLASSES for loss in LOSSES[cls]]

seeds = st.integers(0, 2**32 - 1)
row_counts = st.integers(0, 7)


def identity(item: object) -> str:
    """Name a layer or loss in a test's title, without the addresses of functions."""
    name = repr(item)
    return name if "<function" not in name else f"{type(item).__name__}({item.d2f is not None})"


def parameters(layer: bp.Layer, rng: np.random.Generator, dtype="float64") -> dict[str, np.ndarray]:
    """Draw parameters of a layer."""
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in layer.shapes().items()}


def labels(loss: bp.Loss, n_rows: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw labels that a loss takes: classes, or targets in [0, 1] with both ends among them."""
    if isinstance(loss, bp.NLLLoss | bp.CrossEntropyLoss):
        return rng.integers(0, width, n_rows)
    soft = rng.random((n_rows, width))
    return np.where(soft < 0.3, 0.0, np.where(soft > 0.7, 1.0, soft))


def outputs(loss: bp.Loss, n_rows: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw what a loss may meet: probabilities, log-probabilities, or any logits."""
    z = 2.0 * rng.normal(size=(n_rows, width))
    if isinstance(loss, bp.BCELoss):
        return 1.0 / (1.0 + np.exp(-z))
    if isinstance(loss, bp.NLLLoss):
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return z


def forward(layer: bp.Layer, params, z_in: np.ndarray) -> np.ndarray:
    """Return a layer's z_out for z_in, written over nan."""
    z_out = np.full((len(z_in), layer.output_width(z_in.shape[1])), np.nan, z_in.dtype)
    layer.forward(params, z_in, z_out)
    return z_out


def random_csr(rng, shape, density):
    """Return a CSR matrix with normal entries at about density · size places, none given twice."""
    size = int(np.prod(shape))
    places = np.unique(rng.integers(size, size=int(density * size)))
    rows, columns = np.unravel_index(places, shape)
    return sparse.csr_matrix((rng.normal(size=len(places)), (rows, columns)), shape=shape)
