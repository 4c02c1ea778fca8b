"""Compiled products of CSR rows against SciPy's."""

from itertools import pairwise

import numpy as np
import pytest
from tests.strategies import random_csr

import backpass as bp
from backpass.kernels.csr import (
    csr_gram,
    csr_moments,
    csr_pull,
    csr_times,
    has_duplicates,
)


def rows(seed=0, shape=(30, 7)):
    rng = np.random.default_rng(seed)
    X = random_csr(rng, shape, 0.3)
    X.sort_indices()
    return X, rng


@pytest.mark.parametrize("k", [1, 3])
def test_products(k):
    X, rng = rows()
    weight, delta = rng.normal(size=(7, k)), rng.normal(size=(30, k))
    out = np.full((30, k), np.nan)
    csr_times(X.indptr, X.indices, X.data, weight, out)
    np.testing.assert_allclose(out, X @ weight, rtol=1e-13, atol=1e-15)
    pulled = np.zeros((7, k))
    csr_pull(X.indptr, X.indices, X.data, delta, pulled)
    np.testing.assert_allclose(pulled, X.T @ delta, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("ones", [False, True])
def test_the_gram_matrix(ones):
    X, rng = rows(1)
    scale, weight = rng.uniform(0.5, 2.0, 7), rng.normal(size=30)
    seen = X.toarray() / scale
    seen = np.hstack([seen, np.ones((30, 1))]) if ones else seen
    out = np.zeros((seen.shape[1],) * 2)
    csr_gram(X.indptr, X.indices, X.data, 1.0 / scale, weight, ones, out)
    expected = seen.T @ (weight[:, None] * seen)
    np.testing.assert_allclose(out + out.T, expected, rtol=1e-12, atol=1e-14)


def test_moments_and_their_scale():
    X, rng = rows(2)
    weight = rng.uniform(0.5, 2.0, 30)
    X.data[X.indices == 3] = 0.0
    X.eliminate_zeros()
    unit, mean, squares = np.zeros((3, 7))
    csr_moments(X.indptr, X.indices, X.data, weight, unit, mean, squares)
    full = X.toarray()
    largest = np.abs(full).max(axis=0)
    np.testing.assert_array_equal(unit, np.where(largest > 0.0, largest, 1.0))
    assert unit[3] == 1.0
    np.testing.assert_allclose(mean, weight @ (full / unit), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(squares, weight @ np.square(full / unit), rtol=1e-13)


def test_duplicates_are_seen_in_any_order():
    indptr = np.array([0, 3, 5])
    assert not has_duplicates(indptr, np.array([2, 0, 1, 0, 2]), 3)
    assert has_duplicates(indptr, np.array([2, 0, 2, 0, 2]), 3)
    assert has_duplicates(indptr, np.array([2, 0, 1, 1, 1]), 3)


def test_entries_of_a_row_may_stand_in_any_order():
    """As scikit-learn's vectorizers leave them; sorting would take a copy."""
    X, rng = rows(3)
    shuffled = X.copy()
    for first, last in pairwise(X.indptr):
        order = rng.permutation(last - first)
        shuffled.data[first:last] = X.data[first:last][order]
        shuffled.indices[first:last] = X.indices[first:last][order]
    shuffled.has_sorted_indices = shuffled.has_canonical_format = False
    assert (np.diff(shuffled.indices) < 0).any() and (shuffled != X).nnz == 0
    root, scale = rng.uniform(size=30), np.ones(7)
    outs = []
    for matrix in (X, shuffled):
        outs.append(np.zeros((8, 8)))
        csr_gram(matrix.indptr, matrix.indices, matrix.data, scale, root, True, outs[-1])
    np.testing.assert_allclose(outs[1] + outs[1].T, outs[0] + outs[0].T, rtol=1e-12, atol=1e-14)
    y = rng.integers(0, 2, 30)
    fits = [bp.LogisticRegression(tol=1e-14).fit(matrix, y).coef_ for matrix in (X, shuffled)]
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-6)
