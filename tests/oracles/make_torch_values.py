"""Write torch_values.npz: what torch 2.13 (CPU, float64) says about the networks of cases.py.

    python -m tests.oracles.make_torch_values

Inputs are stored beside the answers, so that the values hold whatever a later NumPy draws.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.oracles.cases import draw, networks
from tests.oracles.torch_twin import answers

PATH = Path(__file__).with_name("torch_values.npz")


def main() -> None:
    """Evaluate every network once and store inputs and answers."""
    stored = {}
    for seed, (name, net) in enumerate(networks().items()):
        case = draw(name, net, seed)
        inputs = {"X": case.X, "y": case.y, "weight": case.weight, "theta": case.theta, "v": case.v}
        for key, value in {**inputs, **answers(case)}.items():
            stored[f"{seed}/{key}"] = value
    np.savez_compressed(PATH, **stored)


if __name__ == "__main__":
    main()
