"""A whole network in one compiled call: the twin of `forward_pass`, the loss and `backward_pass`.

Between two layers of a small network Python costs more than the layer: for 30→64→64→2 and 64 rows,
some 30 NumPy calls of about a microsecond each, beside 12 µs of products. So a network of
built-in layers is lowered to tables of numbers (`fusion.py`) which this function runs through. The
NumPy methods of the layers are the definition; tests hold the two together.

Everything that the function calls stands in this file, since Numba's disk cache looks at no other.
Products go to BLAS (`np.dot` inside Numba is SciPy's gemm and gemv).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# The rows of a plan's step table.
KIND, WEIGHT, BIAS, SKIP = range(4)
# Kinds of step, and of loss.
LINEAR, RELU, TANH, SIGMOID, IDENTITY, JOIN = range(6)
CROSS_ENTROPY, BCE_WITH_LOGITS = range(2)

_jit = njit(cache=True, nogil=True, error_model="numpy")
# A sum whose only use is to be finite or not may be added in any order, eight numbers at a time.
_jit_any_order = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)


@_jit
def plan_cost_gradient(
    steps, feeds_start, feeds, widths, offsets, lowest,
    loss_kind, smoothing,
    theta, x, labels, targets, weight,
    z_flat, delta_flat, loss, grad,
):  # fmt: skip
    """Run one pass over the rows of x: fill z, loss and, unless grad is empty, δ and grad.

    Returns the cost, the sum of squares of z, δ and grad (not finite if any of them is not), and
    whether the loss has a meaning for every label or target; where not, nothing is evaluated.

    steps: (n_steps, 4) by KIND, WEIGHT and BIAS (places in θ, -1 for none), SKIP.
    feeds[feeds_start[L]:feeds_start[L+1]]: the joins that add z[L]. widths: of the levels; offsets:
    of levels 1, 2, ... in z_flat and delta_flat, level 0 being x. labels (n,) for CROSS_ENTROPY,
    targets (n, k) for BCE_WITH_LOGITS; weight (n,) or empty. grad (n_parameters,), or empty where
    the cost alone is asked for.
    """
    n_rows, n_steps = x.shape[0], steps.shape[0]
    if _without_class(labels, widths[n_steps]) > 0 or _without_probability(targets) > 0:
        return 0.0, 0.0, False
    for L in range(n_steps):
        z_in = _level(z_flat, x, widths, offsets, L)
        z_out = _level(z_flat, x, widths, offsets, L + 1)
        kind = steps[L, KIND]
        if kind == LINEAR:
            _linear_forward(theta, steps[L], z_in, z_out)
        elif kind == JOIN:
            around = _level(z_flat, x, widths, offsets, steps[L, SKIP])
            for i in range(n_rows):
                for j in range(z_out.shape[1]):
                    z_out[i, j] = z_in[i, j] + around[i, j]
        else:
            _activate(kind, z_in.reshape(-1), z_out.reshape(-1))

    z_last = _level(z_flat, x, widths, offsets, n_steps)
    if loss_kind == CROSS_ENTROPY:
        _cross_entropy(z_last, labels, smoothing, loss)
    else:
        _bce_with_logits(z_last, targets, loss)
    cost = 0.0
    for i in range(n_rows):
        cost += np.float64(loss[i]) * (weight[i] if weight.size else 1.0)
    if grad.size == 0:
        return cost, _squares(z_flat), True

    delta_last = _level(delta_flat, x, widths, offsets, n_steps)
    if loss_kind == CROSS_ENTROPY:
        _cross_entropy_delta(z_last, labels, smoothing, delta_last)
    else:
        _bce_with_logits_delta(z_last, targets, delta_last)
    if weight.size:
        for i in range(n_rows):
            for j in range(delta_last.shape[1]):
                delta_last[i, j] *= weight[i]

    for L in range(n_steps - 1, -1, -1):
        kind = steps[L, KIND]
        z_in = _level(z_flat, x, widths, offsets, L)
        delta_out = _level(delta_flat, x, widths, offsets, L + 1)
        if kind == LINEAR:
            _linear_gradient(steps[L], z_in, delta_out, grad)
        if lowest > L:
            continue
        delta_in = _level(delta_flat, x, widths, offsets, L)
        if kind == LINEAR:
            _linear_backward(theta, steps[L], delta_out, delta_in)
        else:
            z_out = _level(z_flat, x, widths, offsets, L + 1)
            _activate_backward(
                kind,
                z_in.reshape(-1),
                z_out.reshape(-1),
                delta_out.reshape(-1),
                delta_in.reshape(-1),
            )
        for f in range(feeds_start[L], feeds_start[L + 1]):
            more = _level(delta_flat, x, widths, offsets, feeds[f] + 1)
            for i in range(n_rows):
                for j in range(delta_in.shape[1]):
                    delta_in[i, j] += more[i, j]
    return cost, _squares(z_flat) + _squares(delta_flat) + _squares(grad), True


@_jit
def _without_class(labels, n_classes):
    """Count the labels that are no place in a row of n_classes numbers."""
    wrong = 0
    for i in range(labels.size):
        wrong += labels[i] < 0 or labels[i] >= n_classes
    return wrong


@_jit
def _without_probability(targets):
    wrong = 0
    for i in range(targets.shape[0]):
        for j in range(targets.shape[1]):
            wrong += not (targets[i, j] >= 0.0 and targets[i, j] <= 1.0)
    return wrong


@_jit_any_order
def _squares(values):
    total = values.dtype.type(0.0)
    for i in range(values.size):
        total += values[i] * values[i]
    return total


@_jit
def _level(flat, x, widths, offsets, L):
    """Cut level L out of a tape's flat buffer; level 0 is x itself."""
    if L == 0:
        return x
    n_rows, start = x.shape[0], offsets[L - 1]
    return flat[start : start + n_rows * widths[L]].reshape(n_rows, widths[L])


