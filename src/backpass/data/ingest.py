"""Rows of any source into a block store: numbers as float64, text as codes or as counts of words,
labels, weights.

For typed sources one reading does it. Text is read twice: what a column holds is known after a look
at all of its cells, and a guess from the first ones is how other readers turn 1.5 into 2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backpass.data.cells import Kind, Tally, to_kind
from backpass.data.columns import refuse_identifier
from backpass.data.errors import DataError, DataWarning
from backpass.data.sources import Chunk, Source
from backpass.data.store import ArrayWriter
from backpass.data.stored import WORDS, StoredColumn, StoredTable, StoredText, text_entries
from backpass.data.stored_entries import EntriesWriter
from backpass.data.values import as_words, holds_text, kind_of_type, number_values, refuse_unusable
from backpass.data.words import BucketNames, count_words

if TYPE_CHECKING:
    import pyarrow as pa

_MANY_LEVELS = 100_000  # a text column with more is asked early whether it names rows


def read_into_store(
    source: Source,
    folder: Path | None,
    *,
    target: str,
    weight: str | None,
    drop: Collection[str],
    categorical: Collection[str],
    text: Collection[str] = (),
    kinds: Mapping[str, Kind] | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> StoredTable:
    """Read a source to its end; rows without a label are left out, and counted.

    text: columns of free text, whose words are counted; `categorical` ones are categories.
    kinds: the columns to read, and how, where a model has learned it already; None: all but `drop`,
    by what they hold. on_rows: told how many rows were read so far.
    Raises DataError naming file, record and column.
    """
    weights = [] if weight is None else [weight]
    others: dict[str, Collection[str]] = {"target": [target], "weight": weights}
    others |= {"categorical": categorical, "drop": drop}
    asked = [name for names in others.values() for name in names]
    source.refuse_absent([*asked, *text, *(kinds or {})])
    refuse_two_readings(source.files[0], text, others)
    if kinds is None and source.header is not None and source.header.suspicion:
        suspicion = f"{source.files[0].name}: {source.header.suspicion}"
        warnings.warn(suspicion, DataWarning, stacklevel=2)
    wanted = [name for name in source.names if name not in set(drop)]
    if kinds is not None:
        wanted = [name for name in wanted if name in {*kinds, target, weight}]
    features = [name for name in wanted if name not in (target, weight)]
    if not features:
        raise DataError("no column is left beside the target.", file=source.files[0])
    found: dict[str, Kind]
    if kinds is not None:
        found = {**kinds, target: "text"} | ({} if weight is None else {weight: "number"})
    else:
        found = _kinds(source, wanted, {target, *categorical, *text}) if source.judged else {}
        found |= dict.fromkeys(text, "words")
    writer = _Writer(source, folder, features, target, weight, set(categorical), found)
    n_rows = 0
    for chunk in source.chunks(wanted):
        try:
            writer.append(chunk.table)
            n_rows += chunk.table.num_rows
            on_rows(n_rows)
        except DataError as error:
            raise error.further_on(chunk.record).in_file(chunk.file) from None
    return writer.finish()


def refuse_two_readings(
    file: Path, text: Collection[str], others: Mapping[str, Collection[str]]
) -> None:
    """Raise DataError where a column of free text is said to be something else too."""
    for said, names in others.items():
        both = [name for name in text if name in names]
        if both:
            raise DataError(
                f"it is both in text and in {said}; a column is read in one way.",
                file=file,
                column=both[0],
            )


def _kinds(source: Source, wanted: list[str], text: set[str]) -> dict[str, Kind]:
    """Say what each column of text cells holds, after a look at all of them."""
    judged = [name for name in wanted if name not in text]
    kinds: dict[str, Kind] = dict.fromkeys(text, "text")
    if not judged:
        return kinds
    tallies = {name: Tally() for name in judged}
    places: list[Chunk] = []
    before = 0
    for chunk in source.chunks(judged):
        for name in judged:
            tallies[name].add(chunk.table[name])
        if not places or places[-1].file != chunk.file:
            places.append(Chunk(chunk.table.slice(0, 0), chunk.file, before))
        before += chunk.table.num_rows
    for name, tally in tallies.items():
        try:
            kinds[name] = tally.verdict(name, source.reading.missing_values)
        except DataError as error:
            # The tally counts on from file to file.
            held = [p for p in places if error.record is None or p.record < error.record]
            raise error.further_on(-held[-1].record).in_file(held[-1].file) from None
    return kinds


class _Levels:
    """The different texts of a column, each with its code, in the order in which they came."""

    def __init__(self) -> None:
        self.code: dict[str, int] = {}
        self.own_order = False
        self.rows = 0

    def codes(self, cells: pa.ChunkedArray) -> NDArray[np.int32]:
        """Return the code of every cell, (m,), -1 where it is missing."""
        import pyarrow as pa

        if pa.types.is_dictionary(cells.type):
            self.own_order = True
            coded = cells.unify_dictionaries().combine_chunks()
            coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
            words = as_words(coded.dictionary).to_pylist()
            indices = coded.indices
        else:
            coded = as_words(cells).combine_chunks().dictionary_encode()
            words, indices = coded.dictionary.to_pylist(), coded.indices
        to = np.empty(len(words) + 1, dtype=np.int32)
        to[-1] = -1
        for place, word in enumerate(words):
            to[place] = -1 if word is None else self.code.setdefault(word, len(self.code))
        self.rows += len(cells) - cells.null_count
        return to[np.asarray(indices.fill_null(len(words)))]


class _Writer:
    """Takes tables and writes a store's arrays."""

    def __init__(
        self,
        source: Source,
        folder: Path | None,
        features: list[str],
        target: str,
        weight: str | None,
        categorical: set[str],
        kinds: dict[str, Kind],
    ) -> None:
        self.source, self.features, self.target, self.weight = source, features, target, weight
        self.folder, self.categorical, self.kinds = folder, categorical, kinds
        self.known = bool(kinds) and not source.judged
        self.kind: dict[str, Kind] = {}
        self.levels: dict[str, _Levels] = {}
        self.names: dict[str, BucketNames] = {}
        self.labels = _Levels()
        self.n_unlabelled = 0

    def append(self, table: pa.Table) -> None:
        """Write the labelled rows of a table; DataError counts records from its first row."""
        if not self.kind:
            self._settle(table)
        numbers: list[NDArray] = []
        codes: list[NDArray] = []
        texts: list[pa.ChunkedArray] = []
        for name in self.features:
            cells = self._typed(table[name], name)
            if self.kind[name] == "words":
                texts.append(cells)
            elif self.kind[name] == "text":
                codes.append(self.levels[name].codes(cells))
                self._refuse_identifier(name)
            else:
                numbers.append(_numbers(cells, name))
        weights = None if self.weight is None else self._weights(table[self.weight])
        labels = self.labels.codes(table[self.target])
        kept = labels >= 0
        self.n_unlabelled += int(np.count_nonzero(~kept))
        if weights is not None:
            self.weights.append(weights[kept])
        self.label_codes.append(labels[kept])
        for writer, columns in ((self.numbers, numbers), (self.codes, codes)):
            if columns:
                block = np.empty((int(kept.sum()), len(columns)), writer.dtype)
                for place, column in enumerate(columns):
                    block[:, place] = column[kept]
                writer.append(block)
        if texts:
            where = np.flatnonzero(kept)
            labelled = [cells.take(where) for cells in texts]
            counted = count_words(labelled, list(self.names.values()))
            self.words.append(np.diff(counted.ends), counted.places, counted.values)

    def _weights(self, cells: pa.ChunkedArray) -> NDArray[np.float64]:
        assert self.weight is not None
        typed = self._typed(cells, self.weight)
        if holds_text(typed) and typed.null_count < len(typed):
            word = typed.drop_null()[0].as_py()
            raise DataError(
                f"holds text such as '{word}'; weights are numbers, 0 or more.", column=self.weight
            )
        return checked_weights(_numbers(typed, self.weight), self.weight)

    def _typed(self, cells: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        if not self.source.judged:
            return cells
        return to_kind(cells, self.kinds[name], name, self.source.reading.missing_values)

    def _settle(self, table: pa.Table) -> None:
        """Learn from the first table what columns hold, and open the arrays."""
        self.kind = {name: self._kind(table[name], name) for name in self.features}
        kinds = list(self.kind.values())
        self.levels = {name: _Levels() for name, kind in self.kind.items() if kind == "text"}
        self.names = {name: BucketNames() for name, kind in self.kind.items() if kind == "words"}
        n_numbers = kinds.count("number") + kinds.count("boolean")
        self.numbers = ArrayWriter(self.folder, "numbers", np.float64, n_numbers)
        self.codes = ArrayWriter(self.folder, "codes", np.int32, len(self.levels))
        if self.names:
            self.words = EntriesWriter(self.folder, WORDS, np.int32)
        self.label_codes = ArrayWriter(self.folder, "labels", np.int32, 0)
        self.weights = ArrayWriter(self.folder, "weights", np.float64, 0)

    def _kind(self, cells: pa.ChunkedArray, name: str) -> Kind:
        """Say what a column holds: as is known, or by the type that its file states."""
        known = "text" if name in self.categorical else self.kinds.get(name)
        refuse_unusable(cells, name, declared=known in ("text", "words"))
        return known or kind_of_type(cells)

    def _refuse_identifier(self, name: str) -> None:
        """Refuse a column that names rows before its names fill the memory."""
        levels = self.levels[name]
        judged = not (name in self.categorical or levels.own_order or self.known)
        if judged and len(levels.code) > _MANY_LEVELS:
            refuse_identifier(name, levels.code, levels.rows)

    def finish(self) -> StoredTable:
        """Write what is left and return the store."""
        if not self.kind:
            raise DataError("has no rows.", file=self.source.files[0])
        return StoredTable(
            columns=tuple(self._column(name) for name in self.features),
            target=StoredColumn(self.target, "text", tuple(self.labels.code)),
            weight_name=self.weight,
            n_unlabelled=self.n_unlabelled,
            numbers=self.numbers.finish(),
            codes=self.codes.finish(),
            labels=self.label_codes.finish(),
            weights=None if self.weight is None else self.weights.finish(),
            folder=self.folder,
            missing_values=self.source.reading.missing_values,
            words=text_entries(self.words.finish(), len(self.names)) if self.names else None,
        )

    def _column(self, name: str) -> StoredColumn | StoredText:
        """Describe a column, now that all of its cells have passed."""
        kind = self.kind[name]
        if kind == "words":
            return StoredText(name, *self.names[name].named())
        if kind != "text":
            return StoredColumn(name, kind)
        levels, declared = self.levels[name], name in self.categorical
        own_order = levels.own_order and not declared
        return StoredColumn(name, "text", tuple(levels.code), own_order, declared)


def _numbers(cells: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    if pa.types.is_null(cells.type) or (holds_text(cells) and cells.null_count == len(cells)):
        return np.full(len(cells), np.nan)  # nothing but missing values so far
    return number_values(cells, name)


def checked_weights(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return a weight column; DataError names the first record whose weight is none."""
    wrong = ~(values >= 0.0)
    if wrong.any():
        record = int(wrong.argmax())
        came = "a missing weight" if np.isnan(values[record]) else f"{values[record]:g}"
        raise DataError(
            f"{came}; weights are numbers, 0 or more.",
            record=record + 1,
            column=name,
        )
    return values
