"""Rows with words in them: numbers and categories as in `mixed.py`, beside them tf-idf in CSR."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.data.mixed import MixedBlock, MixedRows
from backpass.data.rows import SparseBlock


class WordRows(MixedRows):
    """Numbers and categories, and after their columns those of words, wherever all are stored."""

    def __init__(self, plain: MixedRows, n_words: int) -> None:
        self.plain = plain
        n_columns = plain.n_columns + n_words
        super().__init__(plain.n_rows, replace(plain.columns, n_columns=n_columns))

    def read(self, places: slice) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        return self.plain.read(places)

    @abstractmethod
    def words(self, places: slice) -> sparse.csr_array:
        """Return the tf-idf of some rows, (m, n_words)."""

    def block(self, places: slice) -> MixedBlock:
        block = super().block(places)
        of_codes = block.entries
        shape = (len(block), self.plain.n_columns)
        codes = sparse.csr_array((of_codes.data, of_codes.indices, of_codes.indptr), shape=shape)
        rows = beside(codes, self.words(places))
        entries = SparseBlock(rows.indptr, rows.indices, rows.data, self.n_columns)
        return MixedBlock(block.numbers, block.numbers_at, entries)

    def refuse_nonfinite(self, places: slice) -> None:
        """There is nothing to refuse: encoded numbers are finite, and missing ones filled."""


class WordTable(WordRows):
    """The same in memory. found: the words' tf-idf, (n_rows, n_words)."""

    def __init__(self, plain: MixedRows, found: sparse.csr_array) -> None:
        super().__init__(plain, found.shape[1])
        self.found = found

    def words(self, places: slice) -> sparse.csr_array:
        return self.found[places]


def beside(left: sparse.csr_array, right: sparse.csr_array) -> sparse.csr_array:
    """Put the columns of two arrays next to each other."""
    if not left.shape[1]:
        return right
    both = sparse.hstack([left, right], format="csr")
    both.indices = both.indices.astype(np.int32, copy=False)
    both.indptr = both.indptr.astype(np.int64, copy=False)
    return both
