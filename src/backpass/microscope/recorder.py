"""Recorder: a callback that keeps what a training looked like, epoch by epoch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpass.microscope.document import packed, short_names
from backpass.microscope.jacobians import diagonal, form_of
from backpass.network import Network
from backpass.trace import Trace


class Recorder:
    """Keeps the norms of δ, weights and gradients, and the dead units, of every epoch.

    Parameters
    ----------
    X, y : a few rows to look at after every epoch, X as an array with the columns that the network
        takes, y as labels. Without them the record has the cost and the weights' norms alone.
    classes : all classes in sorted order, where y holds not all of them.
    most_rows : rows looked at; where X has more, as many spread evenly over it.

    Notes
    -----
    Pass it as ``MLPClassifier(callbacks=[recorder])``; then ``recorder.to_html(path)``, or
    ``trace.to_html(path, training=recorder)`` for one page with both. A unit is dead where its
    derivative is 0 in every row looked at: no δ passes, so nothing moves its weights.
    """

    def __init__(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        most_rows: int = 256,
    ) -> None:
        if (X is None) != (y is None):
            raise ValueError("Recorder takes X and y, or neither.")
        self._X: NDArray | None = None
        self._y: NDArray | None = None
        if X is not None:
            rows, labels = np.asarray(X), np.asarray(y)
            if rows.dtype.kind not in "fiub" or rows.ndim != 2 or len(rows) != len(labels):
                raise ValueError(
                    f"Recorder: X has shape {rows.shape} and holds {rows.dtype}, y has shape "
                    f"{labels.shape}; X is an array of numbers, (n_rows, n_features), and y has "
                    "one label per row."
                )
            numbers = _numbered(labels, classes)
            few = np.unique(np.linspace(0, len(rows) - 1, most_rows).astype(int))
            self._X, self._y = rows[few], numbers[few]
        self.epochs: list[dict[str, Any]] = []
        self._layers: list[str] = []

    def __call__(self, state: Any) -> None:
        """Look at the training after an epoch; `state` is what every callback is given."""
        network: Network = state.network
        record: dict[str, Any] = {
            "epoch": int(state.epoch),
            "loss": float(state.loss),
            "score": None if state.validation_score is None else float(state.validation_score),
            "rate": float(state.learning_rate),
            "weights": _weights(network, state.theta),
            "delta": [],
            "gradients": [],
            "dead": [],
        }
        if self._X is not None and self._y is not None:
            trace = network.trace(state.theta, self._X, self._y)
            self._layers = short_names(trace)
            record["delta"] = [_norm(delta) / len(self._X) ** 0.5 for delta in trace.delta][:-1]
            record["gradients"] = _by_step(
                network, lambda name: trace.gradient[name] / len(trace.z[1])
            )
            record["dead"] = [dead_share(trace, L) for L in range(1, len(trace.z) - 1)]
        else:
            self._layers = [
                "sum" if step.layer is None else repr(step.layer) for step in network.steps
            ]
        self.epochs.append(record)

    def document(self) -> dict[str, Any]:
        """Describe the training for the page, one array per curve; ValueError before any epoch."""
        if not self.epochs:
            raise ValueError(
                "this Recorder has seen no epoch; pass it as callbacks=[recorder] and fit first."
            )
        first = self.epochs[0]

        def curves(key: str) -> list[dict[str, Any] | None]:
            return [
                None
                if first[key][place] is None
                else packed(np.array([epoch[key][place] for epoch in self.epochs], dtype=float))
                for place in range(len(first[key]))
            ]

        return {
            "epochs": [epoch["epoch"] for epoch in self.epochs],
            "loss": packed(np.array([epoch["loss"] for epoch in self.epochs])),
            "score": [epoch["score"] for epoch in self.epochs],
            "rate": packed(np.array([epoch["rate"] for epoch in self.epochs])),
            "layers": self._layers,
            "rows": 0 if self._X is None else len(self._X),
            **{key: curves(key) for key in ("weights", "gradients", "delta", "dead")},
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the training alone as one offline page."""
        from backpass.microscope.page import filled, write

        content = {"title": "Training", "training": self.document(), "levels": None}
        write(filled(content, title), path)


def dead_share(trace: Trace, L: int) -> float | None:
    """Return the share of units of step L whose derivative is 0 in every row; None where none can.

    Only an elementwise layer has units that can die.
    """
    if form_of(trace, L)[0] != "diagonal":
        return None
    slopes = diagonal(trace, L, np.arange(len(trace.z[1])))
    return float(np.mean((slopes == 0.0).all(axis=0)))


def _weights(network: Network, theta: NDArray[np.float64]) -> list[float | None]:
    named = network.parameters(theta)
    return _by_step(network, lambda name: named[name])


def _by_step(network: Network, of: Any) -> list[float | None]:
    """Return the Euclidean norm of each step's parameters taken together; None without any."""
    norms: list[float | None] = []
    for step in network.steps:
        parts = [_norm(of(f"{step.key}.{name}")) for name in step.parameter_shapes()]
        norms.append(float(np.hypot.reduce(parts)) if parts else None)
    return norms


def _norm(array: NDArray) -> float:
    return float(np.linalg.norm(array.astype(np.float64).ravel()))


def _numbered(labels: NDArray, classes: ArrayLike | None) -> NDArray:
    """Return labels as numbers 0 to n_classes - 1; a table of 0 and 1 (multilabel) as it is."""
    if labels.ndim > 1:
        return labels
    known = np.unique(labels) if classes is None else np.asarray(classes)
    numbers = np.minimum(np.searchsorted(known, labels), len(known) - 1)
    strange = known[numbers] != labels
    if strange.any():
        row = int(strange.argmax())
        label = labels.tolist()[row]
        raise ValueError(
            f"Recorder: y, row {row}: {label!r} is not among classes {known.tolist()}."
        )
    return numbers
