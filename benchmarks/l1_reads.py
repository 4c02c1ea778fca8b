"""How often does an L1 fit read the data? A count, so it is the same on every machine.

    python benchmarks/l1_reads.py          counts and writes benchmarks/results/l1-reads.md
    python benchmarks/l1_reads.py --print --problems sms two

`passes_` counts how many times every row was read for a certified fit, measuring the columns, the
steps and the proof of the gap included; a fit with a mark is one that was not certified.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from logreg.datasets import Absent, adult, letter, sms_spam, spambase
from logreg.datasets.base import shared

RESULT = Path(__file__).parent / "results" / "l1-reads.md"
STRENGTHS, RATIOS = (0.01, 1.0, 100.0), (1.0, 0.5)
N_LEVELS = 5000


def adult_frame() -> tuple[Any, Any]:
    import pandas as pd

    with gzip.open(shared("adult", "adult-train.csv.gz"), "rt") as file:
        rows = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
    frame = pd.DataFrame({f"x{j}": column for j, column in enumerate(zip(*rows, strict=True))})
    for j in adult.NUMERIC:
        frame[f"x{j}"] = frame[f"x{j}"].astype(float)
    return frame.drop(columns="x14"), (frame["x14"] == ">50K").to_numpy(np.int64)


def breast_cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def gaussian() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 30))
    slope = rng.normal(size=30) / np.sqrt(30)
    return X, (X @ slope + rng.logistic(size=len(X)) > 0.0).astype(np.int64)


def three_letters() -> tuple[Any, Any]:
    X, y = letter.load(False)
    return X[y < 3], y[y < 3]


def two_categories() -> tuple[Any, Any]:
    import pandas as pd

    rng = np.random.default_rng(0)
    codes = rng.integers(N_LEVELS, size=(2, 100_000))
    effect = rng.normal(size=(2, N_LEVELS))
    z = effect[0, codes[0]] + effect[1, codes[1]]
    frame = pd.DataFrame({name: [f"v{c}" for c in c] for name, c in zip("ab", codes, strict=True)})
    return frame, (z + rng.logistic(size=len(z)) > 0.0).astype(np.int64)


PROBLEMS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "adult, CSR": lambda: adult.load(False),
    "adult, table": adult_frame,
    "spambase": lambda: spambase.load(False),
    "breast cancer": breast_cancer,
    "gaussian, 200,000 × 30": gaussian,
    "letter, A to C": three_letters,
    "sms-spam, tf-idf": lambda: sms_spam.load(False),
    "two categories of 5,000": two_categories,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="do not write the results file")
    parser.add_argument("--problems", nargs="*", help="words of their names")
    options = parser.parse_args()
    chosen = [
        name
        for name in PROBLEMS
        if not options.problems or any(w in name for w in options.problems)
    ]
    settings = [(ratio, C) for ratio in RATIOS for C in STRENGTHS]
    lines = [
        *("# Reads of the data by L1 fits", ""),
        "`passes_` of `LogisticRegression(C, l1_ratio)`, everything counted; `!`: not certified.",
        *("", "| | " + " | ".join(f"C={C:g}, l1_ratio={r:g}" for r, C in settings) + " |"),
        "| :--- |" + " ---: |" * len(settings),
    ]
    for name in chosen:
        lines.append(row(name, settings))
        print(lines[-1], flush=True)
    if not options.print:
        RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(name: str, settings: list[tuple[float, float]]) -> str:
    """Return a problem's line of the table."""
    import backpass as bp

    try:
        X, y = PROBLEMS[name]()
    except Absent as absent:
        return f"| {name} | {absent} |"
    cells = []
    for ratio, C in settings:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = bp.LogisticRegression(C=C, l1_ratio=ratio).fit(X, y)
        cells.append(f"{model.passes_:.1f}{'' if model.converged_ else ' !'}")
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
