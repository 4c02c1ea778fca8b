"""The line search that solvers share."""

import numpy as np

from backpass.linear_objective import Evaluation
from backpass.solvers.steps import line_search


def searched(value, slope, step=1.0):
    """Search along one number from 0; return where it ended and every length that was tried."""
    tried = []

    def evaluate(u, first):
        tried.append(float(u[0]))
        return Evaluation(u, value(u[0]), np.array([slope(u[0])]))

    here = Evaluation(np.zeros(1), value(0.0), np.array([slope(0.0)]))
    return line_search(evaluate, here, np.array([step])), tried


def test_a_step_that_lowers_the_value_is_taken_whole():
    there, tried = searched(lambda u: (u - 1.0) ** 2, lambda u: 2.0 * (u - 1.0))
    assert there.u[0] == 1.0
    assert tried == [1.0]


def test_a_step_too_long_is_cut_at_the_parabola():
    """Of (u - 0.3)² from 0 by 1 the minimum is at 0.3, which halving would miss."""
    there, tried = searched(lambda u: (u - 0.3) ** 2, lambda u: 2.0 * (u - 0.3))
    np.testing.assert_allclose(tried, [1.0, 0.3], rtol=1e-12)
    np.testing.assert_allclose(there.u, 0.3, rtol=1e-12)


def test_a_step_is_cut_to_no_less_than_a_tenth_at_once():
    there, tried = searched(lambda u: (u - 0.01) ** 2, lambda u: 2.0 * (u - 0.01))
    np.testing.assert_allclose(tried[:2], [1.0, 0.1], rtol=1e-12)
    assert there is not None


def test_no_step_uphill():
    there, _ = searched(lambda u: (u + 1.0) ** 2, lambda u: 2.0 * (u + 1.0))
    assert there is None
