"""Time to a relative objective gap, ours and the peers', problem by problem.

    python benchmarks/logreg/run.py                      everything: hours; resumes where it stopped
    python benchmarks/logreg/run.py --minutes 4          starts no new turn after four minutes
    python benchmarks/logreg/run.py --problems spambase  those whose name contains one of the words
    python benchmarks/logreg/run.py --scale small        small versions, kept in build/, for trying
    python benchmarks/logreg/run.py --again --solvers backpass     forgets and measures ours anew

A turn is one solver on one problem in a process of its own. In the first round it climbs its
ladder of settings until the gap is 1e-9, or two minutes end; later rounds repeat those fits. The
rounds are interleaved: all solvers have a turn before any has its next. What was measured is kept
after every turn in results/logreg/PROBLEM.json, and the report is written from there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import scipy.sparse as sp

from logreg import report
from logreg.bandwidth import measure_bandwidth
from logreg.child import write_problem
from logreg.datasets import DATASETS, Absent, Dataset
from logreg.minimum import minimise
from logreg.objective import Coefficients, Objective
from logreg.records import ROOT, Record, folder_of
from logreg.solvers import SOLVERS, Shape, Solver
from logreg.turns import take_turn
from machine import describe


class Problem(NamedTuple):
    """A data set at one C."""

    dataset: Dataset
    C: float

    @property
    def name(self) -> str:
        return f"{self.dataset.name}-C{self.C:g}"


def main() -> None:
    options = parse()
    small = options.scale == "small"
    folder = folder_of(small)
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60.0 * options.minutes
    chosen = [p for p in problems() if matches(p.name, options.problems)]
    solvers = [s for s in SOLVERS if matches(s.name, options.solvers)]
    if not chosen or not solvers:
        sys.exit(f"run.py: no problem or solver is named so; there are {names()}")
    for problem in chosen:
        if time.monotonic() > until:
            break
        record = Record(folder / f"{problem.name}.json")
        if options.again:
            record.forget([s.name for s in solvers])
        if pending(record, solvers, options.rounds):
            run_problem(problem, record, solvers, options, until)
    if time.monotonic() < until and not (folder / "bandwidth.json").exists():
        measure_bandwidth(folder / "bandwidth.json", small)
    report.write(folder)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="*", default=[], help="words of names; all by default")
    parser.add_argument("--solvers", nargs="*", default=[], help="words of names; all by default")
    parser.add_argument("--scale", choices=["full", "small"], default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no turn after these")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds per fit")
    parser.add_argument("--again", action="store_true", help="forget what these solvers took")
    return parser.parse_args()


def problems() -> Iterator[Problem]:
    """Yield every problem: C=1, and C=inf where the optimum is finite."""
    for dataset in DATASETS:
        yield Problem(dataset, 1.0)
        if dataset.finite:
            yield Problem(dataset, np.inf)


def matches(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


def names() -> str:
    return ", ".join([p.name for p in problems()] + [s.name for s in SOLVERS])


def pending(record: Record, solvers: list[Solver], rounds: int) -> bool:
    return any(record.rounds_left(s.name, rounds) for s in solvers)


def run_problem(
    problem: Problem,
    record: Record,
    solvers: list[Solver],
    options: argparse.Namespace,
    until: float,
) -> None:
    """Give every solver its turns on one problem, round by round."""
    try:
        X, y = problem.dataset.load(options.scale == "small")
    except Absent as absence:
        print(f"{problem.name}: skipped, {absence}")
        record.update(skipped=str(absence), problem=problem.name)
        return
    objective = Objective(X, y, problem.C)
    if record.data.get("minimum") is None and not find_minimum(record, problem, objective, until):
        return
    describe_problem(record, problem, objective)
    n_rows, n_columns = X.shape
    shape = Shape(n_rows, n_columns, objective.n_classes, sp.issparse(X), problem.C)
    with tempfile.TemporaryDirectory() as place:
        write_problem(Path(place), X, y, problem.C)
        for number in range(options.rounds):
            for solver in solvers:
                if time.monotonic() > until:
                    return
                if record.rounds_done(solver.name) > number or record.has_ended(solver.name):
                    continue
                take_turn(record, solver, objective, shape, Path(place), options.limit)
                print(f"{problem.name}, round {number + 1}: {record.line(solver.name)}", flush=True)


def find_minimum(record: Record, problem: Problem, objective: Objective, until: float) -> bool:
    """Record the minimum; False where time was up. Steps are kept: the next run goes on there."""
    kept = ROOT / "build" / "logreg-minimum" / f"{record.path.parent.name}-{problem.name}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)

    def watch(line: str, at: Coefficients) -> None:
        print(f"{problem.name}: minimum, {line}", flush=True)
        np.savez(kept, coef=at.coef, intercept=at.intercept)
        if time.monotonic() > until:
            raise TimeoutError

    start = None
    if kept.exists():
        with np.load(kept) as parts:
            start = Coefficients(parts["coef"], parts["intercept"])
    try:
        found = minimise(objective, start, watch)
    except TimeoutError:
        return False
    kept.unlink()
    record.update(minimum=found.value, minimum_decrement=found.decrement)
    return True


def describe_problem(record: Record, problem: Problem, objective: Objective) -> None:
    """Record what the problem is, and on what machine."""
    X = objective.X
    record.update(
        problem=problem.name,
        skipped=None,
        about=problem.dataset.about,
        rows=X.shape[0],
        columns=X.shape[1],
        classes=objective.n_classes,
        C=f"{problem.C:g}",
        null=objective.null,
        machine=describe(["numpy", "scipy"])[0],
    )


if __name__ == "__main__":
    main()
