"""Words of lower-case UTF-8 text, found, hashed and counted byte by byte; and tf-idf of the counts.

What a word is: `\\w\\w+` of Python's `re`, which is the definition; tests hold the two together.
Compiled because it is a loop over bytes, where Python takes a microsecond per word, and because
tf-idf is worked out anew at every reading of the rows.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def find_words(text, ends, is_word, starts, stops, hashes, last):
    """Find the words of two or more characters of every cell; return how many there are.

    Cell i is the bytes of `text` from ends[i] to ends[i + 1]. is_word: by code point, as far as
    there are any in the text. starts, stops, hashes: of each word, at most one per two bytes.
    last (n_cells + 1,): words last[i] to last[i + 1] are those of cell i.
    """
    found = 0
    last[0] = 0
    for cell in range(ends.size - 1):
        place, stop = ends[cell], ends[cell + 1]
        start, length = place, 0
        while place < stop:
            code, size = _code_point(text, place)
            if is_word[code]:
                length += 1
            else:
                found = _close(text, start, place, length, starts, stops, hashes, found)
                start, length = place + size, 0
            place += size
        found = _close(text, start, stop, length, starts, stops, hashes, found)
        last[cell + 1] = found
    return found


@_jit
def _code_point(text, place):
    """Return the character that begins here, and its number of bytes; the text is valid UTF-8."""
    lead = np.int64(text[place])
    if lead < 0x80:
        return lead, 1
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    code = lead & (0x7F >> size)
    for e in range(1, size):
        code = (code << 6) | (np.int64(text[place + e]) & 0x3F)
    return code, size


@_jit
def _close(text, start, stop, length, starts, stops, hashes, found):
    """Note the word that ends here, if it is one; return how many there are now."""
    if length < 2:
        return found
    starts[found], stops[found] = start, stop
    hashes[found] = word_hash(text, start, stop)
    return found + 1


@_jit
def word_hash(text, start, stop):
    """Return 64 bits for some bytes: FNV-1a, then MurmurHash3's last mixing.

    Bit k of FNV-1a depends on bits 0 to k of the bytes alone, and a bucket is its low bits; mixing
    makes them depend on all.
    """
    value = np.uint64(0xCBF29CE484222325)
    for place in range(start, stop):
        value = (value ^ np.uint64(text[place])) * np.uint64(0x100000001B3)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@_jit
def count_buckets(hashes, last, mask, lead, buckets, counts, ends):
    """Write each cell's buckets, ascending, with how often each occurs; return the entries.

    lead: added to every bucket. ends (n_cells + 1,): entries ends[i] to ends[i + 1] are cell i's.
    """
    done = 0
    ends[0] = 0
    for cell in range(last.size - 1):
        own = np.sort(hashes[last[cell] : last[cell + 1]] & mask)
        before = own.size  # no place in it
        for e in range(own.size):
            if before < own.size and own[before] == own[e]:
                counts[done - 1] += 1
            else:
                buckets[done], counts[done] = lead + np.int64(own[e]), 1
                done += 1
                before = e
        ends[cell + 1] = done
    return done


@_jit
def name_buckets(text, starts, stops, hashes, mask, owner, votes, shared, spelt, lengths):
    """Keep a word for every bucket: the one that fills more than half of it, where there is one.

    One word and one number a bucket are enough for that (Boyer & Moore 1981): the word's own
    occurrences count up, others down, and at 0 the next comer takes the place. owner: the hash of
    each bucket's word, votes: 0 where none came yet; shared: whether another one came. spelt
    (n_buckets, width): its bytes, as many as fit, of `lengths`.
    """
    width = spelt.shape[1]
    for word in range(hashes.size):
        value = hashes[word]
        place = value & mask
        if lengths[place] and owner[place] == value:
            votes[place] += 1
            continue
        shared[place] |= lengths[place] > 0
        if votes[place] > 0:
            votes[place] -= 1
            continue
        start, stop = starts[word], stops[word]
        owner[place], votes[place], lengths[place] = value, 1, stop - start
        for e in range(min(width, stop - start)):
            spelt[place, e] = text[start + e]


@_jit
def tfidf(ends, places, counts, to, idf, n_places, out_ends, columns, values):
    """Turn counts of rows into tf-idf: (1 + log count) · idf, each text column at length 1.

    Entry e of row i has ends[i] <= e < ends[i + 1]; places ascend. to: the column of each place, -1
    for words that the fit did not see; idf: its weight, 0 for the mark of a missing text, which
    becomes 1. Every text column has n_places places. Returns the number of entries.
    """
    done = 0
    out_ends[0] = 0
    for row in range(ends.size - 1):
        first, now, squares = done, -1, 0.0
        for e in range(ends[row], ends[row + 1]):
            place = places[e]
            if to[place] < 0:
                continue
            if place // n_places != now:
                _scale(values, first, done, squares)
                first, now, squares = done, place // n_places, 0.0
            columns[done] = to[place]
            if idf[place] == 0.0:
                values[done] = 1.0
                first = done + 1
            else:
                values[done] = (1.0 + math.log(counts[e])) * idf[place]
                squares += values[done] * values[done]
            done += 1
        _scale(values, first, done, squares)
        out_ends[row + 1] = done
    return done


@_jit
def _scale(values, first, stop, squares):
    length = math.sqrt(squares)
    for e in range(first, stop):
        values[e] /= length
