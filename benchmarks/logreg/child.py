"""The parent's end of worker.py: starts it, asks it for fits, ends it when its time is over."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .objective import Coefficients
from .solvers import Solver

WORKER = Path(__file__).with_name("worker.py")
START_LIMIT = 180.0  # seconds to import, read the rows and fit 200 of them


class OutOfTime(Exception):
    """The worker gave no answer in time and was ended."""


class Died(Exception):
    """The worker ended by itself; the text says how."""


class Child:
    """One worker. Use as a context: leaving it ends the process."""

    def __init__(self, folder: Path, solver: Solver) -> None:
        self.folder = folder
        command = [sys.executable, str(WORKER), str(folder), solver.name]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment() | solver.environment(),
        )
        self.unread = b""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def about(self) -> dict[str, Any]:
        """Wait until the worker is ready; return its versions."""
        return self._answer(START_LIMIT)

    def fit(self, rung: float, limit: float) -> tuple[dict[str, Any], Coefficients | None]:
        """Fit at one rung; raise OutOfTime after `limit` seconds, Died where there is no answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{rung!r}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Died(f"ended with code {self.process.wait()}") from None
        answer = self._answer(limit)
        if "error" in answer:
            return answer, None
        with np.load(self.folder / "found.npz") as found:
            return answer, Coefficients(found["coef"], found["intercept"])

    def _answer(self, limit: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        pipe, end = self.process.stdout.fileno(), time.monotonic() + limit
        while b"\n" not in self.unread:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                raise OutOfTime
            if not (piece := os.read(pipe, 65_536)):
                raise Died(f"ended with code {self.process.wait()}")
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)


def environment() -> dict[str, str]:
    """Return the workers' environment: all cores for everyone, no kernel forced on anyone."""
    # OPENBLAS_CORETYPE and its like would slow those who use OpenBLAS and nobody else.
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    cores = str(len(os.sched_getaffinity(0)))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = cores
    return env


def write_problem(folder: Path, X: Any, y: NDArray, C: float) -> None:
    """Put rows where workers read them."""
    np.save(folder / "y.npy", y)
    (folder / "C").write_text(repr(C))
    if sp.issparse(X):
        parts = {"X": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    else:
        parts = {"X": np.ascontiguousarray(X)}
    for name, array in parts.items():
        np.save(folder / f"{name}.npy", np.asarray(array))
