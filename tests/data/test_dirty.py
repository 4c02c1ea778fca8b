"""Files as they are: each fault works or ends in one line that says where (see docs/data.md)."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pytest

import backpass as bp
from backpass.data.errors import DataError

HEADER = "x,k,y\n"
ROWS = "".join(f"{i % 7},{'ab'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(40))
GOOD = HEADER + ROWS
NAMES = ["x", "k=a", "k=b"]


def fitted(path, data, **options):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return bp.LogisticRegression().fit(bp.open_dataset(path, target="y", **options))


def with_commas(text):
    return text.replace(",", ";").replace("\n1;", "\n1,5;")


# (line of the table in docs/data.md, the file's bytes, options, names of the coefficients)
WORKS = [
    ("byte order mark", b"\xef\xbb\xbf" + GOOD.encode(), {}, NAMES),
    ("`;` or tab between fields", GOOD.replace(",", ";"), {}, NAMES),
    ("`;` or tab between fields", GOOD.replace(",", "\t"), {}, NAMES),
    ("decimal commas", with_commas(GOOD), {"decimal": ","}, NAMES),
    (
        "newline inside quotes",
        GOOD + '3,"a\nb",yes\n' * 3,
        {},
        ["x", "k=a", "k=a\nb", "k=b"],
    ),
    (
        "Windows-1252 bytes",
        (GOOD + "3,café,yes\n" * 2).encode("cp1252"),
        {"encoding": "cp1252"},
        [*NAMES, "k=café"],
    ),
    ("UTF-16", GOOD.encode("utf-16"), {"encoding": "utf-16"}, NAMES),
    ("blank lines at the end", GOOD + "\n\n  \n", {}, NAMES),
    ("no newline at the end", GOOD[:-1], {}, NAMES),
    ("Windows line ends", GOOD.replace("\n", "\r\n"), {}, NAMES),
    (
        "`?`, `NA` and empty cells",
        GOOD + "?,NA,yes\n,a,no\nNaN,,yes\n",
        {},
        ["x", "x (missing)", "k=a", "k=b", "k (missing)"],
    ),
    ("spaces around cells", GOOD.replace("yes", " yes ").replace(",a", ", a"), {}, NAMES),
    ("a class with one row", GOOD + "1,b,maybe\n", {}, NAMES),
    ("a row without a label", GOOD + "1,b,\n", {}, NAMES),
    ("a quote inside a field", GOOD + '1,5" pipe,yes\n' * 2, {}, ["x", 'k=5" pipe', *NAMES[1:]]),
    ("a constant column", GOOD.replace(",b", ",a"), {}, ["x"]),
    ("a compressed file with another ending", gzip.compress(GOOD.encode()), {}, NAMES),
]

# (line of the table, the file's bytes, what the error says after the file's name)
FAILS = [
    ("decimal commas", with_commas(GOOD), "column 'x': holds numbers with decimal commas such as"),
    (
        "Windows-1252 bytes",
        (GOOD + "3,café,yes\n").encode("cp1252"),
        "record 41, column 'k': holds bytes that are not UTF-8. Read them as Windows-1252, if they "
        "are (encoding='cp1252' in open_dataset).",
    ),
    ("UTF-16", GOOD.encode("utf-16"), "is not UTF-8 text (UTF-16, or no text at all)"),
    ("a header name twice", "x,x,y\n" + ROWS, "has more than one column called 'x'; rename"),
    ("an empty header name", "x,,y\n" + ROWS, "column 2 of 3 has no name"),
    (
        "no header",
        ROWS,
        "has no column 'y'; its columns are '0', 'a', 'no'. They look like a record's cells; is "
        "the header line missing? If there is no header, put a line with the columns' names in "
        "front.",
    ),
    (
        "no header",
        "p,x,p\n" + "p,x,e\nx,p,p\n" * 20,
        "has more than one column called 'p'; rename all but one. They look like a record's cells;",
    ),
    (
        "no header",
        "2019,2020,z\n" + "0.5,1.5,yes\n1.5,2.5,no\n" * 20,
        "its columns are '2019', '2020', 'z'. Some of these names are numbers; is the header line",
    ),
    (
        "row names without a header name",
        "x,y\n" + "".join(f"r{i},{i},{'ab'[i % 2]}\n" for i in range(40)),
        "record 1: has 3 fields where the header has 2; mend the record, or put quotes around "
        "fields that contain the separator. All records looked at have one more than the header",
    ),
    (
        "another separator",
        GOOD.replace(",", "|"),
        "its columns are 'x|k|y'. The line has none of the separators ',', ';' and tab.",
    ),
    ("ragged rows", "x,k,y\n1,a,yes\n2,b\n3,a,no\n4\n", "record 2: has 2 fields where the"),
    ("ragged rows", GOOD + "1,a\n", "record 41: has 2 fields where the header has 3"),
    ("ragged rows", GOOD + "1,a,yes,9\n", "record 41: has 4 fields where the header has 3"),
    ("a quote that is never closed", GOOD + '1,"a,yes\n' + ROWS, "record 41: has 2 fields where"),
    ("`inf`", GOOD + "inf,a,yes\n", "record 41, column 'x': inf is not a finite number"),
    (
        "mixed types in late rows",
        HEADER + ROWS * 50 + "oops,a,yes\n",
        "record 2,001, column 'x': 'oops' is not a number; 2,000 other cells of the column are. "
        "Take it for a missing value (missing_values=['NA', 'N/A', 'NaN', 'null', '?', 'oops'] in "
        "open_dataset), or declare it a category (categorical=['x'] in open_dataset).",
    ),
    (
        "one class",
        GOOD.replace("no", "yes"),
        "column 'y': has one class only, 'yes'; a classifier needs two classes.",
    ),
    (
        "a target that was measured",
        HEADER + "".join(f"{i % 7},a,{i / 8}\n" for i in range(60)),
        "column 'y': has 60 values in 60 rows",
    ),
    (
        "a text that names rows",
        HEADER + "".join(f"1,u{i},{'yes' if i % 3 else 'no'}\n" for i in range(40)),
        "column 'k': holds 40 different texts in 40 rows ('u0', 'u1', ...), so it names rows",
    ),
    (
        "dates",
        HEADER + "".join(f"1,2024-01-{i + 1:02d},{'yes' if i % 3 else 'no'}\n" for i in range(28)),
        "column 'k': holds dates such as '2024-01-01'. Turn them into numbers",
    ),
    ("an empty file", b"", "is empty; expected a header line and records."),
    ("a header without records", HEADER, "has a header but no records."),
]


@pytest.mark.parametrize(("line", "data", "options", "names"), WORKS)
def test_it_works(tmp_path, line, data, options, names):
    assert list(fitted(tmp_path / "t.csv", data, **options).coef_names_) == names


@pytest.mark.parametrize(("line", "data", "message"), FAILS)
def test_it_ends_in_one_line_that_says_where(tmp_path, line, data, message):
    with pytest.raises(DataError) as caught:
        fitted(tmp_path / "t.csv", data)
    said = str(caught.value)
    assert said.startswith(("t.csv: ", "t.csv, ")) and "\n" not in said
    assert message in said


def test_a_first_record_that_passes_for_a_header_is_pointed_out(tmp_path):
    body = "".join(f"{i % 7 + 0.5},{i % 2}\n" for i in range(40))
    path = tmp_path / "t.csv"
    path.write_text("0.5,0\n" + body)
    said = r"t\.csv: the first line is taken for the header, but '0\.5', '0' look like a record's"
    with pytest.warns(bp.DataWarning, match=said):
        _ = bp.open_dataset(path, target="0").table
    # Columns that are counted, as those of pixels are, and names that no cell has, are names.
    for header in ("0,1\n", "x,y\n"):
        path.write_text(header + body)
        assert bp.open_dataset(path, target=header[2]).table.n_rows == 40


@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_a_compressed_file_that_was_cut_short(tmp_path, codec, kept):
    text = (GOOD + ROWS * 300).encode()
    raw = gzip.compress(text) if codec == "gz" else pa.compress(text, codec="zstd", asbytes=True)
    with pytest.raises(DataError, match=rf"t\.csv\.{codec}: the compressed file is damaged"):
        fitted(tmp_path / f"t.csv.{codec}", raw[: int(kept * len(raw))])


def test_a_compressed_file_with_a_wrong_checksum(tmp_path):
    raw = bytearray(gzip.compress(GOOD.encode()))
    raw[-6] ^= 1
    with pytest.raises(DataError, match="CRC check failed"):
        fitted(tmp_path / "t.csv.gz", bytes(raw))


def test_faults_are_found_in_the_file_that_has_them(tmp_path):
    for part, rows in enumerate([ROWS, ROWS + "oops,a,yes\n", ROWS]):
        (tmp_path / f"part-{part}.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=r"part-1\.csv, record 41, column 'x': 'oops'"):
        _ = bp.open_dataset(tmp_path / "part-*.csv", target="y").table
    (tmp_path / "part-2.csv").write_text(HEADER.replace("k", "kind") + ROWS)
    with pytest.raises(DataError, match=r"part-2\.csv: has no 'k', which part-0\.csv"):
        bp.open_dataset(tmp_path / "part-*.csv", target="y")


@pytest.mark.parametrize("size", [200, 997, 4096])
def test_where_pieces_are_cut_makes_no_difference(tmp_path, monkeypatch, size):
    text = HEADER + (ROWS + '3,"a\nb ""c"", d",yes\n3,5" pipe,no\n') * 30
    whole = fitted(tmp_path / "t.csv", text)
    monkeypatch.setattr("backpass.data.bytestream.PIECE", size)
    cut = fitted(tmp_path / "t.csv", text)
    assert cut.encoding_ == whole.encoding_ and (cut.coef_ == whole.coef_).all()
    assert cut.encoding_.n_rows == 42 * 30


def test_the_table_in_the_docs_lists_every_case_of_these_tests():
    page = Path(__file__).parents[2] / "docs" / "data.md"
    listed = re.findall(r"^\| ([^|]+?) +\|", page.read_text(encoding="utf-8"), re.MULTILINE)
    tested = {case[0] for case in [*WORKS, *FAILS]}
    assert tested <= set(listed), f"docs/data.md lacks {sorted(tested - set(listed))}"
