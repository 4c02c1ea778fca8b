"""A bordered curvature against the matrix that it stands for."""

import numpy as np
import pytest
from tests.solvers.problems import bordered

from backpass.bordered import Bordered, BorderedFactor
from backpass.factor import Factor


@pytest.mark.parametrize("k", [1, 2, 3])
def test_it_multiplies_solves_and_measures_as_the_matrix_does(k):
    H, whole = bordered(k)
    v = np.random.default_rng(1).normal(size=len(H))
    np.testing.assert_allclose(H @ v, whole @ v, rtol=1e-9)
    np.testing.assert_array_equal(H.diagonal, np.diag(whole))
    factor, expected = BorderedFactor(H), Factor(whole)
    assert factor.full_rank
    np.testing.assert_allclose(factor.solve(v), expected.solve(v), rtol=1e-8)
    ridge = np.abs(v)
    np.testing.assert_array_equal(H.plus_diagonal(ridge).diagonal, np.diag(whole) + ridge)


@pytest.mark.parametrize("k", [1, 3])
def test_the_norm_of_the_inverse_is_bounded(k):
    H, whole = bordered(k, units=False)
    true = 1.0 / np.linalg.eigvalsh(whole)[0]
    assert true <= BorderedFactor(H).inverse_norm <= 100.0 * true


@pytest.mark.parametrize("k", [1, 3])
def test_row_forms_are_those_of_the_inverse(k):
    H, whole = bordered(k)
    inverse = np.linalg.inv(whole)
    rng = np.random.default_rng(2)
    level, size, others = rng.integers(-1, 6, 20), rng.uniform(1, 2, 20), rng.normal(size=(20, 3))
    expected = np.zeros(20)
    for i in range(20):
        for a in range(k):
            x = np.zeros(len(H))
            x[H.rest.reshape(k, 3)[a]] = others[i]
            if level[i] >= 0:
                x[H.levels[level[i], a]] = size[i]
            expected[i] += x @ inverse @ x
    np.testing.assert_allclose(BorderedFactor(H).forms(level, size, others), expected, rtol=1e-7)


def test_a_column_that_is_constant_within_levels_is_a_null_direction():
    H, _ = bordered(1, units=False)
    B = H.B.copy()
    B[:, 0, 1] = H.D[:, 0, 0] * np.arange(6)  # the column says which level it is, and no more
    E = H.E.copy()
    for j in range(3):
        E[1, j] = E[j, 1] = float(B[:, 0, 1] / H.D[:, 0, 0] @ B[:, 0, j])
    singular = BorderedFactor(Bordered(H.levels, H.rest, H.D, B, E))
    assert not singular.full_rank
    right = Bordered(H.levels, H.rest, H.D, B, E) @ np.ones(9)
    found = singular.solve(right)
    again = Bordered(H.levels, H.rest, H.D, B, E) @ found
    np.testing.assert_allclose(again, right, rtol=1e-9)


def test_a_common_shift_is_stiffened_and_nothing_else():
    H, whole = bordered(3, units=False)
    free = np.ones(len(H), dtype=bool)
    shifted = H.plus_common_shift(5.0, free)
    columns = np.vstack([H.levels, H.rest.reshape(3, -1).T])
    N = np.zeros((len(H), len(columns)))
    for j, places in enumerate(columns):
        N[places, j] = 1.0 / np.sqrt(3.0)
    v = np.random.default_rng(3).normal(size=len(H))
    np.testing.assert_allclose(shifted @ v, whole @ v + 5.0 * N @ (N.T @ v), rtol=1e-10)
