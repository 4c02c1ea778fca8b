"""Datasets: any file gives the rows, and a fit the bits, of the same table in memory."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from tests.strategies import random_csr

import backpass as bp
from backpass import streaming
from backpass.data.errors import DataError
from backpass.data.split import stratified_split
from backpass.data.store import OpenFile


def mixed_table(n_rows=3000, seed=0):
    """Numbers, booleans and texts, with values missing in all of them."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40.0, 10.0, n_rows).round(1)
    place = np.array(["Oslo", "Riga", "Bern", "Graz"])[rng.integers(0, 4, n_rows)]
    member = rng.random(n_rows) < 0.5
    z = 0.05 * (age - 40.0) + (place == "Riga") - member
    label = np.where(rng.random(n_rows) < 1.0 / (1.0 + np.exp(-z)), "yes", "no")

    def with_gaps(values, share):
        gone = rng.random(n_rows) < share
        return pa.array(values, mask=gone)

    return pa.table(
        {
            "age": with_gaps(age, 0.1),
            "place": with_gaps(place, 0.05),
            "steady": pa.array(rng.normal(size=n_rows)),
            "member": with_gaps(member, 0.02),
            "label": pa.array(label),
        }
    )


def written(table, path):
    """Write a table in the format that the path's ending names."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=700)
    else:
        sink = pa.BufferOutputStream()
        options = pa.csv.WriteOptions(delimiter="\t" if ".tsv" in path.name else ",")
        pa.csv.write_csv(table, sink, options)
        raw = sink.getvalue().to_pybytes()
        if path.suffix == ".gz":
            raw = gzip.compress(raw)
        elif path.suffix == ".zst":
            raw = pa.compress(raw, codec="zstd", asbytes=True)
        path.write_bytes(raw)
    return path


def same_fit(one, other):
    assert np.array_equal(one.coef_, other.coef_) and np.array_equal(
        one.intercept_, other.intercept_
    )
    assert (one.objective_, one.gap_, one.passes_) == (other.objective_, other.gap_, other.passes_)
    assert one.encoding_ == other.encoding_
    assert list(one.coef_names_) == list(other.coef_names_)
    assert one.classes_.tolist() == other.classes_.tolist()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.csv.zst", "t.parquet"])
def test_a_fit_has_the_bits_of_the_fit_in_memory(tmp_path, name):
    table = mixed_table()
    data = bp.open_dataset(written(table, tmp_path / name), target="label")
    whole = bp.LogisticRegression().fit(table.drop_columns(["label"]), table["label"].to_pylist())
    same_fit(bp.LogisticRegression().fit(data), whole)


@pytest.mark.parametrize(
    "options",
    [
        {"missing": "drop"},
        {"C": np.inf, "missing": "drop"},
        {"standardize": True},
        {"class_weight": "balanced"},
        {"fit_intercept": False},
        {"l1_ratio": 1.0, "C": 0.1},
    ],
    ids=str,
)
def test_so_it_has_with_every_option(tmp_path, options):
    # More rows than one piece of the grid, so that moments are merged and blocks are several.
    table = mixed_table(70_000)
    data = bp.open_dataset(written(table, tmp_path / "t.parquet"), target="label")
    whole = bp.LogisticRegression(**options).fit(
        table.drop_columns(["label"]), table["label"].to_pylist()
    )
    same_fit(bp.LogisticRegression(**options).fit(data), whole)


@given(
    n_rows=st.integers(40, 400),
    seed=st.integers(0, 99),
    piece=st.integers(50, 3000),
    batch=st.integers(1, 300),
    missing=st.sampled_from(["indicator", "drop"]),
)
@settings(max_examples=15, deadline=None)
def test_formats_chunks_and_threads_leave_no_bit_different(n_rows, seed, piece, batch, missing):
    table = mixed_table(n_rows, seed)
    options = {"missing": missing, "C": 0.3}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("backpass.data.bytestream.PIECE", piece)
        patch.setattr("backpass.data.parquet._BATCH", batch)
        # Blocks of 64 rows, so that there are several to be added up.
        patch.setattr("backpass.data.mixed.BLOCK_BYTES", 1)
        expected = bp.LogisticRegression(n_jobs=1, **options).fit(
            table.drop_columns(["label"]), table["label"].to_pylist()
        )
        for name in ("t.csv", "t.parquet"):
            path = written(table, Path(folder) / name)
            for n_jobs in (1, 2):
                with bp.open_dataset(path, target="label") as data:
                    same_fit(bp.LogisticRegression(n_jobs=n_jobs, **options).fit(data), expected)


def test_temporary_files_have_no_name_where_the_system_cannot_make_such_either(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = [OpenFile(None)]
    monkeypatch.delattr(os, "O_TMPFILE")
    opened.append(OpenFile(None))
    for file in opened:
        file.write(b"abc", 0)
        assert os.pread(file.handle, 3, 0) == b"abc"
    assert list(tmp_path.iterdir()) == []


def test_three_classes_and_whole_number_labels(tmp_path):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(900, 3)), rng.integers(3, 6, 900)
    X[np.arange(900), y - 3] += 1.0
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y})
    data = bp.open_dataset(written(table, tmp_path / "t.csv"), target="y")
    model = bp.LogisticRegression().fit(data)
    same_fit(model, bp.LogisticRegression().fit(table.drop_columns(["y"]), y))
    assert model.classes_.tolist() == [3, 4, 5]


def test_weights_come_along(tmp_path):
    table = mixed_table(2000).append_column("w", pa.array(np.arange(2000) % 4 + 0.25))
    data = bp.open_dataset(written(table, tmp_path / "t.csv"), target="label", weight="w")
    whole = bp.LogisticRegression().fit(
        table.drop_columns(["label", "w"]), table["label"].to_pylist(), np.asarray(table["w"])
    )
    same_fit(bp.LogisticRegression().fit(data), whole)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_numpy_files(tmp_path, name):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(500, 4)), rng.integers(0, 2, 500)
    X[::7, 1] = np.nan
    if name == "a.npy":
        np.save(tmp_path / name, np.column_stack([X, y]))
        data = bp.open_dataset(tmp_path / name, target="x4")
    else:
        np.savez_compressed(tmp_path / name, X=X, kind=y)
        data = bp.open_dataset(tmp_path / name, target="kind")
    whole = bp.LogisticRegression(missing="indicator").fit(X, y)
    same_fit(bp.LogisticRegression().fit(data), whole)


def test_a_folder_and_a_glob_of_parquet_are_one_table(tmp_path):
    table = mixed_table(2000)
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(3):
        written(table.slice(700 * part, 700), folder / f"part-{part}.parquet")
    whole = bp.LogisticRegression().fit(table.drop_columns(["label"]), table["label"].to_pylist())
    for path in (folder, folder / "part-*.parquet"):
        same_fit(bp.LogisticRegression().fit(bp.open_dataset(path, target="label")), whole)


def test_a_store_is_opened_at_once_and_gives_the_same_fit(tmp_path):
    table = mixed_table(2000)
    path = written(table, tmp_path / "t.csv")
    kept = bp.ingest(path, tmp_path / "t.store", target="label")
    whole = bp.LogisticRegression().fit(table.drop_columns(["label"]), table["label"].to_pylist())
    same_fit(bp.LogisticRegression().fit(kept), whole)
    path.unlink()
    again = bp.open_dataset(tmp_path / "t.store")
    assert again.n_rows == 2000 and again.target == "label"
    assert again.column_names == ["age", "place", "steady", "member"]
    same_fit(bp.LogisticRegression().fit(again), whole)


def test_the_arrays_of_a_store_are_npy_files(tmp_path):
    table = mixed_table(100)
    bp.ingest(written(table, tmp_path / "t.parquet"), tmp_path / "t.store", target="label")
    numbers = np.load(tmp_path / "t.store" / "numbers-00000.npy", mmap_mode="r")
    assert np.array_equal(numbers[:, 1], np.asarray(table["steady"]))
    assert numbers.offset % 64 == 0


@pytest.mark.parametrize("shard_bytes", [1 << 10, 1 << 14])
def test_rows_are_read_across_shards(tmp_path, monkeypatch, shard_bytes):
    monkeypatch.setattr("backpass.data.store.SHARD_BYTES", shard_bytes)
    monkeypatch.setattr("backpass.data.store._WINDOW", 256)
    values = np.random.default_rng(3).normal(size=(1000, 3))
    table = pa.table({"a": values[:, 0], "b": values[:, 1], "c": values[:, 2]})
    table = table.append_column("y", pa.array(np.arange(1000) % 2))
    store = bp.ingest(written(table, tmp_path / "t.parquet"), tmp_path / "s", target="y").table
    assert len(store.numbers.shards) == -(-1000 // store.numbers.shard_rows) > 1
    for places in (slice(0, 1000), slice(3, 977, 1), slice(0, 1000, 7), slice(129, 900, 64)):
        assert np.array_equal(store.numbers.read(places), values[places])
    assert np.array_equal(store.numbers.read(slice(5, 5)), values[5:5])


def test_a_damaged_store_is_refused(tmp_path):
    store = tmp_path / "t.store"
    bp.ingest(written(mixed_table(500), tmp_path / "t.parquet"), store, target="label")
    shard = store / "codes-00000.npy"
    raw = bytearray(shard.read_bytes())
    raw[700] ^= 1
    shard.write_bytes(raw)
    with pytest.raises(DataError, match=r"t\.store: the store's codes-00000\.npy is damaged"):
        bp.open_dataset(store)
    shard.write_bytes(raw[:-4])
    with pytest.raises(DataError, match=r"codes-00000\.npy is missing or has another size"):
        bp.open_dataset(store)
    (store / "meta.json").write_text('{"format": 1}')
    with pytest.raises(DataError, match=r"meta\.json: store lacks"):
        bp.open_dataset(store)


def test_an_error_leaves_no_half_of_a_store(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,no\n" + "2,yes\n" * 10 + "x,no\n")
    with pytest.raises(DataError, match=r"t\.csv, record 12, column 'a': 'x' is not a number"):
        bp.ingest(path, tmp_path / "t.store", target="y")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
    with pytest.raises(FileExistsError):
        bp.ingest(path, path, target="y")


def child(script, *arguments):
    """Start Python on a script; its arguments are texts."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    written(mixed_table(20_000), tmp_path / "t.csv")
    (tmp_path / "temporary").mkdir()
    script = """
        import sys, time
        import backpass as bp
        from backpass.data import ingest
        append = ingest._Writer.append
        def slowly(self, table):
            append(self, table)
            print("writing", flush=True)
            time.sleep(60)
        ingest._Writer.append = slowly
        if sys.argv[2]:
            bp.ingest(sys.argv[1], sys.argv[2], target="label")
        else:
            bp.open_dataset(sys.argv[1], target="label").table
    """
    for store in ("", tmp_path / "t.store"):
        os.environ["TMPDIR"] = str(tmp_path / "temporary")
        try:
            process = child(script, tmp_path / "t.csv", store)
        finally:
            del os.environ["TMPDIR"]
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode != 0 and "KeyboardInterrupt" in err
        assert sorted(file.name for file in tmp_path.iterdir()) == ["t.csv", "temporary"]
        assert list((tmp_path / "temporary").iterdir()) == []


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Two fits, the second on eight times the rows: 160 MB of numbers, a tenth of it in memory."""
    peaks = []
    for n_rows in (125_000, 1_000_000):
        path = tmp_path / f"{n_rows}.parquet"
        rng = np.random.default_rng(4)
        X = rng.normal(size=(n_rows, 20)).astype(np.float32)
        label = (X[:, 0] + rng.normal(size=n_rows) > 0.0).astype(np.int8)
        pq.write_table(pa.table([*X.T, label], names=[*map(str, range(20)), "y"]), path)
        script = """
            import sys
            import backpass as bp
            bp.LogisticRegression(n_jobs=2).fit(bp.open_dataset(sys.argv[1], target="y"))
            status = open("/proc/self/status").read()
            print(int(status.split("VmHWM:")[1].split()[0]) / 1024.0)
        """
        out, err = child(script, path).communicate(timeout=300)
        peaks.append(float(out or pytest.fail(err)))
    assert peaks[1] - peaks[0] < 40.0


def svm_text(X, y, first):
    """Write a CSR matrix as libsvm text."""
    lines = []
    for i, label in enumerate(y):
        part = slice(X.indptr[i], X.indptr[i + 1])
        pairs = zip(X.indices[part] + first, X.data[part].tolist(), strict=True)
        lines.append(" ".join([f"{label:+d}", *(f"{j}:{value!r}" for j, value in pairs)]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("first", [0, 1])
def test_libsvm_text_and_its_store_fit_like_the_matrix(tmp_path, first, monkeypatch):
    monkeypatch.setattr("backpass.data.bytestream.PIECE", 1 << 12)
    rng = np.random.default_rng(5)
    X = random_csr(rng, (4000, 50), 0.1)
    X[0, 0] = 1.0  # so that both ways of counting use their first index
    X = X.tocsr()
    X.sort_indices()
    y = np.where(X @ rng.normal(size=50) > 0.0, 1, -1)
    whole = bp.LogisticRegression(max_iter=200).fit(sparse.csr_matrix(X), y)
    path = tmp_path / "t.svm.gz"
    path.write_bytes(gzip.compress(svm_text(X, y, first).encode()))
    bp.ingest(path, tmp_path / "t.store")
    for place in (path, tmp_path / "t.store"):
        data = bp.open_dataset(place)
        model = bp.LogisticRegression(max_iter=200).fit(data)
        assert np.array_equal(model.coef_, whole.coef_) and model.gap_ == whole.gap_
        assert model.classes_.tolist() == [-1, 1] and model.n_features_in_ == 50
        assert data.target == "label" and data.column_names[:2] == [f"x{first}", f"x{first + 1}"]


def test_comments_and_query_ids_of_libsvm_are_no_values(tmp_path):
    path = tmp_path / "t.svm"
    path.write_text("# a header\n1 qid:3 1:0.5 3:2 # said\n\n-1 2:1e-3\n1\n")
    table = bp.open_dataset(path).table
    assert table.n_rows == 3 and table.n_columns == 3
    assert table.values.read(slice(0, 3)).tolist() == [0.5, 2.0, 1e-3]
    assert table.indptr.read(slice(0, 4)).tolist() == [0, 2, 3, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("yes 1:2", "record 3: the label 'yes' is not a number"),
        ("1 2:3 2:4", "record 3: index 2 comes after 2; indices of a line ascend"),
        ("1 2:3 1:4", "record 3: index 1 comes after 2"),
        ("1 1.5:3", "record 3: '1.5:3' is not index:value"),
        ("1 -1:3", "record 3: '-1:3' is not index:value"),
        ("1 4", "record 3: '4' is not index:value"),
        ("1 4:", "record 3: '4:': '' is not a finite number"),
        ("1 4:nan", "record 3: '4:nan': 'nan' is not a finite number"),
        ("1 4:1e999", "record 3: '4:1e999': '1e999' is not a finite number"),
        ("1 4:1:2", "record 3: '4:1:2': '1:2' is not a finite number"),
        ("1 4:1+2", "record 3: '4:1+2': '1+2' is not a finite number"),
    ],
)
def test_what_is_wrong_with_libsvm_text_is_named(tmp_path, line, message):
    path = tmp_path / "t.svm"
    path.write_text(f"1 1:2\n-1 2:3\n{line}\n1 1:1\n")
    with pytest.raises(DataError) as caught:
        _ = bp.open_dataset(path).table
    assert message in str(caught.value)


def test_what_a_dataset_cannot_be_asked(tmp_path):
    path = written(mixed_table(50), tmp_path / "t.csv")
    with pytest.raises(ValueError, match="needs target="):
        bp.open_dataset(path)
    with pytest.raises(DataError, match=r"has no column 'lable' \('label' perhaps\?\)"):
        bp.open_dataset(path, target="lable")
    with pytest.raises(DataError, match="there is no such file"):
        bp.open_dataset(tmp_path / "none.csv", target="label")
    with pytest.raises(DataError, match="ending that is not known"):
        bp.open_dataset(path.rename(tmp_path / "t.xls"), target="label")
    data = bp.open_dataset((tmp_path / "t.xls").rename(path), target="label")
    with pytest.raises(ValueError, match="brings its labels"):
        bp.LogisticRegression().fit(data, [1, 2])
    data.close()
    with pytest.raises(ValueError, match="closed"):
        bp.LogisticRegression().fit(data)


def test_rows_held_out_are_those_of_the_split_in_memory(tmp_path):
    table = mixed_table(70_000)
    store = bp.open_dataset(written(table, tmp_path / "t.parquet"), target="label").table
    kept, held = streaming.hold_out(store, 0.2, seed=3)
    parts = stratified_split(store.labels.read(slice(0, store.n_rows)), 0.2, seed=3)
    for part, rows in zip((kept, held), parts, strict=True):
        whole = store.numbers.read(slice(0, store.n_rows))[rows]
        np.testing.assert_array_equal(part.numbers.read(slice(0, part.n_rows)), whole)
