"""What a fit reads: rows in blocks, classes by number, weights; and how its columns spread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from scipy import sparse

from backpass.data.rows import DenseRows, Rows, SparseRows
from backpass.estimators.scaling import Spread, measure


@dataclass(frozen=True)
class Given:
    """Rows to fit to. y: classes by number, in memory or read where asked for (`RowValues`).

    For two classes y may also hold the share of the second in each row. weight: (n_rows,), None
    where all are 1. n_left_out: rows that had missing values. offset: (n_rows, n_outputs) or None.
    counted: whether y came as counts. Several fits may share it: columns are measured once.
    """

    rows: Rows
    y: Any
    weight: NDArray | None
    n_left_out: int = 0
    offset: NDArray | None = None
    counted: bool = False
    _spreads: dict[int, Spread] = field(default_factory=dict, repr=False, compare=False)

    def spread(self, stride: int) -> tuple[Spread, int]:
        """Return the spread of columns on every stride-th row, and how many rows that visited."""
        if stride in self._spreads:
            return self._spreads[stride], 0
        self._spreads[stride] = measure(self.rows, self.weight, stride)
        return self._spreads[stride], self.rows.count(stride)


def as_rows(X: Any) -> Rows:
    """Return an array or a CSR matrix as rows in blocks; rows as they are."""
    if isinstance(X, Rows):
        return X
    return SparseRows(X) if sparse.issparse(X) else DenseRows(X)
