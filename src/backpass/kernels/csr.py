"""Products with rows in CSR form: what NumPy cannot do, and SciPy does through a call or copy more.

indptr (m + 1,), indices and data (entries,): entry e of row i has indptr[i] <= e < indptr[i + 1].
SciPy's products are the definition; tests hold the two together.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def csr_times(indptr, indices, data, weight, out):
    """Fill out (m, k) with X W for W (d, k)."""
    if out.shape[1] == 1:  # a sum in a register: half the time of adding to memory
        for i in range(out.shape[0]):
            total = 0.0
            for e in range(indptr[i], indptr[i + 1]):
                total += data[e] * weight[indices[e], 0]
            out[i, 0] = total
        return
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            for j in range(out.shape[1]):
                out[i, j] += data[e] * weight[indices[e], j]


@_jit
def csr_pull(indptr, indices, data, delta, out):
    """Add Xᵀ δ, δ (m, k), to out (d, k)."""
    if out.shape[1] == 1:
        for i in range(delta.shape[0]):
            here = delta[i, 0]
            for e in range(indptr[i], indptr[i + 1]):
                out[indices[e], 0] += data[e] * here
        return
    for i in range(delta.shape[0]):
        for e in range(indptr[i], indptr[i + 1]):
            for j in range(delta.shape[1]):
                out[indices[e], j] += data[e] * delta[i, j]


@_jit
def csr_gram(indptr, indices, data, inverse_scale, weight, ones, out):
    """Add half of ∑ weight_i x̃_i x̃_iᵀ to out (d̃, d̃): the sum is out + outᵀ. Any weights will do.

    x̃ = (x · inverse_scale, 1). Only pairs of entries that are there are visited: for 14 entries in
    108 columns, 1 pair in 60. Each is added once, above or below the diagonal as the row has it.
    """
    last = out.shape[0] - 1
    most = 0
    for i in range(weight.size):
        most = max(most, indptr[i + 1] - indptr[i])
    seen = np.empty(most)
    for i in range(weight.size):
        first, n_entries = indptr[i], indptr[i + 1] - indptr[i]
        for e in range(n_entries):
            a = indices[first + e]
            seen[e] = data[first + e] * inverse_scale[a]
            here = weight[i] * seen[e]
            for f in range(e):
                out[a, indices[first + f]] += here * seen[f]
            out[a, a] += 0.5 * here * seen[e]
            if ones:
                out[last, a] += here
        if ones:
            out[last, last] += 0.5 * weight[i]


@_jit
def csr_norms(indptr, indices, data, inverse_scale, out):
    """Fill out (m,) with ‖x_i · inverse_scale‖²."""
    for i in range(out.size):
        out[i] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            seen = data[e] * inverse_scale[indices[e]]
            out[i] += seen * seen


@_jit
def csr_dense_cross(indptr, indices, data, inverse_scale, weight, wide, out):
    """Add ∑ weight_i (x_i · inverse_scale) wide_iᵀ to out (d, p), wide (m, p)."""
    for i in range(weight.size):
        for e in range(indptr[i], indptr[i + 1]):
            a = indices[e]
            seen = weight[i] * data[e] * inverse_scale[a]
            for j in range(wide.shape[1]):
                out[a, j] += seen * wide[i, j]


@_jit
def csr_csr_cross(
    indptr, indices, data, inverse_scale, weight, indptr_b, indices_b, data_b, inverse_scale_b, out
):
    """Add ∑ weight_i (a_i · inverse_scale) (b_i · inverse_scale_b)ᵀ to out (d_a, d_b).

    Where a row has one 1 in each, as two categorical columns have, it is a weighted cross-table.
    """
    for i in range(weight.size):
        for e in range(indptr[i], indptr[i + 1]):
            a = indices[e]
            seen = weight[i] * data[e] * inverse_scale[a]
            for f in range(indptr_b[i], indptr_b[i + 1]):
                b = indices_b[f]
                out[a, b] += seen * data_b[f] * inverse_scale_b[b]


@_jit
def csr_forms(indptr, indices, data, inverse_scale, matrix, cross, wide, out):
    """Add s_iᵀ M s_i + 2 s_iᵀ C wide_i to out (m,), s_i = x_i · inverse_scale.

    matrix: M (d, d) or larger, symmetric; cross: C (d, p); wide: (m, p).
    """
    for i in range(out.size):
        for e in range(indptr[i], indptr[i + 1]):
            a = indices[e]
            seen = data[e] * inverse_scale[a]
            total = seen * matrix[a, a]
            for f in range(indptr[i], e):
                b = indices[f]
                total += 2.0 * data[f] * inverse_scale[b] * matrix[a, b]
            for j in range(wide.shape[1]):
                total += 2.0 * cross[a, j] * wide[i, j]
            out[i] += seen * total


@_jit
def csr_moments(indptr, indices, data, weight, unit, mean, squares):
    """Fill unit (d,) with max |x|, or 1, and add ∑ w x / unit to mean, ∑ w (x / unit)² to squares.

    Divided by its largest value first, a column of 1e200 or 1e-200 can be squared.
    """
    for e in range(indptr[0], indptr[-1]):
        unit[indices[e]] = max(unit[indices[e]], abs(data[e]))
    for j in range(unit.size):
        if unit[j] == 0.0:
            unit[j] = 1.0
    for i in range(weight.size):
        for e in range(indptr[i], indptr[i + 1]):
            seen = data[e] / unit[indices[e]]
            mean[indices[e]] += weight[i] * seen
            squares[indices[e]] += weight[i] * seen * seen


@_jit
def has_duplicates(indptr, indices, n_columns):
    """Whether any row holds two entries in one column; indices need not ascend."""
    last_row = np.full(n_columns, -1)
    for i in range(indptr.size - 1):
        for e in range(indptr[i], indptr[i + 1]):
            if last_row[indices[e]] == i:
                return True
            last_row[indices[e]] = i
    return False
