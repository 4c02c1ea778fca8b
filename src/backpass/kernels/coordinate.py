"""Coordinate descent on a quadratic with an L1 term: twins of `solvers.kinked.sweep`."""

from __future__ import annotations

from numba import njit

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _change(bend, slope, place, threshold):
    """Return the c that minimises slope · c + bend/2 · c² + threshold · |place + c|."""
    wanted = place - slope / bend
    shrunk = max(abs(wanted) - threshold / bend, 0.0)
    return (shrunk if wanted >= 0.0 else -shrunk) - place


@_jit
def coordinate_sweep(curvature, grad, theta, threshold, step, pull):
    """Update step and pull = curvature @ step in place; return the largest curvature · change².

    curvature: (n, n), C order; the others (n,). One visit to every coordinate, in order.
    """
    largest = 0.0
    for j in range(theta.size):
        bend = curvature[j, j]
        if bend <= 0.0:
            continue
        change = _change(bend, grad[j] + pull[j], theta[j] + step[j], threshold[j])
        if change != 0.0:
            step[j] += change
            for i in range(theta.size):
                pull[i] += change * curvature[j, i]
            largest = max(largest, bend * change * change)
    return largest


@_jit
def bordered_sweep(D, B, E, levels, rest, pull):
    """Do the same to a curvature [D B; Bᵀ E], D (L, k, k), B (L, k, R): the levels come first.

    levels: (4, L, k), rest: (4, R): gradient, θ, threshold, and the step, which is updated; pull:
    (R,), Bᵀ (step of the levels) + E (step of the rest), updated too. A level sees its own block
    and the rest alone, so a sweep visits B twice and no pair of levels.
    """
    largest = 0.0
    for i in range(D.shape[0]):
        for a in range(D.shape[1]):
            bend = D[i, a, a]
            if bend <= 0.0:
                continue
            slope = levels[0, i, a]
            for b in range(D.shape[1]):
                slope += D[i, a, b] * levels[3, i, b]
            for j in range(E.shape[0]):
                slope += B[i, a, j] * rest[3, j]
            change = _change(bend, slope, levels[1, i, a] + levels[3, i, a], levels[2, i, a])
            if change != 0.0:
                levels[3, i, a] += change
                for j in range(E.shape[0]):
                    pull[j] += change * B[i, a, j]
                largest = max(largest, bend * change * change)
    for i in range(E.shape[0]):
        if E[i, i] <= 0.0:
            continue
        change = _change(E[i, i], rest[0, i] + pull[i], rest[1, i] + rest[3, i], rest[2, i])
        if change != 0.0:
            rest[3, i] += change
            for j in range(E.shape[0]):
                pull[j] += change * E[i, j]
            largest = max(largest, E[i, i] * change * change)
    return largest


@_jit
def pairs_sweep(diagonal, W, WM, grad, theta, threshold, step, pull):
    """Do the same to a curvature diag(diagonal) - WM Wᵀ; W and WM (n, 2 m), pull = Wᵀ step."""
    largest = 0.0
    for j in range(theta.size):
        bend, slope = diagonal[j], grad[j] + diagonal[j] * step[j]
        for a in range(pull.size):
            bend -= WM[j, a] * W[j, a]
            slope -= WM[j, a] * pull[a]
        if bend <= 0.0:
            continue
        change = _change(bend, slope, theta[j] + step[j], threshold[j])
        if change != 0.0:
            step[j] += change
            for a in range(pull.size):
                pull[a] += change * W[j, a]
            largest = max(largest, bend * change * change)
    return largest
