"""Twenty thousand damaged and hostile files: refused or loaded, and nothing else happens."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.modelfiles.make import models

import backpass as bp

COUNT = 20_000
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fill a folder with good files: those kept of earlier versions, and what is written now."""
    made = tmp_path_factory.mktemp("good")
    for path in HERE.glob("*/format-*/*.safetensors"):
        shutil.copy(path, made / f"{path.parts[-3]}-{path.parts[-2]}-{path.name}")
    for name, (model, _) in models().items():
        bp.save(model, made / f"{name}.safetensors")
    X = np.random.default_rng(2).normal(size=(40, 2))
    with pytest.warns(bp.SeparationWarning):
        separated = bp.LogisticRegression(C=np.inf).fit(X, X[:, 0] > 0.0)
    bp.save(separated, made / "separated.safetensors")
    table = pd.DataFrame(
        {"a": X[:, 0], "b": np.tile(["x", "y"], 20), "t": np.tile([0, 0, 1, 1], 10)}
    )
    formula = bp.LogisticRegression(C=np.inf).fit(table, formula="t ~ C(b) + I(a**2) + a")
    bp.save(formula, made / "formula.safetensors")
    return made


def test_no_file_crashes_load_or_makes_it_do_anything_else(folder):
    run = subprocess.run(
        [sys.executable, "-m", "tests.modelfiles.fuzz", f"{COUNT}", folder],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    assert found["broken"] == []
    answers = found["answers"]
    assert sum(answers.values()) == COUNT
    # Most changes are seen, but the others must be many enough to test what comes after.
    assert answers["refused"] > 0.5 * COUNT and answers["loaded"] > 0.01 * COUNT
    assert found["grown_mb"] < 100.0


def test_the_watch_sees_what_it_forbids():
    """A hook that sees nothing would pass every file."""
    code = (
        "import sys, tests.modelfiles.fuzz as fuzz\n"
        "sys.addaudithook(fuzz.watch)\n"
        "fuzz.guarded = True\n"
        "for act in (lambda: exec('1'), lambda: open('x', 'w'), lambda: __import__('this'),\n"
        "            lambda: fuzz.os.system('true'), lambda: fuzz.os.remove('x')):\n"
        "    try:\n"
        "        act()\n"
        "    except RuntimeError:\n"
        "        continue\n"
        "    sys.exit(1)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=HERE.parents[1], capture_output=True)
    assert run.returncode == 0, run.stderr
    assert not (HERE.parents[1] / "x").exists()
