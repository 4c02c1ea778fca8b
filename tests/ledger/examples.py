"""How the ledger builds each layer and loss, and the rows on which it looks at them.

Logits are multiples of 1/64 up to 1e4, so differences of two of them are exact: what is measured is
the rule's own rounding, not that of the numbers it was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sympy import Expr, exp, tanh
from tests.strategies import silu

import backpass as bp

N_IN = 4

# 0, ties, a class that is nearly certain, far tails, and beyond what e^z can hold.
EXTREME = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, -0.0],
        [50.0, 0.0, -50.0, 12.5],
        [36.0, 37.0, -37.0, -0.015625],
        [-700.0, 700.0, 0.0, 745.0],
        [1e4, -1e4, 0.0, 1e4],
        [-1e4, -1e4, -1e4, -9999.0],
        [1e300, -1e300, 2.0**-60, 5.0],
    ]
)


@dataclass(frozen=True, eq=False)  # one is equal to itself alone, so that it can be a key
class Example:
    """One way to build a layer or loss, and what it meets.

    build: takes the class, which may be a mutant. extreme: rows beside the ordinary ones, and
    targets: the labels of those, where they cannot be any. numbers: symbols of the formula that are
    options. f: an Elementwise's function, in symbols. of_classes: labels are classes. cancels:
    methods whose terms cancel with these options, so that ulps of their terms are what counts.
    """

    build: Callable[[type], Any]
    extreme: np.ndarray
    ordinary: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    labels: tuple[float, ...] = (0.0, 1.0)
    targets: np.ndarray | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    f: Callable[[Expr], Expr] | None = None
    masked: bool = False
    of_classes: bool = False
    cancels: frozenset[str] = frozenset()


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw multiples of 1/64 of the size of 1."""
    return np.round(64.0 * rng.normal(size=shape)) / 64.0


def drawn_freely(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw numbers with all their digits, whose products and sums are rounded."""
    return rng.normal(size=shape)


def drawn_probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw multiples of 1/64 between 0 and 1, both excluded."""
    return rng.integers(1, 64, shape) / 64.0


MODEST = EXTREME[:4]  # where a user's own function does not overflow
PROBABILITIES = np.array(
    [[0.25, 0.5, 1.0, 0.0], [1e-150, 1.0 - 2.0**-53, 0.75, 2.0**-60], [0.0, 1.0, 1.0, 0.0]]
)
LOG_PROBABILITIES = np.array([[-1.0, -0.5, 0.0, -1e300], [-1e-300, -0.0, -745.0, -2.0]])


def example(build: Callable[[type], Any], extreme: np.ndarray = EXTREME, **more: Any) -> Example:
    return Example(build, extreme, **{"ordinary": drawn, **more})


def silu_slope(x, z):
    """Written without 1 - sigm(x), which is 0 from x = 37 on."""
    return 1.0 / (1.0 + math.exp(-x)) + z / (1.0 + math.exp(x))


def silu_bend(x, z):
    right, left = 1.0 / (1.0 + math.exp(-x)), 1.0 / (1.0 + math.exp(x))
    return right * left * (2.0 + x * (left - right))


def plain(kind: type) -> Any:
    return kind()


EXAMPLES: Mapping[type, tuple[Example, ...]] = {
    bp.Linear: (
        # Square first: there a forgotten transpose is a wrong number, not a wrong shape.
        # In a sum over rows one of 1e300 would hide the others.
        example(lambda kind: kind(N_IN, N_IN), EXTREME[:-1], ordinary=drawn_freely),
        example(lambda kind: kind(N_IN, 3), EXTREME[:-1], ordinary=drawn_freely),
        example(lambda kind: kind(N_IN, 2, bias=False), EXTREME[:-1], ordinary=drawn_freely),
    ),
    bp.Sigmoid: (example(plain),),
    bp.Tanh: (example(plain),),
    bp.ReLU: (example(plain),),
    bp.Dropout: (example(lambda kind: kind(0.5)), example(lambda kind: kind(0.5), masked=True)),
    bp.Elementwise: (
        example(
            lambda kind: kind(silu, silu_slope, silu_bend), MODEST, f=lambda x: x / (1 + exp(-x))
        ),
        # Derivatives in terms of z = f(x).
        example(
            lambda kind: kind(math.tanh, lambda x, z: 1 - z * z, lambda x, z: -2 * z * (1 - z * z)),
            f=tanh,
        ),
    ),
    bp.Softmax: (example(plain),),
    bp.LogSoftmax: (example(plain),),
    # A sigmoid of a rounded logit of 50 is off by 50 roundings: that would be all one saw.
    bp.Residual: (example(lambda kind: kind(bp.Linear(N_IN, N_IN), bp.Sigmoid()), EXTREME[:2]),),
    bp.BCELoss: (
        example(
            plain,
            PROBABILITIES,
            ordinary=drawn_probabilities,
            targets=np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.25, 0.0], [0.0, 1.0, 1.0, 0.0]]),
        ),
    ),
    bp.BCEWithLogitsLoss: (
        example(plain),
        example(plain, labels=(0.25, 0.75), cancels=frozenset({"delta"})),
    ),
    bp.NLLLoss: (example(plain, LOG_PROBABILITIES, of_classes=True),),
    bp.CrossEntropyLoss: (
        example(plain, numbers={"epsilon": 0.0}, of_classes=True),
        example(
            lambda kind: kind(label_smoothing=0.25),
            numbers={"epsilon": 0.25},
            of_classes=True,
            cancels=frozenset({"delta"}),
        ),
        example(
            lambda kind: kind(label_smoothing=1.0),
            numbers={"epsilon": 1.0},
            of_classes=True,
            cancels=frozenset({"delta"}),
        ),
    ),
}
