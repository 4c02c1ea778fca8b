"""One solver on one problem, in a process of its own; spoken to by child.py, one JSON per line.

    python benchmarks/logreg/worker.py FOLDER SOLVER

FOLDER holds the rows and labels; each line on stdin is a rung of the ladder, each line on the
answering pipe what that fit took. The coefficients go to FOLDER, for the judge.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import scipy.sparse as sp

from logreg.solvers import SOLVERS, Solver

MB = 2.0**20


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not look like an answer
    solver = next(s for s in SOLVERS if s.name == name)
    X, y, C = load(folder)
    warm_up(solver, X, y, C)
    solver.prepare(X, y, C)
    memory = Memory()
    answers.write(json.dumps(about(solver)) + "\n")
    for line in sys.stdin:
        answer = measure(solver, float(line), memory, folder)
        answers.write(json.dumps(answer) + "\n")


def measure(solver: Solver, rung: float, memory: Memory, folder: Path) -> dict[str, Any]:
    """Fit once; keep the coefficients; return seconds, memory and what the library says."""
    gc.collect()
    memory.reset()
    solver.passes = solver.claims = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            solver.fit(rung)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
        seconds = time.perf_counter() - start
    peak = memory.peak()
    found = solver.coefficients()
    np.savez(folder / "found.npz", coef=found.coef, intercept=found.intercept)
    return {
        "seconds": seconds,
        "memory_mb": None if peak is None else round(peak, 1),
        "passes": solver.passes,
        "claims": solver.claims,
        "warned": sorted({w.category.__name__ for w in caught}),
    }


def load(folder: Path) -> tuple[Any, np.ndarray, float]:
    """Read the problem into this process's memory."""
    y, C = np.load(folder / "y.npy"), float((folder / "C").read_text())
    if not (folder / "indptr.npy").exists():
        return np.load(folder / "X.npy"), y, C
    data, indices, indptr, shape = (
        np.load(folder / f"{part}.npy") for part in ("X", "indices", "indptr", "shape")
    )
    return sp.csr_matrix((data, indices, indptr), shape=tuple(shape)), y, C


def warm_up(solver: Solver, X: Any, y: np.ndarray, C: float) -> None:
    """Fit 200 rows of the same kind: imports and compilation are not what is compared here."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(y))[:200]
    labels = rng.permutation(np.arange(200) % (int(y.max()) + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny = X[rows] if np.isfinite(C) else rng.normal(size=(200, 2))  # with finite estimates
        solver.prepare(tiny, labels, C)
        try:
            solver.fit(solver.ladder[0])
        except Exception as error:
            print(f"{solver.name}: the warm-up failed: {error}", file=sys.stderr)


def about(solver: Solver) -> dict[str, Any]:
    """Return versions, and the BLAS kernels that this process loaded."""
    from threadpoolctl import threadpool_info

    kernels = {
        f"{Path(lib['filepath']).name.split('-')[0]} {lib['version']} ({lib['architecture']})"
        for lib in threadpool_info()
        if lib["user_api"] == "blas" and "architecture" in lib
    }
    versions = {name: importlib.metadata.version(name) for name in solver.packages}
    return {"versions": versions, "blas": sorted(kernels)}


class Memory:
    """The peak of this process's memory above what it held before the first fit, in MiB.

    Linux resets its high-water mark on request; elsewhere there is no answer, rather than a wrong
    one.
    """

    def __init__(self) -> None:
        self.before = self._read("VmRSS")

    def reset(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.before = None

    def peak(self) -> float | None:
        high = self._read("VmHWM")
        return None if high is None or self.before is None else high - self.before

    @staticmethod
    def _read(field: str) -> float | None:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return None
        kib = next((line.split()[1] for line in lines if line.startswith(field)), None)
        return None if kib is None else int(kib) * 1024.0 / MB


if __name__ == "__main__":
    main()
