"""Coordinate descent on a quadratic with an L1 term: the twin of `solvers.prox_newton.sweep`."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def coordinate_sweep(curvature, grad, theta, threshold, step, pull):
    """Update step and pull = curvature @ step in place; return the largest curvature · change².

    curvature: (n, n), C order; the others (n,). One visit to every coordinate, in order.
    """
    largest = 0.0
    for j in range(theta.size):
        bend = curvature[j, j]
        if bend <= 0.0:
            continue
        wanted = theta[j] + step[j] - (grad[j] + pull[j]) / bend
        shrunk = max(abs(wanted) - threshold[j] / bend, 0.0)
        change = (shrunk if wanted >= 0.0 else -shrunk) - theta[j] - step[j]
        if change != 0.0:
            step[j] += change
            for i in range(theta.size):
                pull[i] += change * curvature[j, i]
            largest = max(largest, bend * change * change)
    return largest
