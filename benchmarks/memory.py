"""How much memory does a fit from files take? Also predictions, and Parquet read in place.

    python benchmarks/memory.py          measures, writes benchmarks/results/memory.md
    python benchmarks/memory.py --print --rows 200000 2000000 --predict-rows 100000 1000000

Files of 20 columns are made piece by piece in a temporary folder, one at a time, and every
measurement has a process of its own. Memory is the peak of the process above what it holds once
everything is imported. A fit's coefficients are compared bit by bit: with those of the other
formats, and with the fits in memory, dense and CSR, where the rows fit into `--in-memory` of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "memory.md"
N_COLUMNS = 20
PIECE = 1 << 17  # rows that are made at a time
IMPORTS = (
    *("pyarrow.csv", "pyarrow.parquet", "scipy.optimize", "sklearn.linear_model"),
    *("backpass.cli.predict", "backpass.data.dataset", "backpass.estimators"),
    *("backpass.kernels.csr", "backpass.kernels.head"),
)
NAMES = [f"x{j}" for j in range(N_COLUMNS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="do not write the results file")
    parser.add_argument("--rows", type=int, nargs="*", default=[2_000_000, 20_000_000])
    parser.add_argument("--predict-rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--formats", nargs="*", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--in-memory", type=float, default=4.0, help="GiB of rows; default 4")
    parser.add_argument("--child", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child[0]](*options.child[1:])))
        return
    from machine import describe

    lines = ["# Memory of fits and predictions from files", ""]
    lines += describe(["backpass", "numpy", "pyarrow"])
    with tempfile.TemporaryDirectory(prefix="backpass-memory-") as folder:
        lines += ["", *fits(Path(folder), options)]
        lines += ["", *in_place(Path(folder), options.rows[:1])]
        lines += ["", *predictions(Path(folder), options.predict_rows)]
    text = "\n".join(lines) + "\n"
    print(text)
    if not options.print:
        RESULT.write_text(text, encoding="utf-8")


# Files


def pieces(n_rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (m, 20) and their labels, 0 or 1: the same ones for the same number of rows."""
    rng = np.random.default_rng(0)
    slope = rng.normal(size=N_COLUMNS) / np.sqrt(N_COLUMNS)
    for start in range(0, n_rows, PIECE):
        X = rng.normal(size=(min(PIECE, n_rows - start), N_COLUMNS)).round(4)
        yield X, (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-X @ slope))).astype(np.int64)


def tables(n_rows: int) -> Iterator[Any]:
    import pyarrow as pa

    for X, y in pieces(n_rows):
        columns = [np.ascontiguousarray(column) for column in X.T]
        yield pa.table([*columns, y], names=[*NAMES, "y"])


def write_csv(path: Path, n_rows: int) -> None:
    import pyarrow.csv

    every = tables(n_rows)
    first = next(every)
    with pyarrow.csv.CSVWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in every:
            writer.write_table(table)


def write_parquet(path: Path, n_rows: int) -> None:
    import pyarrow.parquet as pq

    every = tables(n_rows)
    first = next(every)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in every:
            writer.write_table(table)


def write_npz(path: Path, n_rows: int) -> None:
    """Write X and y as `numpy.savez` does, without holding X."""
    import zipfile

    with zipfile.ZipFile(path, "w") as packed:
        for name, shape, dtype in (("X", (n_rows, N_COLUMNS), "<f8"), ("y", (n_rows,), "<i8")):
            with packed.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for X, y in pieces(n_rows):
                    file.write((X if name == "X" else y).astype(dtype).tobytes())


def write_libsvm(path: Path, n_rows: int) -> None:
    with open(path, "w", encoding="ascii") as file:
        for X, y in pieces(n_rows):
            for label, row in zip(y.tolist(), X.tolist(), strict=True):
                cells = " ".join(f"{j}:{value!r}" for j, value in enumerate(row, start=1))
                file.write(f"{label} {cells}\n")


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "npz": write_npz,
    "libsvm": write_libsvm,
}


# What the processes measure


def _imported() -> float:
    """Import all that a fit from any file imports; return the memory that this takes, MB."""
    for name in IMPORTS:
        import_module(name)
    return _status("VmRSS")


def _status(key: str) -> float:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024.0 for line in status if line.startswith(key))


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def fit_child(path: str) -> dict[str, Any]:
    import backpass as bp

    imports = _imported()
    before = _spent()
    data = bp.open_dataset(path, target=None if path.endswith("libsvm") else "y")
    n_rows = data.n_rows  # decodes
    decoding = _spent() - before
    model = bp.LogisticRegression().fit(data)
    return _fit_record(model) | {
        "rows": n_rows,
        "imports": imports,
        "peak": _status("VmHWM") - imports,
        "decoding": decoding,
        "cpu": _spent() - before,
    }


def memory_child(n_rows: str, form: str) -> dict[str, Any]:
    from scipy import sparse

    import backpass as bp

    X, y = np.empty((int(n_rows), N_COLUMNS)), np.empty(int(n_rows), dtype=np.int64)
    start = 0
    for some, labels in pieces(int(n_rows)):
        X[start : start + len(some)], y[start : start + len(some)] = some, labels
        start += len(some)
    given = sparse.csr_matrix(X) if form == "CSR" else X
    return _fit_record(bp.LogisticRegression().fit(given, y))


def _fit_record(model: Any) -> dict[str, Any]:
    numbers = np.concatenate([model.coef_.ravel(), model.intercept_])
    return {"bits": f"{zlib.crc32(numbers.tobytes()):08x}", "passes": model.passes_}


