"""Files that earlier versions wrote still load, and predict what they predicted then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.modelfiles.make import LAYERS, as_input

import backpass as bp

KEPT = sorted(Path(__file__).parent.glob("*/format-*/*.safetensors"))


@pytest.mark.filterwarnings("ignore::backpass.data.unseen.UnseenWarning")  # they hold such values
@pytest.mark.parametrize("path", KEPT, ids=lambda path: "-".join(path.parts[-3:]))
def test_a_file_of_an_earlier_version_predicts_the_same(path):
    text = path.with_name("expected.json").read_text(encoding="utf-8")
    expected = json.loads(text)[path.stem]
    model = bp.load(path, layers=LAYERS)
    proba = model.predict_proba(as_input(expected["rows"]))
    # Not to the bit, since the order of a sum differs between processors.
    np.testing.assert_allclose(proba, expected["probabilities"], rtol=1e-12)
    if "summary" in expected:
        assert str(model.summary()).splitlines() == expected["summary"]


def test_every_file_comes_with_what_it_must_predict():
    folders = {path.parent for path in KEPT}
    assert folders
    for folder in folders:
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        assert {path.stem for path in KEPT if path.parent == folder} == set(expected), folder
