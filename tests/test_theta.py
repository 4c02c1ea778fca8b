"""The layout of θ: names, slices, views and the way back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpass.theta import Layout

shapes = st.dictionaries(
    st.text("abc.01", min_size=1, max_size=5),
    st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple),
    max_size=5,
)


@given(shapes)
def test_views_and_flatten_are_each_others_way_back(shapes):
    layout = Layout(shapes)
    theta = np.arange(float(layout.size))
    views = layout.views(theta)
    assert {name: view.shape for name, view in views.items()} == shapes
    np.testing.assert_array_equal(layout.flatten(views), theta)
    for view in views.values():
        view[...] = -1.0
    assert (theta == -1.0).all()  # the views cover θ, and they are no copies


@given(shapes)
def test_every_place_has_one_name(shapes):
    layout = Layout(shapes)
    theta = np.arange(float(layout.size))
    for place in range(layout.size):
        name, entry = layout.name_at(place)
        assert layout.views(theta)[name][entry] == place


def test_a_stack_is_cut_along_its_last_axis():
    layout = Layout({"w": (2, 3), "b": (2,)})
    stack = np.arange(24.0).reshape(3, 8)
    views = layout.views(stack)
    assert views["w"].shape == (3, 2, 3)
    np.testing.assert_array_equal(views["b"], stack[:, 6:])
    assert np.shares_memory(views["w"], stack)


@pytest.mark.parametrize("place", [-1, 8, 100])
def test_places_outside_are_refused(place):
    layout = Layout({"w": (2, 3), "b": (2,)})
    with pytest.raises(IndexError, match=rf"θ has 8 entries, asked for entry {place}"):
        layout.name_at(place)


def test_layouts_compare_and_survive_pickle():
    layout = Layout({"w": (2, 3)})
    again = pickle.loads(pickle.dumps(layout))
    assert again == layout
    assert again.slices == layout.slices
    assert Layout({"w": (3, 2)}) != layout
