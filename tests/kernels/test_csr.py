"""Compiled products of CSR rows against SciPy's."""

import numpy as np
import pytest
from tests.strategies import random_csr

from backpass.kernels.csr import csr_gram, csr_pull, csr_times


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
    np.testing.assert_allclose(out, np.tril(expected), rtol=1e-12, atol=1e-14)
