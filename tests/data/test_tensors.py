"""A safetensors header is held to the file's size before anything is read or allocated."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from backpass.data import tensors
from backpass.data.document import DocumentError
from backpass.data.tensors import read_header


def write(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def row(begin, end, shape=None, dtype="F64"):
    shape = [(end - begin) // 8] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.safetensors"


def test_what_the_package_writes_is_read_to_the_bit(path):
    rng = np.random.default_rng(0)
    arrays = {"b": rng.normal(size=(3, 2)), "a": rng.normal(size=5), "none": np.empty((0, 4))}
    save_file(arrays, path, {"said": "é"})
    found = read_header(path)
    assert found.metadata == {"said": "é"}
    assert set(found.places) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found.read(name), values)
        assert found.read(name).dtype == np.float64


def test_numbers_that_are_not_finite_pass_where_they_may(path):
    save_file({"a": np.array([1.0, np.nan])}, path)
    assert np.isnan(read_header(path).read("a", finite=False)[1])
    with pytest.raises(DocumentError, match=r"a\[1\] is nan"):
        read_header(path).read("a")


BAD = {
    "longer than the file": (b"{}", b"", 2**62, "damaged or cut short"),
    "no text": (b"\xff\xfe", b"", None, "is damaged"),
    "no object": ([1], b"", None, "its header is no object"),
    "a name twice": (b'{"a": 1, "a": 1}', b"", None, "has a key twice"),
    "metadata of another kind": ({"__metadata__": [1]}, b"", None, "__metadata__ is a list"),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b"", None, "__metadata__ is 1"),
    "whole numbers": ({"a": row(0, 8, dtype="I64")}, bytes(8), None, "dtype is 'I64'"),
    "three axes": ({"a": row(0, 8, [1, 1, 1])}, bytes(8), None, "no row or table"),
    "an axis below 0": ({"a": row(0, 8, [-1])}, bytes(8), None, "shape\\[0\\] is -1"),
    "a product beyond 64 bits": (
        {"a": row(0, 8, [2**33, 2**33])},
        bytes(8),
        None,
        "another size than its shape",
    ),
    "an axis beyond 64 bits": ({"a": row(0, 8, [2**70])}, bytes(8), None, "expected a whole"),
    "one end": ({"a": {**row(0, 8), "data_offsets": [0]}}, bytes(8), None, "no row or table"),
    "a gap": ({"a": row(0, 8), "b": row(16, 24)}, bytes(24), None, "or leave a gap"),
    "an overlap": ({"a": row(0, 16), "b": row(8, 24)}, bytes(24), None, "overlap"),
    "too little": ({"a": row(0, 16)}, bytes(8), None, "ends elsewhere"),
    "too much": ({"a": row(0, 8)}, bytes(9), None, "ends elsewhere"),
    "backwards": ({"a": row(16, 8, [1])}, bytes(16), None, "another size than its shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_header_that_lies_is_refused(name, path):
    header, data, length, message = BAD[name]
    with pytest.raises(DocumentError, match=message):
        read_header(write(path, header, data, length))


def test_a_header_beyond_the_limit_is_not_read(path, monkeypatch):
    monkeypatch.setattr(tensors, "LONGEST_HEADER", 10)
    with pytest.raises(DocumentError, match="damaged or cut short"):
        read_header(write(path, {"a": row(0, 8)}, bytes(8)))


def test_what_is_no_file_is_not_waited_for(path, tmp_path):
    os.mkfifo(path)
    for place, kind in ((path, "a pipe or a device"), (tmp_path, "a folder")):
        with pytest.raises(DocumentError, match=f"^is {kind}, not a file"):
            read_header(place)


def test_a_file_that_shrinks_meanwhile_is_refused(path):
    found = read_header(write(path, {"a": row(0, 16)}, bytes(16)))
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 8)
    with pytest.raises(DocumentError, match="has become shorter"):
        found.read("a")
