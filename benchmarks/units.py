"""Does a fit depend on the units of its columns? Ours and the peers', on changed copies of data.

    python benchmarks/units.py                     measures and writes benchmarks/results/units.md
    python benchmarks/units.py --print --solvers backpass glum

At C=inf the maximum-likelihood fit does not care how a column is measured or in what order things
come: predictions and standardised coefficients (coefficient times the column's deviation) are the
same ones. Each solver fits each changed copy with a strict setting and is compared with the
exact fit of the data as it was. Every solver works in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from logreg.child import environment
from logreg.datasets import Absent, spambase
from logreg.minimum import minimise
from logreg.objective import Coefficients, Objective
from logreg.solvers import SOLVERS, Shape, Solver

RESULT = Path(__file__).parent / "results" / "units.md"
LIMIT = 20.0  # seconds per fit
WRONG = 1e-3  # of the largest standardised coefficient: no longer the same answer


class Changed(NamedTuple):
    """A changed copy, and where its columns, rows and classes were in the data as it was."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    columns: NDArray[np.int64]
    rows: NDArray[np.int64]
    classes: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="do not write the results file")
    parser.add_argument("--solvers", nargs="*", default=[], help="words of names; all by default")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        fit_all(options.child[0], int(options.child[1]))
        return
    chosen = [
        solver
        for solver in SOLVERS
        if not options.solvers or any(word in solver.name for word in options.solvers)
    ]
    results = {solver.name: list(answers(solver)) for solver in chosen}
    report = "\n".join(write_report(results)) + "\n"
    print(report)
    if not options.print:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(report)


def datasets() -> Iterator[tuple[str, NDArray, NDArray]]:
    """Yield (name, X, y): two classes, three classes, and real columns in very different units."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(2_000, 8))
    X[:, 1:] += 0.8 * X[:, :-1]
    logits = X @ rng.normal(size=(8, 3))
    yield "two classes", X, (rng.random(2_000) < expit(logits[:, 0])).astype(np.int64)
    yield "three classes", X, np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    try:
        yield "spambase", *spambase.load(False)
    except Absent as absence:
        print(f"spambase: skipped, {absence}", file=sys.stderr)


def changes(X: NDArray, y: NDArray) -> Iterator[tuple[str, Changed]]:
    """Yield (name, changed copy) for every change."""
    rng = np.random.default_rng(11)
    (n, d), k = X.shape, int(y.max()) + 1
    columns, rows, classes = np.arange(d), np.arange(n), np.arange(k)
    yield "as it is", Changed(X, y, None, columns, rows, classes)
    units = 10.0 ** rng.permutation(np.linspace(-8.0, 8.0, d))
    yield "units 1e-8 to 1e8", Changed(X * units, y, None, columns, rows, classes)
    shifts = X.std(axis=0) * rng.choice([-1.0, 1.0], d)
    yield "shifted by 100 σ", Changed(X + 1e2 * shifts, y, None, columns, rows, classes)
    yield "shifted by 1e6 σ", Changed(X + 1e6 * shifts, y, None, columns, rows, classes)
    order = rng.permutation(d)
    yield (
        "columns permuted",
        Changed(np.ascontiguousarray(X[:, order]), y, None, order, rows, classes),
    )
    order = rng.permutation(n)
    yield "rows permuted", Changed(X[order], y[order], None, columns, order, classes)
    order = np.roll(classes, 1)  # class c of the copy was class order[c]
    labels = np.argsort(order)[y]
    yield "labels permuted", Changed(X, labels, None, columns, rows, order)
    # every row as one to three copies whose weights add up to one
    order = np.repeat(rows, rng.integers(1, 4, n))
    parts = rng.uniform(0.1, 1.0, len(order))
    weight = parts / np.bincount(order, parts)[order]
    yield "weighted copies", Changed(X[order], y[order], weight, columns, order, classes)


def names() -> list[tuple[str, str]]:
    """Return (data, change) of every fit, in the order in which they are made."""
    return [(data, change) for data, X, y in datasets() for change, _ in changes(X, y)]


def fit_all(name: str, skip: int) -> None:
    """In the child: fit every changed copy but the first `skip`; print a JSON line for each."""
    solver = next(s for s in SOLVERS if s.name == name)
    number = 0
    for _, X, y in datasets():
        exact: tuple[NDArray, NDArray] | None = None
        for _, copy in changes(X, y):
            number += 1
            if number <= skip:
                continue
            if exact is None:
                here = Changed(X, y, None, *(np.arange(m) for m in (*X.shape[::-1], y.max() + 1)))
                exact = comparable(minimise(Objective(X, y, np.inf)).at, here)
            print(json.dumps(compare(solver, copy, exact)), flush=True)


def compare(solver: Solver, copy: Changed, exact: tuple[NDArray, NDArray]) -> dict[str, Any]:
    """Fit one changed copy; return how far coefficients and probabilities are from the exact."""
    (n, d), k = copy.X.shape, int(copy.y.max()) + 1
    reason = solver.refuses(Shape(n, d, k, False, np.inf, copy.weight is not None))
    if reason is not None:
        return {"refused": reason}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            solver.prepare(copy.X, copy.y, np.inf, copy.weight)
            solver.fit(solver.strict)
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"}
    coef, proba = comparable(solver.coefficients(), copy)
    return {
        "coef": float(np.max(np.abs(coef - exact[0])) / np.max(np.abs(exact[0]))),
        "proba": float(np.max(np.abs(proba - exact[1]))),
        "warned": bool(caught),
    }


def comparable(found: Coefficients, copy: Changed) -> tuple[NDArray, NDArray]:
    """Return standardised coefficients (k, d) that sum to zero over classes and probabilities
    (n, k), in the order of the data as it was."""
    coef, intercept = found
    if len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]) / 2.0, np.append(-intercept, intercept) / 2.0
    proba = softmax(copy.X @ coef.T + intercept, axis=1)
    mean = np.average(copy.X, axis=0, weights=copy.weight)
    deviation = np.sqrt(np.average((copy.X - mean) ** 2, axis=0, weights=copy.weight))
    standardised = (coef - coef.mean(axis=0)) * deviation
    first = np.unique(copy.rows, return_index=True)[1]  # of several copies of a row
    back = np.argsort(copy.classes)
    return standardised[back][:, np.argsort(copy.columns)], proba[first][:, back]


def answers(solver: Solver) -> Iterator[dict[str, Any]]:
    """Yield the child's answer to every fit; one that takes too long is ended and said so."""
    done, total = 0, len(names())
    while done < total:
        with subprocess.Popen(
            [sys.executable, __file__, "--child", solver.name, str(done)],
            stdout=subprocess.PIPE,
            env=environment() | solver.environment(),
        ) as child:
            for answer in spoken(child):
                yield answer
                done += 1
            child.kill()
            if done < total:
                code = child.wait()
                yield {"failed": f"not in {LIMIT:g} s" if code == -SIGKILL else f"died, {code}"}
                done += 1