def predict_child(model: str, path: str, out: str) -> dict[str, Any]:
    from backpass.cli import main as command

    imports = _imported()
    status = command(["predict", model, path, "--proba", "--id", "x0", "--out", out])
    assert status == 0
    return {"imports": imports, "peak": _status("VmHWM") - imports, "cpu": _spent()}


def decode_child(path: str) -> dict[str, Any]:
    """Read a Parquet file as a fit in place would at every pass, then a store of it."""
    import backpass as bp
    from backpass.data.parquet import ParquetSource

    _imported()
    matrix = np.empty((1 << 15, N_COLUMNS))
    at = _spent()
    for table in ParquetSource(path).chunks(NAMES, ()):
        for j, name in enumerate(NAMES):
            matrix[: table.num_rows, j] = table[name]
    in_place, at = _spent() - at, _spent()
    store = bp.open_dataset(path, target="y").table
    converting, at = _spent() - at, _spent()
    for start in range(0, store.n_rows, len(matrix)):
        n_rows = min(len(matrix), store.n_rows - start)
        store.numbers.read(slice(start, start + n_rows), matrix[:n_rows])
    return {
        "in place": in_place,
        "converting": converting,
        "from store": _spent() - at,
        "file": os.path.getsize(path),
        "store": store.n_rows * (store.numbers.row_bytes + store.labels.row_bytes),
    }


CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    "fit": fit_child,
    "memory": memory_child,
    "predict": predict_child,
    "decode": decode_child,
}


def child(*arguments: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


# What is said of it


def fits(folder: Path, options: argparse.Namespace) -> list[str]:
    lines = [
        "## Fits",
        "",
        "`LogisticRegression().fit(open_dataset(file))`, 20 columns of numbers. Memory is the peak "
        "above the imports' own, in MB of 2^20 bytes. Equal digits at the end are equal "
        "coefficients, to the last bit; array and CSR are in memory.",
        "",
        "| rows | from | file, MB | memory, MB | passes | CPU s, of these decoding | bits |",
        "| ---: | :--- | ---: | ---: | ---: | ---: | :--- |",
    ]
    for n_rows in options.rows:
        for kind in options.formats:
            path = folder / f"rows.{kind}"
            WRITERS[kind](path, n_rows)
            got = child("fit", path)
            size = path.stat().st_size / 2**20
            path.unlink()
            cpu = f"{got['cpu']:.0f}, {got['decoding']:.0f}"
            lines.append(
                f"| {n_rows:,} | {kind} | {size:,.0f} | {got['peak']:.0f} | {got['passes']:.2f} | "
                f"{cpu} | {got['bits']} |"
            )
            print(lines[-1], file=sys.stderr)
        if n_rows * N_COLUMNS * 8 <= options.in_memory * 2**30:
            for form in ("array", "CSR"):
                got = child("memory", n_rows, form)
                passes = f"{got['passes']:.2f}"
                lines.append(f"| {n_rows:,} | {form} | - | - | {passes} | - | {got['bits']} |")
    return lines


def in_place(folder: Path, rows: list[int]) -> list[str]:
    lines = [
        "## Parquet in place, or decoded once",
        "",
        "CPU seconds per reading of all rows. Decoding once pays from the reading on at which it "
        "and the readings of the store cost less than as many readings in place.",
        "",
        "| rows | a reading in place | decoding once | a reading of the store | "
        "pays from reading | file, store, MB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for n_rows in rows:
        path = folder / "rows.parquet"
        write_parquet(path, n_rows)
        got = child("decode", path)
        path.unlink()
        saved = got["in place"] - got["from store"]
        pays = f"{got['converting'] / saved:.1f}" if saved > 0.0 else "never"
        lines.append(
            f"| {n_rows:,} | {got['in place']:.2f} | {got['converting']:.2f} | "
            f"{got['from store']:.2f} | {pays} | "
            f"{got['file'] / 2**20:,.0f}, {got['store'] / 2**20:,.0f} |"
        )
    return lines


def predictions(folder: Path, rows: list[int]) -> list[str]:
    import backpass as bp

    lines = [
        "## Predictions",
        "",
        "`backpass predict MODEL DATA --proba --id x0 --out p.csv`. Every input row has its line, "
        "in order: the copied column is compared cell by cell.",
        "",
        "| rows | from | memory, MB | CPU s |",
        "| ---: | :--- | ---: | ---: |",
    ]
    first = next(tables(10_000)).to_pandas()
    model, out = folder / "m.safetensors", folder / "p.csv"
    bp.save(bp.LogisticRegression(missing="indicator").fit(first[NAMES], first["y"]), model)
    for n_rows in rows:
        for kind in ("csv", "parquet"):
            path = folder / f"rows.{kind}"
            WRITERS[kind](path, n_rows)
            got = child("predict", model, path, out)
            refuse_other_order(out, n_rows)
            path.unlink()
            lines.append(f"| {n_rows:,} | {kind} | {got['peak']:.0f} | {got['cpu']:.0f} |")
            print(lines[-1], file=sys.stderr)
    return lines


def refuse_other_order(out: Path, n_rows: int) -> None:
    """Raise AssertionError where the column copied through is not that of the rows, in order."""
    import pyarrow.csv

    given = (x for X, _ in pieces(n_rows) for x in X[:, 0].tolist())
    n_lines = 0
    with pyarrow.csv.open_csv(out) as written:
        for batch in written:
            for cell in batch["x0"].to_pylist():
                assert cell == next(given), f"row {n_lines + 1} is out of order"
                n_lines += 1
    assert n_lines == n_rows, f"{n_lines:,} lines for {n_rows:,} rows"


if __name__ == "__main__":
    main()
