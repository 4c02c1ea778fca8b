"""Rows in blocks: every storage, the same rows, the same products."""

import numpy as np
import pytest
from scipy import sparse
from tests.strategies import random_csr

from backpass.data.rows import DenseRows, SparseRows, View, gram

DOUBLE = np.dtype(np.float64)


def problem(seed=0, shape=(1000, 5)):
    rng = np.random.default_rng(seed)
    return random_csr(rng, shape, 0.4).toarray(), rng


@pytest.mark.parametrize("stride", [1, 2, 8])
def test_blocks_are_every_row_of_the_subsample_once_and_in_order(stride):
    X = np.arange(150_000.0)[:, None]
    rows = DenseRows(X)
    seen = [rows.block(places).x[:, 0].copy() for places in rows.cuts(stride)]
    assert len(seen) > 1 or stride == 8
    np.testing.assert_array_equal(np.concatenate(seen), X[::stride, 0])
    assert rows.count(stride) == len(X[::stride])


def test_a_block_of_a_c_ordered_float64_array_is_a_view_and_others_are_small_copies():
    X, _ = problem()
    assert np.shares_memory(DenseRows(X).block(slice(0, 64, 1)).x, X)
    for other in (np.asfortranarray(X), X.astype(np.float32), X[:, ::-1]):
        block = DenseRows(other).block(slice(0, 64, 1))
        assert not np.shares_memory(block.x, other)
        assert block.x.flags.c_contiguous
        np.testing.assert_array_equal(block.x, other[:64])


def test_a_memory_map_is_read_as_it_stands(tmp_path):
    X, _ = problem()
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(DenseRows(mapped).block(slice(0, 100, 1)).x, X[:100])


def test_a_sparse_block_is_a_view_of_the_matrix():
    X, _ = problem()
    stored = sparse.csr_matrix(X)
    block = SparseRows(stored).block(slice(10, 60, 1))
    assert np.shares_memory(block.data, stored.data)
    view = View(np.zeros(5), np.ones(5), ones=False)
    np.testing.assert_array_equal(block.standardised(view, np.ones(50), DOUBLE)[0], X[10:60])


def test_entries_given_twice_are_added():
    X = sparse.csr_matrix((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    block = SparseRows(X).block(slice(0, 2, 1))
    view = View(np.zeros(2), np.ones(2), ones=False)
    seen, _ = block.standardised(view, np.ones(2), DOUBLE)
    np.testing.assert_array_equal(seen, [[0.0, 2.0], [1.0, 0.0]])
    assert X.nnz == 3  # the caller's matrix is as it was


@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_dense_and_sparse_blocks_give_the_same_products(k, ones):
    X, rng = problem()
    view = View(np.zeros(5), rng.uniform(0.5, 2.0, 5), ones)
    weight, delta, root = rng.normal(size=(k, 5)), rng.normal(size=(77, k)), rng.uniform(size=77)
    found = []
    for rows in (DenseRows(X), SparseRows(sparse.csr_matrix(X))):
        block = rows.block(slice(100, 177, 1))
        z = np.empty((77, k))
        block.times(weight, z)
        matrix, longest = block.gram(view, root, DOUBLE)
        mean, about = block.moments(root)
        found.append((z, block.pull(delta), matrix, longest, mean, about))
    for dense, other in zip(*found, strict=True):
        np.testing.assert_allclose(dense, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found[0][0], X[100:177] @ weight.T, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("width", [3, 47, 48, 130])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gram_is_symmetric_to_the_bit(width, dtype):
    X = np.random.default_rng(width).normal(size=(200, width)).astype(dtype)
    found = gram(X)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, X.T @ X, rtol=1e3 * np.finfo(dtype).eps, atol=1e-3)