def spoken(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what the child prints as JSON, until it ends or is silent for too long."""
    assert child.stdout is not None
    pipe, unread = child.stdout.fileno(), b""
    while select.select([pipe], [], [], LIMIT)[0] and (piece := os.read(pipe, 65_536)):
        *lines, unread = (unread + piece).split(b"\n")
        yield from (json.loads(line) for line in lines if line.startswith(b"{"))


def write_report(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the report as Markdown lines."""
    fits = names()
    packages = sorted({p for s in SOLVERS if s.name in results for p in s.packages})
    strict = {s.name: f"{s.knob}={s.strict:g}" for s in SOLVERS if s.name in results}
    lines = [
        "# Fits that should not depend on units",
        "",
        "Made by `python benchmarks/units.py`. Maximum likelihood (C=inf) on changed copies of "
        "data, each solver with a strict setting: "
        + ", ".join(f"{name} {setting}" for name, setting in strict.items())
        + ". Compared with the exact fit of the data as it was. "
        f"**Bold**: further off than {WRONG:g}; **!**: and no warning was given.",
        "",
        *described(packages),
    ]
    for data in dict.fromkeys(data for data, _ in fits):
        places = [i for i, fit in enumerate(fits) if fit[0] == data]
        changes_here = [fits[i][1] for i in places]
        for key, title in (
            ("coef", "largest error of a standardised coefficient, over the largest of them"),
            ("proba", "largest error of a predicted probability"),
        ):
            lines += ["", f"## {data}: {title}", ""]
            lines += ["| solver | " + " | ".join(changes_here) + " |"]
            lines += ["| --- |" + " ---: |" * len(places)]
            for name, answered in results.items():
                cells = [cell(answered[i], key) for i in places]
                if any(c != "–" for c in cells):
                    lines.append(f"| {name} | {' | '.join(cells)} |")
    reasons = {
        f"{name}: {answer[kind]}"
        for name, answered in results.items()
        for answer in answered
        for kind in ("refused", "failed")
        if kind in answer
    }
    return [*lines, "", "–: not for this solver, or failed.", *sorted(f"* {r}" for r in reasons)]


def described(packages: list[str]) -> list[str]:
    """Describe the machine in the environment of the fits, which is not this process's own."""
    code = f"from machine import describe; print(*describe({packages!r}), sep=chr(10))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment(), cwd=Path(__file__).parent, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().splitlines()


def cell(answer: dict[str, Any], key: str) -> str:
    if key not in answer:
        return "–"
    text = f"{answer[key]:.0e}"
    # nan compares false: not (x <= WRONG) calls it wrong
    if answer[key] <= WRONG:
        return text
    return f"**{text}**" if answer["warned"] else f"**{text} !**"


if __name__ == "__main__":
    main()
