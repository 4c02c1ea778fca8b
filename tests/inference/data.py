"""Data with published results, beside the repository; where there is none, tests skip."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

PLACE = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def read(name: str) -> pd.DataFrame:
    """Read a file such as "birthwt/birthwt.csv", or skip the test, saying why."""
    path = PLACE / name
    if not path.exists():
        pytest.skip(f"the data set {name} is not beside the repository, in ../shared/data")
    return pd.read_csv(path)
