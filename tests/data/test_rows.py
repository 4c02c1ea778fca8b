"""Rows in blocks: every storage, the same rows, the same products."""

import numpy as np
import pytest
from scipy import sparse
from tests.strategies import random_csr

from backpass.data.mixed import Border, MixedColumns, MixedTable
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


def mixed_problem(seed=0, n_rows=1000):
    """Two categories, numbers before, between and after them, some rows without a level."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
    codes = np.column_stack([rng.integers(-1, 4, n_rows), rng.integers(0, 3, n_rows)])
    to = (np.array([1, 2, 3, 4, -1]), np.array([6, -1, 7, -1]))  # the last code has a baseline
    columns = MixedColumns(
        8, np.array([0, 5]), (Border(1, 5), Border(6, 8)), tuple(a.astype(np.int32) for a in to)
    )
    rows = MixedTable(numbers[:, :2], codes.astype(np.int32), columns)
    X = np.zeros((n_rows, 8))
    X[:, [0, 5]] = numbers[:, :2]
    for place, at in enumerate(to):
        column = at[codes[:, place]]
        X[np.flatnonzero(column >= 0), column[column >= 0]] = 1.0
    return rows, X, rng


def test_mixed_blocks_are_the_rows_written_out():
    rows, X, _ = mixed_problem(n_rows=70_000)
    for stride in (1, 4):
        cuts = rows.cuts(stride)
        assert len(cuts) > 1 or stride == 4
        seen = [rows.block(places).written_out() for places in cuts]
        np.testing.assert_array_equal(np.concatenate(seen), X[::stride])
    right = np.random.default_rng(1).normal(size=(8, 3))
    np.testing.assert_allclose(rows @ right, X @ right, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(rows[10:20], X[10:20])


@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_mixed_blocks_give_the_products_of_the_rows_written_out(k, ones):
    rows, X, rng = mixed_problem()
    centre = np.where(rows.may_centre, X.mean(axis=0), 0.0)
    view = View(centre, rng.uniform(0.5, 2.0, 8), ones)
    weight, delta = rng.normal(size=(k, 8)), rng.normal(size=(77, k))
    root, weights = rng.uniform(size=77), rng.normal(size=(77, 2))
    form = rng.normal(size=(view.width, view.width))
    found = []
    for own in (DenseRows(X), rows):
        block = own.block(slice(100, 177, 1))
        assert len(block) == 77
        z = np.empty((77, k))
        block.times(weight, z)
        products = (*block.gram(view, root, DOUBLE), *block.grams(view, weights))
        forms = block.forms(view, form + form.T)
        wide, _ = block.standardised(view, root, DOUBLE)
        found.append((z, block.pull(delta), *products, forms, *block.moments(root), wide.copy()))
    for dense, mixed in zip(*found, strict=True):
        np.testing.assert_allclose(mixed, dense, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("which", [0, 1])
def test_a_border_and_the_rest_are_the_whole(which):
    rows, X, rng = mixed_problem()
    border = rows.columns.borders[which]
    view = View(np.where(rows.may_centre, 2.0, 0.0), rng.uniform(0.5, 2.0, 8), ones=True)
    weights, block = rng.normal(size=(200, 2)), rows.block(slice(0, 200, 1))
    diagonal, across, inner, longest = block.bordered_grams(view, weights, border)
    whole, expected = DenseRows(X).block(slice(0, 200, 1)).grams(view, weights)
    assert longest == pytest.approx(expected, rel=1e-12)
    levels, rest = np.arange(border.first, border.stop), border.rest(9)
    for p, matrix in enumerate(whole):
        own = matrix[np.ix_(levels, levels)]
        np.testing.assert_allclose(np.diag(diagonal[p]), own, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(across[p], matrix[np.ix_(levels, rest)], rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(inner[p], matrix[np.ix_(rest, rest)], rtol=1e-11, atol=1e-11)
