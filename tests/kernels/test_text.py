"""Compiled words, hashes, counts and tf-idf against Python's own."""

import math
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpass.data.words import (
    LONGEST_NAME,
    N_BUCKETS,
    N_PLACES,
    BucketNames,
    Entries,
    count_words,
    missing_texts,
)
from backpass.kernels.text import tfidf, word_hash

MIXED = st.characters(
    codec="utf-8", categories=("L", "M", "N", "P", "Z", "S", "C"), exclude_characters="\x00"
)
CELLS = st.lists(st.one_of(st.none(), st.text(MIXED), st.text("ab _ΣİßÅ1.-\n𝔘中", max_size=30)))


def python_hash(word):
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor % 2**64
    return value ^ value >> 33


def bucket(word):
    return python_hash(word) % N_BUCKETS


def python_counts(cells):
    """Return, for every cell, how often each place occurs."""
    counted = []
    for cell in cells:
        words = re.findall(r"\w\w+", (cell or "").lower())
        counted.append(Counter(1 + bucket(word) for word in words))
        if missing_texts(pa.array([cell], pa.string()))[0]:
            counted[-1][0] = 1
    return counted


def as_counters(entries, n_texts=1):
    rows = []
    for first, last in zip(entries.ends, entries.ends[1:], strict=False):
        places = entries.places[first:last].tolist()
        assert places == sorted(set(places)) and all(p < n_texts * N_PLACES for p in places)
        rows.append(Counter(dict(zip(places, entries.values[first:last].tolist(), strict=True))))
    return rows


@given(st.text(MIXED, max_size=20))
def test_hashes(word):
    text = np.frombuffer(word.encode(), np.uint8)
    assert int(word_hash(text, 0, len(text))) == python_hash(word)


def test_the_hash_is_the_one_that_model_files_were_written_with():
    assert [bucket(word) for word in ("free", "ζωή", "x" * 100)] == [189150, 56575, 256157]


@given(CELLS)
def test_words_and_counts_are_those_of_re(cells):
    found = count_words([pa.chunked_array([cells], pa.string())], [None])
    assert as_counters(found) == python_counts(cells)


@given(st.lists(st.tuples(st.text("ab c", max_size=9), st.none() | st.text("ab c", max_size=9))))
def test_text_columns_stand_side_by_side(rows):
    columns = [[row[j] for row in rows] for j in range(2)]
    found = count_words([pa.chunked_array([cells], pa.string()) for cells in columns], [None] * 2)
    one, two = (python_counts(cells) for cells in columns)
    moved = [Counter({place + N_PLACES: n for place, n in row.items()}) for row in two]
    assert as_counters(found, 2) == [a + b for a, b in zip(one, moved, strict=True)]


@pytest.mark.parametrize("piece", [1, 40, 1 << 20])
def test_pieces_of_any_size_give_the_same(monkeypatch, piece):
    monkeypatch.setattr("backpass.data.words._PIECE", piece)
    cells = ["Für Elise, für 2 Hände", None, "", "a b c", "ΟΔΟΣ ΟΔΟΣ", "x\ny zz"] * 7
    chunks = pa.chunked_array([cells[:11], cells[11:13], [], cells[13:]], pa.string())
    names = BucketNames()
    assert as_counters(count_words([chunks], [names])) == python_counts(cells)
    assert sorted(names.named()[1]) == sorted(["für", "elise", "hände", "οδος", "zz"])


def test_a_bucket_is_called_by_the_word_that_fills_most_of_it():
    words = [f"w{i}" for i in range(20_000)]
    by_bucket = {}
    for word in words:
        by_bucket.setdefault(bucket(word), []).append(word)
    shared = [pair for pair in by_bucket.values() if len(pair) == 2][:50]
    assert len(shared) == 50
    # 3 of one against 2 of the other, in every order of coming
    rng = np.random.default_rng(0)
    stream = [word for one, two in shared for word in [one] * 3 + [two] * 2]
    names = BucketNames()
    count_words([pa.chunked_array([rng.permutation(stream).tolist()])], [names])
    buckets, called = names.named()
    assert dict(zip(buckets, called, strict=True)) == {
        bucket(one): f"{one}, …" for one, _ in shared
    }


def test_long_words_keep_names_apart():
    long = "é" * LONGEST_NAME  # two bytes each; a name ends where a character does
    names = BucketNames()
    count_words([pa.chunked_array([[long + "a", long + "b", "ab"]])], [names])
    assert sorted(names.named()[1]) == sorted(
        ["ab", *(f"{'é' * (LONGEST_NAME // 2)}…#{bucket(long + end)}" for end in "ab")]
    )


def test_cells_that_are_no_texts_are_read_as_they_are_written():
    numbers = count_words([pa.chunked_array([[12, 7, None, 345]])], [None])
    assert as_counters(numbers) == python_counts(["12", "7", None, "345"])
    floats = count_words([pa.chunked_array([[12.0, 2.25, float("nan")]])], [None])
    assert as_counters(floats) == python_counts(["12", "2.25", None])
    flags = count_words([pa.chunked_array([[True, None]])], [None])
    assert as_counters(flags) == python_counts(["true", None])


def test_tfidf():
    n_places = 5
    to = np.array([0, 3, -1, 2, 1, -1, 4, 5, -1, 6], np.int32)
    idf = np.array([0.0, 1.5, 0.0, 2.0, 1.1, 0.0, 3.0, 1.2, 0.0, 1.0])
    rows = [{1: 2, 2: 9, 4: 1, 6: 3, 9: 1}, {}, {0: 1, 5: 1}, {2: 4}, {0: 1, 7: 5}]
    places = np.array([place for row in rows for place in sorted(row)], np.int32)
    counts = np.array([row[place] for row in rows for place in sorted(row)], np.int32)
    ends = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    out_ends, columns = np.full(len(ends), -1), np.full(len(places), -1, np.int32)
    values = np.full(len(places), np.nan)
    done = tfidf(ends, places, counts, to, idf, n_places, out_ends, columns, values)
    for i, row in enumerate(rows):
        expected = {}
        for group in (0, 1):
            own = {p: n for p, n in row.items() if p // n_places == group and to[p] >= 0}
            raw = {p: (1.0 + math.log(n)) * idf[p] for p, n in own.items()}
            length = math.sqrt(sum(v * v for v in raw.values()))
            expected |= {int(to[p]): v / length if idf[p] else 1.0 for p, v in raw.items()}
        part = slice(out_ends[i], out_ends[i + 1])
        got = dict(zip(columns[part].tolist(), values[part].tolist(), strict=True))
        assert got == pytest.approx(expected, rel=1e-15)
    assert done == out_ends[-1] == 7


def test_rows_are_taken():
    entries = Entries(np.array([0, 2, 2, 5]), np.arange(5, dtype=np.int32), np.arange(5))
    kept = entries.take(np.array([False, True, True]))
    assert (kept.ends.tolist(), kept.places.tolist(), kept.n_rows) == ([0, 0, 3], [2, 3, 4], 2)
