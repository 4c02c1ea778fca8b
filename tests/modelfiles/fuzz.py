"""Loads damaged and hostile model files by the thousand: python -m tests.modelfiles.fuzz COUNT DIR.

Each is a good file from DIR, changed at random. `load` must answer with ModelFileError or with a
model, and a model must predict or say why not. Meanwhile nothing may be imported, compiled
or executed, no file written, no process started, and little memory taken. It runs in a process of
its own, since the hook that watches cannot be taken away again. Prints counts as JSON.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import struct
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.modelfiles.make import LAYERS

import backpass as bp

MEMORY = 1 << 30  # more than the process has when the first file is loaded
FORBIDDEN = (
    "code.", "compile", "ctypes.", "exec", "import", "marshal.", "os.chmod", "os.exec", "os.fork",
    "os.link", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn",
    "os.symlink", "os.system", "os.truncate", "pickle.", "shutil.", "socket.", "subprocess.",
)  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 2**31, 2**53, 2**60, 2**64, 10**400, 0.5, -0.0, 1e-320,
    1e308, -1e308, "", "x", "x0", "theta", "../../etc/passwd", "/dev/zero", "os.system",
    "__class__", "\x00", "\ud800", "é" * 50, "x" * 10_000, [], {}, [[]], [0, 1], ["a", "b"],
    {"float": "nan"}, {"float": "inf"}, {"tuple": [1]}, {"dict": [[1, 2]]},
    {"own": "Swish", "fields": {}},
    {"builtin": "Linear", "fields": {"n_in": 4, "n_out": 2**40, "bias": True}},
    {"builtin": "ReLU", "fields": {}}, {"residual": []}, {"builtin": "Popen", "fields": {}},
]  # fmt: skip
guarded = False
broken: list[str] = []


def watch(event: str, arguments: tuple) -> None:
    """Refuse what a file must not make happen."""
    if not guarded:
        return
    writes = event == "open" and (
        any(letter in (arguments[1] or "r") for letter in "wax+")
        or arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )
    if writes or event.startswith(FORBIDDEN):
        broken.append(f"{event}{arguments}"[:300])
        raise RuntimeError(f"a file made {event} happen")


class Mutator:
    """Changes of good files, drawn from one generator."""

    def __init__(self, good: list[bytes], seed: int) -> None:
        self.good, self.rng = good, np.random.default_rng(seed)
        self.kinds = [self.flip, self.cut, self.splice, self.insert, self.nest, self.lie]
        self.kinds += [self.edit] * 6  # what reaches furthest

    def draw(self) -> tuple[str, bytes]:
        kind = self.kinds[self.rng.integers(len(self.kinds))]
        return kind.__name__, kind(self.pick(self.good))

    def pick(self, things: Any) -> Any:
        return things[self.rng.integers(len(things))]

    def flip(self, raw: bytes) -> bytes:
        changed = bytearray(raw)
        for _ in range(self.rng.integers(1, 5)):
            changed[self.rng.integers(len(raw))] = self.rng.integers(256)
        return bytes(changed)

    def cut(self, raw: bytes) -> bytes:
        return raw[: self.rng.integers(len(raw))]

    def splice(self, raw: bytes) -> bytes:
        other = self.pick(self.good)
        return raw[: self.rng.integers(len(raw))] + other[self.rng.integers(len(other)) :]

    def insert(self, raw: bytes) -> bytes:
        place = self.rng.integers(len(raw))
        chunk = self.pick([self.rng.bytes(9), b"\x80\x04cos\nsystem\n(S'x'\ntR.", b"[" * 5000])
        return raw[:place] + chunk + raw[place + self.rng.integers(20) :]

    def nest(self, raw: bytes) -> bytes:
        """Put one value inside itself some hundred times."""
        header, described, data = taken_apart(raw)
        place, key = self.pick(nodes(described))
        for _ in range(self.rng.integers(20, 400)):
            form = self.pick(["tuple", "dict", "residual"])
            place[key] = {form: [[place[key], place[key]]] if form == "dict" else [place[key]]}
            if form == "dict":
                place[key][form][0][1] = 0
        return put_together(header, described, data)

    def lie(self, raw: bytes) -> bytes:
        """Change a size in the header."""
        header, described, data = taken_apart(raw)
        described_arrays = [value for key, value in header.items() if key != "__metadata__"]
        place, key = self.pick(nodes(described_arrays))
        place[key] = self.pick(VALUES)
        return put_together(header, described, data)

    def edit(self, raw: bytes) -> bytes:
        """Change one to three places of the description, which stays JSON."""
        header, described, data = taken_apart(raw)
        for _ in range(self.rng.integers(1, 4)):
            place, key = self.pick(nodes(described))
            way = self.rng.integers(5)
            if way < 2:
                place[key] = copy.deepcopy(self.pick(VALUES))
            elif way == 2:
                other, name = self.pick(nodes(described))
                place[key] = copy.deepcopy(other[name])
            elif way == 3:
                del place[key]
            elif isinstance(place, dict):
                place[self.pick([v for v in VALUES if isinstance(v, str)])] = place.pop(key)
            else:
                place.append(copy.deepcopy(place[key]))
            if not isinstance(described, dict) or not described:
                break
        if self.rng.random() < 0.2 and data:
            data = self.rng.permutation(np.frombuffer(data, np.uint8)).tobytes()
        return put_together(header, described, data)


def taken_apart(raw: bytes) -> tuple[dict, Any, bytes]:
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    return header, json.loads(header["__metadata__"]["backpass"]), raw[8 + size :]


def put_together(header: dict, described: Any, data: bytes) -> bytes:
    header["__metadata__"]["backpass"] = json.dumps(described)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def nodes(document: Any) -> list[tuple[Any, Any]]:
    """List every place in a document as (what it is in, key)."""
    found = []
    stack = [document]
    while stack:
        here = stack.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here))
        for key in keys:
            found.append((here, key))
            if isinstance(here[key], dict | list):
                stack.append(here[key])
    return found


def rows(model: Any) -> Any:
    """Return three rows as a model takes them, plain and missing."""
    names = getattr(model, "feature_names_in_", None)
    if model.encoding_ is None and names is None:
        return np.array([[0.0], [1.0], [-1e300]]) * np.ones(min(model.n_features_in_, 10_000))
    if names is None:
        return np.full((3, min(model.n_features_in_, 10_000)), np.nan)
    if model.encoding_ is None:
        return pd.DataFrame(np.zeros((3, len(names))), columns=list(names))
    cells = {"number": [0.0, 1e300, None], "boolean": [True, None, False], "text": ["x", "", None]}
    return pd.DataFrame({name: cells[kind] for name, kind in model.encoding_.kinds.items()})


def answer(path: Path) -> str:
    """Load, predict, and show a file; say how far it came."""
    try:
        model = bp.load(path, layers=LAYERS)
    except bp.ModelFileError as error:
        assert str(error).startswith(path.name), error
        return "refused"
    try:
        model.predict_proba(rows(model))
        model.predict(rows(model))
    except (ValueError, FloatingPointError):  # the latter where parameters are too large
        return "loaded, not predicted"
    try:
        if hasattr(model, "coef_"):
            str(model.summary())
    except ValueError:
        return "predicted, no summary"
    return "loaded"


def main(count: int, folder: Path) -> None:
    global guarded
    warnings.simplefilter("ignore")
    paths = sorted(folder.glob("*.safetensors"))
    for path in paths:  # whatever is imported and compiled at first use is so now
        assert answer(path).startswith(("loaded", "predicted")), path
    mutator = Mutator([path.read_bytes() for path in paths], seed=0)
    spoilt = folder / "spoilt"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/statm") as statm:
        virtual = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + MEMORY, virtual + MEMORY))
    sys.addaudithook(watch)
    found: Counter = Counter()
    started = os.times()
    for number in range(count):
        kind, raw = mutator.draw()
        spoilt.write_bytes(raw)
        guarded = True
        try:
            found[answer(spoilt)] += 1
        except BaseException as error:
            guarded = False
            raise AssertionError(f"change {number}, {kind}: {error!r}; {broken}") from error
        guarded = False
    took = os.times()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {
        "broken": broken,
        "answers": found,
        "grown_mb": (after - before) / 1024,
        "cpu_seconds": took.user + took.system - started.user - started.system,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
