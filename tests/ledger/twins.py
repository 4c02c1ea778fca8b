"""Judges mutants of the compiled plan: it is the twin of layers that the ledger has judged.

A network is evaluated by the mutant and layer by layer; both must give one cost and one gradient.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import numba
import numpy as np
from tests.ledger.examples import EXTREME, N_IN
from tests.ledger.mutation import Mutant

import backpass as bp
import backpass.kernels.plan as plan

Outcome = np.ndarray | type[Exception]


@dataclass(frozen=True, eq=False)
class Case:
    """A network and what it is run on. rows_apart: each row by itself, so none hides another."""

    build: Callable[[bool], bp.Network]
    theta: np.ndarray
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    rows_apart: bool = False

    def run(self, fused: bool) -> list[Outcome]:
        """Return costs and gradients, or what kind of error stands in their place."""
        net, out = self.build(fused), list[Outcome]()
        cuts = [slice(row, row + 1) for row in range(len(self.X))] if self.rows_apart else [...]
        for cut in cuts:
            for evaluate in (lambda *given: (net.cost(*given),), net.cost_and_gradient):
                # Copies: a mutant that writes to its inputs must not spoil them for the next one.
                inputs = [self.theta.copy(), self.X[cut].copy(), self.y[cut].copy()]
                inputs += [] if self.weight is None else [self.weight[cut].copy()]
                try:
                    out.append(np.hstack(evaluate(*inputs)))
                except (FloatingPointError, ValueError) as error:
                    out.append(type(error))
        return out


def case(layers: list[Any], loss: Any, labels: str, **more: Any) -> Case:
    """Draw parameters, rows and labels for a network."""
    rng = np.random.default_rng(0)
    net = bp.Network(layers, loss, fused=False)
    X = more.pop("X", rng.normal(size=(12, N_IN)))
    n_out = net.forward(net.init(), np.zeros((1, N_IN))).shape[1]
    classes = rng.integers(0, n_out, len(X))
    drawn = classes if labels == "classes" else rng.choice([0.0, 0.25, 1.0], (len(X), n_out))
    theta = more.pop("theta", rng.normal(size=net.n_parameters))
    y = more.pop("y", drawn)
    return Case(lambda fused: bp.Network(layers, loss, fused=fused), theta, X, y, **more)


@cache
def cases() -> list[tuple[Case, list[Outcome]]]:
    """List networks that together reach every line of the plan, with what the layers give."""
    identity = np.concatenate([np.eye(N_IN).ravel(), np.zeros(N_IN)])
    alone = {"theta": identity, "X": EXTREME, "rows_apart": True}
    square, rng = bp.Linear(N_IN, N_IN), np.random.default_rng(1)
    twice = {**alone, "theta": np.concatenate([identity, identity]), "X": EXTREME[:-1]}
    weight = rng.uniform(0.5, 2.0, 12)
    overflowing = {"X": 1e308 * np.sign(EXTREME[2:5]), "theta": 10.0 * rng.normal(size=40)}
    large = {"X": np.full((12, N_IN), 1.7e308), "theta": 1e-309 * np.arange(10.0)}
    classes = np.array([0, 2, -1, 3, 1, 0, 0, 1, 1, 2, 2, 9])
    targets = rng.uniform(size=(12, 2))
    targets[range(7), [0, 1, 0, 1, 0, 1, 0]] = [0.0, 1.0, -0.5, 1.5, np.nan, -1e-9, 1.0 + 1e-9]
    inner = bp.Residual(bp.Linear(3, 3), bp.Sigmoid())
    deep = [bp.Linear(N_IN, 3), bp.ReLU(), bp.Residual(inner, bp.Tanh()), bp.Dropout(0.1)]
    first = [bp.Residual(bp.ReLU(), bp.Tanh()), bp.Residual(bp.Sigmoid()), bp.Linear(N_IN, 3)]
    every = [
        case([*deep, bp.Linear(3, 3)], bp.CrossEntropyLoss(), "classes"),
        case([*deep, bp.Linear(3, 3)], bp.CrossEntropyLoss(), "classes", weight=weight),
        case([*deep, bp.Linear(3, 1)], bp.BCEWithLogitsLoss(), "targets", weight=weight),
        case([*first, bp.ReLU()], bp.CrossEntropyLoss(label_smoothing=0.25), "classes"),
        case([bp.Linear(N_IN, 2, bias=False)], bp.BCEWithLogitsLoss(), "targets"),
        case([bp.Linear(N_IN, 1), bp.Sigmoid()], bp.BCELoss(), "targets"),
        case([square], bp.CrossEntropyLoss(), "classes", **alone),
        case([square], bp.CrossEntropyLoss(label_smoothing=1.0), "classes", **alone),
        case([square], bp.BCEWithLogitsLoss(), "targets", **alone),
        case([square, bp.Sigmoid(), square], bp.CrossEntropyLoss(), "classes", **twice),
        case([square, bp.ReLU(), square], bp.CrossEntropyLoss(), "classes", **twice),
        # Numbers that overflow; what comes behind must not hide it.
        case([square, bp.ReLU(), square], bp.CrossEntropyLoss(), "classes", **overflowing),
        case([square, bp.Tanh(), square], bp.CrossEntropyLoss(), "classes", **overflowing),
        # Labels and targets without a meaning, each beside what still has one.
        case([bp.Linear(N_IN, 3)], bp.CrossEntropyLoss(), "classes", y=classes, rows_apart=True),
        case([bp.Linear(N_IN, 2)], bp.BCEWithLogitsLoss(), "targets", y=targets, rows_apart=True),
        # Only the gradient overflows: z and δ are of the size of 1.
        case([bp.Linear(N_IN, 2)], bp.CrossEntropyLoss(), "classes", **large),
    ]
    return [(one, one.run(fused=False)) for one in every]


def by_twin(mutant: Mutant) -> str | None:
    """Return where a mutant of the plan and the layers differ, or None where they agree."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with mock.patch.object(numba, "njit", uncompiled):
                changed = mutant.build()["plan_cost_gradient"]
            with mock.patch.object(plan, "plan_cost_gradient", changed):
                for number, (one, expected) in enumerate(cases()):
                    if report := difference(one.run(True), expected, one.rows_apart):
                        return f"twin: network {number}: {report}"
        except Exception as error:  # whatever a line of nonsense may raise
            return f"Python: {type(error).__name__}: {error}"
    return None


def difference(given: list[Outcome], expected: list[Outcome], lone: bool) -> str | None:
    """Say where two runs differ beyond rounding. lone: every evaluation had one row."""
    for one, other in zip(given, expected, strict=True):
        if isinstance(one, type) or isinstance(other, type):
            if one is not other:
                return f"{one} in place of {other}"
            continue
        # Entries added over rows share the rounding of the largest; those of a lone row do not.
        near = 1e-13 * np.abs(other) + (0.0 if lone else 1e-14 * np.abs(other).max())
        wrong = ~(np.abs(one - other) <= near)
        if wrong.any():
            at = int(wrong.argmax())
            return f"{one[at]!r} in place of {other[at]!r}"
    return None


def uncompiled(function: Any = None, **options: Any) -> Any:
    """Stand for numba.njit, as a decorator with options or without."""
    return function if isinstance(function, types.FunctionType) else lambda plain: plain
