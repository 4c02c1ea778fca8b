"""How near a pass is to the least it could cost: one read of X from memory.

    python benchmarks/logreg/bandwidth.py OUTPUT.json full

Measured in a process of its own. The read is a sum over X, one piece per core at the same time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from logreg.child import environment
from logreg.datasets.gaussian import SHAPES, load

ROUNDS = 7


def measure_bandwidth(output: Path, small: bool) -> None:
    """Measure in a new process, under the same environment as every solver."""
    command = [sys.executable, __file__, str(output), "small" if small else "full"]
    subprocess.run(command, env=environment(), check=True)


def main() -> None:
    output, small = Path(sys.argv[1]), sys.argv[2] == "small"
    rows = [measure(*shape, small) for shape in SHAPES]
    output.write_text(json.dumps(rows, indent=1) + "\n")


def measure(n_rows: int, n_columns: int, small: bool) -> dict[str, Any]:
    """Return the ms of a plain read, of cost and gradient, and of a pass within a fit."""
    import backpass as bp

    X, y = load(small, n_rows, n_columns, scaled=False)
    net = bp.Network([bp.Linear(X.shape[1], 1), bp.Sigmoid()], bp.BCELoss())
    theta = 0.1 * np.random.default_rng(0).normal(size=net.n_parameters)
    fitted: dict[str, float] = {}

    def fit() -> None:
        start = time.perf_counter()
        model = bp.LogisticRegression(tol=1e-6).fit(X, y)
        seconds = (time.perf_counter() - start) / model.passes_
        fitted["seconds"] = min(seconds, fitted.get("seconds", np.inf))
        fitted["passes"] = float(model.passes_)

    def cost_and_gradient() -> None:
        with bp.reproducible():
            net.cost_and_gradient(theta, X, y)

    cores = len(os.sched_getaffinity(0))
    pieces = np.array_split(X.reshape(-1), cores)
    with ThreadPoolExecutor(cores) as pool:
        turns: list[Callable[[], object]] = [
            lambda: list(pool.map(np.sum, pieces)),
            cost_and_gradient,
            fit,
        ]
        best = [np.inf] * len(turns)
        for _ in range(ROUNDS):
            for i, turn in enumerate(turns):
                start = time.perf_counter()
                turn()
                best[i] = min(best[i], time.perf_counter() - start)
    return {
        "shape": list(X.shape),
        "megabytes": X.nbytes / 1e6,
        "read_ms": 1e3 * best[0],
        "cost_and_gradient_ms": 1e3 * best[1],
        "fit_pass_ms": 1e3 * fitted["seconds"],
        "passes": fitted["passes"],
    }


if __name__ == "__main__":
    main()
