"""statsmodels' stored answers, to 1e-8: errors, tests, effects, rows that matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.oracles.statsmodels_cases import Case, ours

STORED = np.load(Path(__file__).parents[1] / "oracles" / "statsmodels_values.npz")
NAMES = sorted({key.partition("/")[0] for key in STORED.files})


def case(name):
    return Case(*(STORED[f"{name}/{key}"] for key in ("X", "y", "groups")))


@pytest.mark.parametrize("name", NAMES)
def test_all_that_statsmodels_says(name):
    found = ours(case(name))
    stored = {key.partition("/")[2] for key in STORED.files if key.startswith(f"{name}/")}
    assert stored - {"X", "y", "groups"} == set(found)
    for key, value in found.items():
        theirs = STORED[f"{name}/{key}"]
        # its scores carry the rounding of a gradient, about 1e-8 of the largest
        floor = 1e-8 * np.abs(theirs).max()
        np.testing.assert_allclose(value, theirs, rtol=1e-8, atol=floor, err_msg=key)


@pytest.mark.peers
def test_all_that_statsmodels_says_live():
    from tests.oracles.statsmodels_cases import answers, cases

    for name, one in cases().items():
        theirs = answers(one)
        for key, value in ours(one).items():
            floor = 1e-8 * np.abs(theirs[key]).max()
            np.testing.assert_allclose(
                value, theirs[key], rtol=1e-8, atol=floor, err_msg=f"{name}: {key}"
            )
