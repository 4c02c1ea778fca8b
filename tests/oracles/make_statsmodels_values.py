"""Write statsmodels_values.npz: what statsmodels 0.15 says about the fits of statsmodels_cases.py.

    python -m tests.oracles.make_statsmodels_values

The rows are stored beside the answers, so that the values hold whatever a later NumPy draws.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.oracles.statsmodels_cases import answers, cases

PATH = Path(__file__).with_name("statsmodels_values.npz")


def main() -> None:
    """Fit every case and store rows and answers."""
    stored = {}
    for name, case in cases().items():
        inputs = {"X": case.X, "y": case.y, "groups": case.groups}
        for key, value in {**inputs, **answers(case)}.items():
            stored[f"{name}/{key}"] = value
    np.savez_compressed(PATH, **stored)


if __name__ == "__main__":
    main()
