"""Elementwise: what functions it takes, and what it says of those that it cannot compile."""

import math

import numpy as np
import pytest

import backpass as bp


def cost(f, df):
    net = bp.Network([bp.Linear(2, 3), bp.Elementwise(f, df), bp.Linear(3, 2)],
                     loss=bp.CrossEntropyLoss())  # fmt: skip
    X = np.random.default_rng(0).normal(size=(5, 2))
    return net.cost_and_gradient(net.init(1), X, [0, 1, 0, 1, 1])[0]


def tanh_slope(x, z):
    return 1.0 - z * z


def test_functions_of_any_kind_are_taken():
    numba = pytest.importorskip("numba")

    def by_hand(x):
        return math.tanh(x)

    expected = cost(by_hand, tanh_slope)
    assert cost(math.tanh, tanh_slope) == expected
    assert cost(lambda x: math.tanh(x), tanh_slope) == expected
    assert cost(numba.njit(by_hand), numba.njit(tanh_slope)) == expected


def test_a_function_that_cannot_be_compiled_is_named_with_a_remedy():
    def unfit(x):
        return np.linalg.svd(x)[0]

    with pytest.raises(TypeError, match=r"Numba cannot compile unfit.*subclass bp\.Layer"):
        cost(unfit, tanh_slope)
