"""Some rows at one place of the likelihood, and what inference makes of each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """Some rows at one β.

    wide: x̃, (n, p), in the thread's scratch memory. proba: (n, k), the base class first.
    truth: (n, k), 1 for the row's class; where two classes were counted, the share of each.
    weight: (n,).
    """

    places: slice
    wide: Matrix
    proba: Matrix
    truth: Matrix
    weight: Vector

    @cached_property
    def residual(self) -> Matrix:
        """Return y - π over the classes other than the base, (n, m)."""
        if self.proba.shape[1] == 2:
            rest = self.proba[:, ::-1]
        else:
            rest = (self.proba * (1.0 - self.truth)).sum(axis=1, keepdims=True)
        # 1 - π would cancel where π is near 1
        return (self.truth * rest - (1.0 - self.truth) * self.proba)[:, 1:]

    @cached_property
    def own(self) -> NDArray[np.intp]:
        """Return the row's class that each class is compared with, (n, k), by place in proba.

        With two classes that is the other one: a row that counts both is compared both ways.
        """
        n, k = self.truth.shape
        place = np.array([[1, 0]]) if k == 2 else self.truth.argmax(axis=1)[:, None]
        return np.broadcast_to(place, (n, k))

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Mark the classes, (n, k), that a row of weight and of some x̃ is compared with."""
        has_own = np.take_along_axis(self.truth, self.own, axis=1) > 0.0
        others = has_own & (np.arange(self.truth.shape[1]) != self.own)
        return others & ((self.weight > 0.0) & np.any(self.wide != 0.0, axis=1))[:, None]

    @cached_property
    def variance(self) -> Matrix:
        """Return the mean of (y - π)(y - π)ᵀ within each row, (n, m, m).

        One of a row with one label; a row of counts has y(1 - y) beside it, for its two labels.
        """
        r, t = self.residual, self.truth[:, 1:]
        pairs = r[:, :, None] * r[:, None, :] - t[:, :, None] * t[:, None, :]
        places = np.arange(t.shape[1])
        pairs[:, places, places] += t
        return pairs

    @cached_property
    def bend(self) -> Matrix:
        """Return diag(π) - π πᵀ over the classes other than the base, (n, m, m)."""
        pi = self.proba[:, 1:]
        bend = -pi[:, :, None] * pi[:, None, :]
        places = np.arange(pi.shape[1])
        bend[:, places, places] = pi * (1.0 - pi)
        return bend

    def forms(self, matrix: Matrix) -> Matrix:
        """Return x̃ᵀ M_ab x̃ for every row and pair of contrasts, (n, m, m). matrix: (m·p, m·p)."""
        n, p = self.wide.shape
        m = self.proba.shape[1] - 1
        blocks = matrix.reshape(m, p, m, p)
        out = np.empty((n, m, m))
        for a in range(m):
            for b in range(a + 1):
                out[:, a, b] = np.einsum("ij,ij->i", self.wide @ blocks[a, :, b], self.wide)
                out[:, b, a] = out[:, a, b]
        return out