@_jit
def _linear_forward(theta, step, z_in, z_out):
    n_in, n_out = z_in.shape[1], z_out.shape[1]
    weight = theta[step[WEIGHT] : step[WEIGHT] + n_out * n_in]
    if n_out == 1:
        np.dot(z_in, weight, z_out.reshape(-1))
    else:
        np.dot(z_in, weight.reshape(n_out, n_in).T, z_out)
    if step[BIAS] >= 0:
        bias = theta[step[BIAS] : step[BIAS] + n_out]
        for i in range(z_out.shape[0]):
            for j in range(n_out):
                z_out[i, j] += bias[j]


@_jit
def _linear_backward(theta, step, delta_out, delta_in):
    n_in, n_out = delta_in.shape[1], delta_out.shape[1]
    weight = theta[step[WEIGHT] : step[WEIGHT] + n_out * n_in].reshape(n_out, n_in)
    np.dot(delta_out, weight, delta_in)


@_jit
def _linear_gradient(step, z_in, delta_out, grad):
    n_in, n_out = z_in.shape[1], delta_out.shape[1]
    part = grad[step[WEIGHT] : step[WEIGHT] + n_out * n_in]
    if n_out == 1:
        np.dot(z_in.T, delta_out.reshape(-1), part)
    else:
        np.dot(delta_out.T, z_in, part.reshape(n_out, n_in))
    if step[BIAS] >= 0:
        bias = grad[step[BIAS] : step[BIAS] + n_out]
        bias[:] = 0.0
        for i in range(delta_out.shape[0]):
            for j in range(n_out):
                bias[j] += delta_out[i, j]


@_jit
def _activate(kind, z_in, z_out):
    if kind == RELU:
        for i in range(z_in.size):
            z = z_in[i]
            z_out[i] = z if z > 0.0 or z != z else z * 0.0  # nan stays nan, as in np.maximum
    elif kind == TANH:
        for i in range(z_in.size):
            z_out[i] = math.tanh(z_in[i])
    elif kind == SIGMOID:
        one = z_in.dtype.type(1.0)
        for i in range(z_in.size):
            small = math.exp(-abs(z_in[i]))
            z_out[i] = (one if z_in[i] >= 0.0 else small) / (one + small)
    else:
        for i in range(z_in.size):
            z_out[i] = z_in[i]


