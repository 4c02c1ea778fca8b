"""What columns of words and of many levels bring and take: the figures of docs/data.md, fitting.md.

    python benchmarks/words_and_levels.py          measures, writes results/words-and-levels.md
    python benchmarks/words_and_levels.py --print  measures and prints only

Words: the text messages of ../shared/data, four in five to fit on, beside scikit-learn's tf-idf and
its LogisticRegression. Levels: made tables with one category of many levels, or two; memory is what
NumPy and Python allocate at most (`tracemalloc`) above what the table itself holds.
"""

from __future__ import annotations

import argparse
import csv
import gc
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import backpass as bp
from logreg.datasets import Absent
from logreg.datasets.base import shared
from machine import describe

RESULT = Path(__file__).parent / "results" / "words-and-levels.md"
STRENGTHS = (1.0, 10.0)
N_ROWS = 400_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="do not write the results file")
    options = parser.parse_args()
    lines = ["# Columns of words and of many levels", ""]
    lines += ["Made by `python benchmarks/words_and_levels.py`.", ""]
    lines += [*describe(["backpass", "numpy", "scikit-learn"]), "", *words(), "", *levels()]
    report = "\n".join(lines) + "\n"
    print(report)
    if not options.print:
        RESULT.write_text(report)


def words() -> list[str]:
    """Fit text messages from a file, and with scikit-learn; return lines of Markdown."""
    try:
        text = shared("sms_spam", "SMSSpamCollection.tsv").read_text(encoding="utf-8")
    except Absent as absence:
        return [f"Words: not measured, {absence}"]
    records = [line.split("\t", 1) for line in text.splitlines()]
    kinds, messages = (list(column) for column in zip(*records, strict=True))
    split = train_test_split(kinds, messages, test_size=0.2, random_state=0)
    kinds_fit, kinds_out, messages_fit, messages_out = split
    spam = np.array(kinds_out) == "spam"
    lines = [f"## Words: {len(records):,} messages, {len(kinds_fit):,} of them to fit on", ""]
    lines += ["| | C | accuracy | AUC | columns | reads, iterations |"]
    lines += ["| :--- | ---: | ---: | ---: | ---: | ---: |"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.csv"
        with path.open("w", newline="", encoding="utf-8") as to:
            writer = csv.writer(to)
            writer.writerow(["kind", "message"])
            writer.writerows(zip(kinds_fit, messages_fit, strict=True))
        data = bp.open_dataset(path, target="kind", text=["message"])
        frame = pd.DataFrame({"message": messages_out})
        for C in STRENGTHS:
            model = bp.LogisticRegression(C=C).fit(data)
            proba = model.predict_proba(frame)[:, 1]
            width, reads = model.coef_.shape[1], f"{model.passes_:.0f}"
            lines.append(row("backpass", C, proba, spam, width, reads))
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    X = vectorizer.fit_transform(messages_fit)
    for C in STRENGTHS:
        peer = LogisticRegression(C=C).fit(X, kinds_fit)
        proba = peer.predict_proba(vectorizer.transform(messages_out))[:, 1]
        name = "scikit-learn, `TfidfVectorizer(sublinear_tf=True)`"
        lines.append(row(name, C, proba, spam, X.shape[1], str(peer.n_iter_[0])))
    return lines


def row(name: str, C: float, proba: np.ndarray, spam: np.ndarray, width: int, reads: str) -> str:
    accuracy, auc = ((proba > 0.5) == spam).mean(), roc_auc_score(spam, proba)
    return f"| {name} | {C:g} | {accuracy:.4f} | {auc:.4f} | {width:,} | {reads} |"


def levels() -> list[str]:
    """Fit tables with categories of many levels; return lines of Markdown."""
    rng = np.random.default_rng(0)
    lines = [f"## Levels: {N_ROWS:,} rows, one number beside them, C=1", ""]
    lines += ["| levels | reads | certified | memory, MB |", "| :--- | ---: | :--- | ---: |"]
    for counts in ((10_000,), (100_000,), (50_000, 50_000)):
        columns = [rng.integers(n, size=N_ROWS) for n in counts]
        x = rng.normal(size=N_ROWS)
        effects = sum(rng.normal(size=n)[of] for n, of in zip(counts, columns, strict=True))
        y = np.where(x + effects + rng.logistic(size=N_ROWS) > 0, "yes", "no")
        table = pd.DataFrame({"x": x})
        for place, (n, of) in enumerate(zip(counts, columns, strict=True)):
            names = [f"t{level}" for level in range(n)]
            table[f"town{place}"] = pd.Categorical.from_codes(of, names)
        gc.collect()
        tracemalloc.start()
        model = bp.LogisticRegression().fit(table, y)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        named = " and ".join(f"{n:,}" for n in counts)
        sure = "yes" if model.converged_ else "no"
        lines.append(f"| {named} | {model.passes_:.1f} | {sure} | {peak:.0f} |")
    return lines


if __name__ == "__main__":
    main()
