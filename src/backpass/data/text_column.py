"""A column of free text: what is learned of its words, and the tf-idf of rows of such columns.

It is beside `columns.py` because words are sparse: a row has some tens of them, a column of text
some tens of thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from backpass.data import document
from backpass.data.cells import Kind
from backpass.data.words import N_BUCKETS, N_PLACES, READING, Entries
from backpass.kernels.text import tfidf


@dataclass(frozen=True)
class Text:
    """A column of free text, one encoded column for every bucket of words seen at the fit.

    buckets, ascending, with what each is called and the number of rows with a word in it. mean and
    deviation: of each bucket's tf-idf. indicator: a further column tells where there is no text.
    """

    name: str
    buckets: tuple[int, ...]
    words: tuple[str, ...]
    documents: tuple[int, ...]
    n_documents: int
    n_missing: int
    indicator: bool
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    @property
    def kind(self) -> Kind:
        """Say how a file's cells are to be read."""
        return "words"

    @property
    def coef_names(self) -> list[str]:
        """Name the encoded columns."""
        return [f"{self.name} (missing)"] * self.indicator + [
            f"{self.name}[{word}]" for word in self.words
        ]

    def means(self, n_rows: int) -> list[float]:
        """Mean of each encoded column."""
        return [self.n_missing / n_rows] * self.indicator + list(self.mean)

    def scales(self, n_rows: int) -> list[float]:
        """Standard deviation of each encoded column."""
        share = self.n_missing / n_rows
        return [float(np.sqrt(share * (1.0 - share)))] * self.indicator + list(self.deviation)

    @cached_property
    def columns(self) -> NDArray[np.int32]:
        """Say which encoded column each place leads to, (N_PLACES,), -1 for none."""
        to = np.full(N_PLACES, -1, np.int32)
        to[0] = 0 if self.indicator else -1
        to[np.array(self.buckets) + 1] = self.indicator + np.arange(len(self.buckets))
        return to

    @cached_property
    def idf(self) -> NDArray[np.float64]:
        """Weigh each place, (N_PLACES,): log((1 + n) / (1 + documents)) + 1, as scikit-learn does.

        0 for the place that marks missing texts, and for words that were not seen.
        """
        weight = np.zeros(N_PLACES)
        counts = np.array(self.documents, dtype=np.float64)
        weight[np.array(self.buckets) + 1] = np.log((1.0 + self.n_documents) / (1.0 + counts)) + 1.0
        return weight

    def to_document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "reading": READING,
            "name": self.name,
            "buckets": list(self.buckets),
            "words": list(self.words),
            "documents": list(self.documents),
            "n_documents": self.n_documents,
            "n_missing": self.n_missing,
            "indicator": self.indicator,
            "mean": list(self.mean),
            "deviation": list(self.deviation),
        }

    @classmethod
    def from_document(cls, plain: Any, where: str) -> Text:
        """Read what `to_document` returned; DocumentError where anything differs."""
        got = document.fields(
            plain,
            where,
            kind=document.one_of("words"),
            reading=document.one_of(READING),
            name=document.text,
            buckets=buckets,
            words=document.items(document.text),
            documents=document.items(document.count),
            n_documents=document.count,
            n_missing=document.count,
            indicator=document.flag,
            mean=document.items(document.number),
            deviation=document.items(document.number),
        )
        del got["kind"], got["reading"]
        lists = ("words", "documents", "mean", "deviation")
        if any(len(got[name]) != len(got["buckets"]) for name in lists) or not got["buckets"]:
            raise document.DocumentError(f"{where}.buckets needs one of each of {list(lists)}.")
        if not 1 <= min(got["documents"]) <= max(got["documents"]) <= got["n_documents"]:
            raise document.DocumentError(f"{where}.documents are 1 to n_documents each.")
        if min(got["deviation"]) < 0.0:
            raise document.DocumentError(f"{where}.deviation holds a number below 0.")
        return cls(**got)


def buckets(plain: Any, where: str) -> tuple[int, ...]:
    """Check for buckets, each once and in order."""
    found = document.items(document.count)(plain, where)
    ends = (-1, *found, N_BUCKETS)
    if any(one >= other for one, other in pairwise(ends)):
        raise document.DocumentError(f"{where} are not below {N_BUCKETS:,} and in order.")
    return found


def text_from(
    name: str,
    called: dict[int, str],
    counts: NDArray[np.int64],
    n_rows: int,
    indicator: bool,
) -> Text | str:
    """Make a text's column, or say why it is of no use.

    called: what buckets are called. counts: the rows that have each place, (N_PLACES,).
    """
    there = np.flatnonzero(counts[1:])
    n_missing = int(counts[0])
    if not len(there):
        return "no words"
    return Text(
        name,
        tuple(there.tolist()),
        tuple(called[bucket] for bucket in there.tolist()),
        tuple(counts[there + 1].tolist()),
        n_rows - n_missing,
        n_missing,
        indicator and n_missing > 0,
    )


class TextRows:
    """Turns counts of words into tf-idf, for some text columns side by side.

    given: the columns in the order in which entries have them, None where the model does not use
    one. order: names in the order of the encoded columns; None for the same.
    """

    def __init__(self, given: Sequence[Text | None], order: Sequence[str] | None = None) -> None:
        used = {text.name: text for text in given if text is not None}
        leads, self.width = {}, 0
        for name in order or used:
            leads[name] = self.width
            self.width += len(used[name].coef_names)
        self._ascending = list(leads) == list(used)
        to = np.full((len(given), N_PLACES), -1, np.int32)
        idf = np.zeros((len(given), N_PLACES))
        for place, text in enumerate(given):
            if text is not None:
                own = text.columns
                to[place] = np.where(own < 0, -1, own + leads[text.name])
                idf[place] = text.idf
        self._to, self._idf = to.reshape(-1), idf.reshape(-1)

    def encoded(self, entries: Entries) -> sparse.csr_array:
        """Return the rows, (n_rows, width), sorted and without duplicates."""
        ends = np.empty_like(entries.ends)
        columns = np.empty(len(entries.places), np.int32)
        values = np.empty(len(entries.places))
        given = (entries.ends, entries.places, entries.values, self._to, self._idf, N_PLACES)
        done = tfidf(*given, ends, columns, values)
        shape = (entries.n_rows, self.width)
        rows = sparse.csr_array((values[:done], columns[:done], ends), shape=shape)
        if not self._ascending:
            rows.sort_indices()
        return rows