@_jit
def _activate_backward(kind, z_in, z_out, delta_out, delta_in):
    one = z_in.dtype.type(1.0)
    if kind == RELU:
        for i in range(z_in.size):
            delta_in[i] = delta_out[i] if z_in[i] > 0.0 else delta_out[i] * 0.0
    elif kind == TANH:
        for i in range(z_in.size):
            delta_in[i] = delta_out[i] * ((one - z_out[i]) * (one + z_out[i]))
    elif kind == SIGMOID:
        for i in range(z_in.size):
            small = math.exp(-abs(z_in[i]))
            delta_in[i] = delta_out[i] * (small / ((one + small) * (one + small)))
    else:  # IDENTITY and JOIN
        for i in range(z_in.size):
            delta_in[i] = delta_out[i]


@_jit
def _cross_entropy(z, labels, smoothing, loss):
    """loss = ∑_k q_k (z_m - z_k) + log1p(∑_{j≠m} e^{z_j - z_m}), m the place of the maximum."""
    n_classes = z.shape[1]
    for i in range(z.shape[0]):
        m = _argmax(z[i])
        top = z[i, m]
        rest = z.dtype.type(0.0)
        below = z.dtype.type(0.0)
        for j in range(n_classes):
            below += top - z[i, j]
            if j != m:
                rest += math.exp(z[i, j] - top)
        expected = top - z[i, labels[i]]
        if smoothing != 0.0:
            expected = (1.0 - smoothing) * expected + smoothing * (below / n_classes)
        loss[i] = expected + math.log1p(rest)


@_jit
def _cross_entropy_delta(z, labels, smoothing, delta):
    """δ_k = π_k - q_k, with π_y - 1 computed as -∑_{j≠y} π_j."""
    n_classes = z.shape[1]
    one = z.dtype.type(1.0)
    for i in range(z.shape[0]):
        m, y = _argmax(z[i]), labels[i]
        rest = z.dtype.type(0.0)
        for j in range(n_classes):
            if j != m:
                delta[i, j] = math.exp(z[i, j] - z[i, m])
                rest += delta[i, j]
        others = rest if y == m else one + (rest - delta[i, y])
        delta[i, m] = one
        delta[i, y] = -others
        for j in range(n_classes):
            delta[i, j] /= one + rest
        if smoothing != 0.0:
            delta[i, y] += smoothing
            for j in range(n_classes):
                delta[i, j] -= smoothing / n_classes


@_jit
def _argmax(row):
    """Find the first maximum; a nan counts as one, as in np.argmax, so that it is not lost."""
    m = 0
    for j in range(row.size):
        if row[j] != row[j]:
            return j
        if row[j] > row[m]:
            m = j
    return m


@_jit
def _bce_with_logits(z, targets, loss):
    """loss = ∑_k (1 - y) max(z, 0) + y max(-z, 0) + log1p(e^(-|z|))."""
    zero, one = z.dtype.type(0.0), z.dtype.type(1.0)
    for i in range(z.shape[0]):
        total = zero
        for j in range(z.shape[1]):
            wrong = one - targets[i, j] if z[i, j] > zero else targets[i, j]
            total += wrong * abs(z[i, j]) + math.log1p(math.exp(-abs(z[i, j])))
        loss[i] = total


@_jit
def _bce_with_logits_delta(z, targets, delta):
    """δ = (1 - y) sigm(z) - y sigm(-z)."""
    one = z.dtype.type(1.0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            y = targets[i, j]
            small = math.exp(-abs(z[i, j]))
            right = one if z[i, j] >= 0.0 else small
            wrong = small if z[i, j] >= 0.0 else one
            delta[i, j] = ((one - y) * right - y * wrong) / (one + small)
