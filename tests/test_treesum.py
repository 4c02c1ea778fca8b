"""The sum of parts has the same bits in whatever order they arrive."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpass.treesum import TreeSum


def parts_of(n_parts, seed=0, dtype="float64"):
    """Draw parts of very different sizes, so that the order of additions shows in the bits."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.integers(-12, 12, n_parts)
    return [
        (np.array(size * rng.normal()), (size * rng.normal(size=3)).astype(dtype)) for size in sizes
    ]


def total(parts, order):
    tree = TreeSum(len(parts))
    for index in order:
        tree.add(index, tuple(array.copy() for array in parts[index]))
    return tree.total()


def canonical(parts):
    """The definition: halve at the largest power of two below the number of parts."""
    if len(parts) == 1:
        return parts[0]
    cut = 1 << (len(parts) - 1).bit_length() - 1
    left, right = canonical(parts[:cut]), canonical(parts[cut:])
    return tuple(np.add(a, b, dtype=np.float64) for a, b in zip(left, right, strict=True))


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("n_parts", range(1, 7))
def test_every_order_of_arrival_gives_the_same_bits(n_parts):
    parts = parts_of(n_parts)
    expected = canonical(parts)
    for order in itertools.permutations(range(n_parts)):
        assert_same_bits(total(parts, order), expected)


@given(st.integers(1, 70), st.randoms(use_true_random=False))
def test_orders_of_many_parts(n_parts, random):
    parts, order = parts_of(n_parts, n_parts), list(range(n_parts))
    random.shuffle(order)
    assert_same_bits(total(parts, order), canonical(parts))


def test_the_order_of_additions_does_show_in_these_parts():
    """Else the tests above could not fail: from left to right gives other bits."""
    parts = parts_of(6)
    one_by_one = parts[0][1]
    for part in parts[1:]:
        one_by_one = one_by_one + part[1]
    assert (one_by_one != total(parts, range(6))[1]).any()


def test_subtrees_of_workers_join_the_same_tree():
    """A worker that has parts 4 to 7 returns one node of level 2."""
    parts = parts_of(11)
    tree = TreeSum(11)
    tree.add(1, tuple(np.array(array) for array in canonical(parts[4:8])), level=2)
    for index in (10, 3, 0, 9, 1, 8, 2):
        tree.add(index, tuple(array.copy() for array in parts[index]))
    assert_same_bits(tree.total(), canonical(parts))


def test_float32_parts_are_summed_in_float64():
    parts = [(np.full(2, 0.1, np.float32),) for _ in range(5)]
    (result,) = total(parts, range(5))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, 5 * np.float64(np.float32(0.1)))
    (single,) = total(parts[:1], [0])
    assert single.dtype == np.float64


def test_the_rounding_error_grows_with_the_logarithm():
    n_parts = 4096
    parts = [(np.array(0.1),) for _ in range(n_parts)]
    (result,) = total(parts, range(n_parts))
    exact = math.fsum([0.1] * n_parts)
    assert abs(float(result) - exact) <= 12 * np.spacing(exact) / 2


def test_a_missing_part_is_an_error():
    tree = TreeSum(3)
    tree.add(0, (np.zeros(1),))
    with pytest.raises(ValueError, match=r"not all of 3 parts were added\."):
        tree.total()
    tree.add(2, (np.zeros(1),))
    with pytest.raises(ValueError, match=r"not all of 3 parts were added\."):
        tree.total()
    tree.add(1, (np.zeros(1),))
    assert tree.total()[0] == 0.0


def test_few_sums_are_held_when_parts_arrive_in_order():
    tree, most = TreeSum(1000), 0
    for index in range(1000):
        tree.add(index, (np.ones(1),))
        most = max(most, len(tree._waiting))
    assert most <= math.log2(1000) + 1
