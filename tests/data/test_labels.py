"""Labels: words to classes and back, and rows held out by class."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from backpass.data.errors import DataError
from backpass.data.labels import label_values, places_of
from backpass.data.split import stratified_split


def words(*texts):
    return pa.chunked_array([pa.array(texts, pa.string())])


def test_whole_numbers_become_numbers_and_all_else_stays_text():
    assert label_values(["1", "0", "1.0"], 3, "y").tolist() == [1, 0, 1]
    assert label_values(["1", "0", "x"], 3, "y").tolist() == ["1", "0", "x"]
    large = ("900719925474099301", "900719925474099302")  # one float, two labels
    assert label_values(list(large), len(large), "y").tolist() == [int(text) for text in large]
    assert label_values(["0.5", "1.5"], 2, "y").tolist() == ["0.5", "1.5"]


def test_targets_that_are_no_classes_are_refused():
    with pytest.raises(DataError, match="column 'y': has one class only, 'a'; a classifier needs"):
        label_values(["a"], 2, "y")
    with pytest.raises(DataError, match="column 'y': has no labels"):
        label_values([], 0, "y")
    with pytest.raises(DataError, match=r"has 40 values in 40 rows \('0.5', '1.5', '2.5' and 37"):
        label_values([f"{i}.5" for i in range(40)], 40, "y")


def test_labels_find_their_places():
    places, note = places_of(words("b", "a", "b"), np.array(["a", "b"]), "y")
    assert (places.tolist(), note) == ([1, 0, 1], None)
    places, note = places_of(words("1.0", "0"), np.array([0, 1]), "y")
    assert (places.tolist(), note) == ([1, 0], None)
    places, _ = places_of(words("1.0", "x"), np.array(["1.0", "x"]), "y")
    assert places.tolist() == [0, 1]


def test_a_full_stop_after_every_label_is_taken_off_and_said():
    places, note = places_of(words(">50K.", "<=50K."), np.array(["<=50K", ">50K"]), "income")
    assert places.tolist() == [1, 0]
    assert note is not None and "labels end with a full stop here ('>50K.', '<=50K.')" in note


def test_strangers_are_refused_with_both_sets():
    message = "'y': has the labels 'a', 'c', the model knows 'a', 'b'; 'c' is none of them"
    with pytest.raises(DataError, match=message):
        places_of(words("a", "c"), np.array(["a", "b"]), "y")
    with pytest.raises(DataError, match=r"'c\.' is none of them"):
        places_of(words("a.", "c."), np.array(["a", "b"]), "y")


def test_rows_are_held_out_by_class_and_seed():
    y = np.repeat([0, 1, 2, 3], [100, 50, 3, 1])
    kept, held = stratified_split(y, 0.2, seed=0)
    assert np.bincount(y[held], minlength=4).tolist() == [20, 10, 1, 0]
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(y)))
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()
    np.testing.assert_array_equal(stratified_split(y, 0.2, seed=0)[1], held)
    assert not np.array_equal(stratified_split(y, 0.2, seed=1)[1], held)
    assert len(stratified_split(y, 0.0, seed=0)[1]) == 0
    # every class keeps a row to be fitted on, whatever the share
    assert set(y[stratified_split(y, 0.99, seed=0)[0]]) == {0, 1, 2, 3}
