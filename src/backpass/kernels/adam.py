"""Adam's update in one visit to memory: the twin of `solvers.adam.adam_step`."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def fused_adam_step(theta, grad, mean, square, rate, beta_1, beta_2, epsilon):
    """Update theta, mean and square in place; all are flat float64 arrays of one length."""
    for i in range(theta.size):
        g = grad[i]
        m = beta_1 * mean[i] + (1.0 - beta_1) * g
        v = beta_2 * square[i] + (1.0 - beta_2) * (g * g)
        mean[i] = m
        square[i] = v
        theta[i] -= rate * m / (math.sqrt(v) + epsilon)
