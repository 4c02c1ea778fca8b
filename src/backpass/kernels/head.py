"""A linear model's rows: from logits to cost, δ and bend, and rows as a curvature wants them.

The bend of a row is ∂²loss/∂z², the weight that the row has in the curvature. One visit makes all
three from one exponential. The losses (`losses/`) are the definition; tests hold the two together.
Everything that the functions call stands in this file, since Numba's disk cache looks at no other.
"""

from __future__ import annotations

import math

from numba import njit

# Sums may be added in any order here: which order is fixed by the machine code, not by threads.
_jit = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
RUN = 512  # rows whose factors 1 + e are multiplied before a logarithm: 2^512 is a float64


@_jit
def logistic_head(z, small, y, weight, delta, bend):
    """Return ∑ w log(1 + e^z) - w y z; fill δ = w (sigm(z) - y) and bend = w sigm(z) sigm(-z).

    z, y, delta, bend: (n,). small: (n,), e^(-|z|), which NumPy computes eight at a time. weight:
    (n,), or empty where all are 1; then ∑ log(1 + small) is the logarithm of a product, one call
    per RUN rows, to within 512 rounding errors of a single one: 6e-14 of a nat.
    """
    cost = 0.0
    for start in range(0, z.size, RUN):
        stop = min(start + RUN, z.size)
        product, linear = 1.0, 0.0
        for i in range(start, stop):
            q = 1.0 / (1.0 + small[i])
            right = q if z[i] >= 0.0 else small[i] * q
            wrong = small[i] * q if z[i] >= 0.0 else q
            delta[i] = (1.0 - y[i]) * right - y[i] * wrong
            bend[i] = small[i] * q * q
            above = (1.0 - y[i]) * z[i] if z[i] >= 0.0 else -y[i] * z[i]
            if weight.size:
                linear += weight[i] * (above + math.log1p(small[i]))
                delta[i] *= weight[i]
                bend[i] *= weight[i]
            else:
                linear += above
                product *= 1.0 + small[i]
        cost += linear + math.log(product)
    return cost


@_jit
def softmax_head(z, y, weight, delta, proba):
    """Return ∑ w (log ∑_j e^{z_j} - z_y); fill δ = w (π - [k = y]) and π.

    z: (n, k), row maxima taken off; y: (n,) classes; delta, proba: (n, k), e^z in proba already
    (NumPy takes exponentials faster); weight: (n,), or empty where all are 1.
    """
    cost = 0.0
    n_classes = z.shape[1]
    for i in range(z.shape[0]):
        total = 0.0
        for j in range(n_classes):
            total += proba[i, j]
        w = weight[i] if weight.size else 1.0
        own = proba[i, y[i]]
        cost += w * (math.log(total) - z[i, y[i]])
        for j in range(n_classes):
            proba[i, j] /= total
            delta[i, j] = w * proba[i, j]
        delta[i, y[i]] = -w * ((total - own) / total)
    return cost


@_jit
def standardise(x, centre, inverse_scale, root, ones, out):
    """Fill out (m, d̃) with root_i · x̃_i, x̃ = ((x - centre) · inverse_scale, 1); return max ‖x̃_i‖².

    One visit; as NumPy calls it is four, and takes longer than the product that it is for.
    """
    longest = 0.0
    n_columns = x.shape[1]
    for i in range(x.shape[0]):
        norm = 1.0 if ones else 0.0
        for j in range(n_columns):
            seen = (x[i, j] - centre[j]) * inverse_scale[j]
            norm += seen * seen
            out[i, j] = seen * root[i]
        if ones:
            out[i, n_columns] = root[i]
        longest = max(longest, norm)
    return longest


@_jit
def softmax_bends(proba, weight, pairs):
    """Fill pairs (m, k (k + 1) / 2) with w (diag(π) - π πᵀ)_ab for a <= b.

    proba: π (m, k); weight: (m,), or empty where all are 1. As NumPy's three calls it took half the
    time of the product that it is for.
    """
    n_classes = proba.shape[1]
    for i in range(proba.shape[0]):
        w = weight[i] if weight.size else 1.0
        place = 0
        for a in range(n_classes):
            here = w * proba[i, a]
            pairs[i, place] = here - here * proba[i, a]
            place += 1
            for b in range(a + 1, n_classes):
                pairs[i, place] = -here * proba[i, b]
                place += 1
