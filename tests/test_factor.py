"""The factorisation: solutions whatever the scaling, null directions where there are some."""

import numpy as np
import pytest

from backpass.factor import Factor


def spd(rng, n):
    root = rng.normal(size=(n, n + 3))
    return root @ root.T


@pytest.mark.parametrize("seed", range(5))
def test_solve_does_not_depend_on_units(seed):
    rng = np.random.default_rng(seed)
    matrix, right = spd(rng, 6), rng.normal(size=6)
    units = 10.0 ** rng.uniform(-8, 8, 6)
    scaled = matrix * np.outer(units, units)
    solution = Factor(scaled).solve(right * units)
    np.testing.assert_allclose(solution * units, np.linalg.solve(matrix, right), rtol=1e-9)


def test_inverse():
    matrix = spd(np.random.default_rng(0), 5)
    np.testing.assert_allclose(Factor(matrix).inverse() @ matrix, np.eye(5), atol=1e-10)


def test_a_singular_matrix_is_solved_where_it_can_be():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20, 4))
    rows = np.hstack([rows, rows[:, :1] - rows[:, 1:2]])
    matrix = rows.T @ rows
    factor = Factor(matrix)
    assert not factor.full_rank
    right = matrix @ rng.normal(size=5)
    np.testing.assert_allclose(matrix @ factor.solve(right), right, rtol=1e-9, atol=1e-9)


def test_null_projector_names_the_collinear_direction():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(20, 3))
    rows = np.hstack([rows, rows[:, :1] + 2 * rows[:, 1:2]])
    direction = np.array([1.0, 2.0, 0.0, -1.0]) / np.sqrt(6)
    projector = Factor(rows.T @ rows).null_projector()
    np.testing.assert_allclose(projector, np.outer(direction, direction), atol=1e-12)


def test_null_projector_of_full_rank_is_zero():
    assert not Factor(spd(np.random.default_rng(3), 4)).null_projector().any()


def test_a_column_of_zeros_is_a_null_direction():
    factor = Factor(np.diag([1.0, 0.0, 2.0]))
    np.testing.assert_allclose(factor.null_projector(), np.diag([0.0, 1.0, 0.0]), atol=1e-15)
    assert np.isfinite(factor.solve(np.array([1.0, 0.0, 1.0]))).all()
