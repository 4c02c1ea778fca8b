"""Separated text: what is recognised, and what is refused with file, record and column."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.reading import read_table

import backpass as bp
from backpass.data.errors import DataError


@pytest.fixture
def write(tmp_path):
    def to_file(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def kinds(table):
    return {name: str(table[name].type) for name in table.column_names}


def test_numbers_booleans_and_text_are_told_apart(write):
    path = write("a,b,c,d\n1,x,true,\n2.5e3,7y,FALSE,NA\n-.5,,?,null\n")
    table = read_table(path)
    assert kinds(table) == {"a": "double", "b": "string", "c": "bool", "d": "string"}
    assert table.to_pydict() == {
        "a": [1.0, 2500.0, -0.5],
        "b": ["x", "7y", None],
        "c": [True, False, None],
        "d": [None, None, None],
    }


def test_spaces_around_cells_and_names_are_no_part_of_them(write):
    table = read_table(write("a, b\n 1 , x \n ?, ?\n 3,y\n"))
    assert table.to_pydict() == {"a": [1.0, None, 3.0], "b": ["x", None, "y"]}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_are_recognised(write, separator, end):
    lines = ["a|b|c", "1|'x, y; z'|2", "3|p|4"]
    text = end.join(lines).replace("|", separator).replace("'", '"') + end
    table = read_table(write(text))
    assert table.to_pydict() == {"a": [1.0, 3.0], "b": ["x, y; z", "p"], "c": [2.0, 4.0]}


def test_compression_goes_by_the_first_bytes(write):
    text = b"a,b\n" + b"1,x\n2,y\n" * 1000
    plain = read_table(write(text))
    assert read_table(write(gzip.compress(text), "t.csv.gz")).equals(plain)
    assert read_table(write(gzip.compress(text), "misnamed.csv")).equals(plain)
    zst = pa.compress(text, codec="zstd", asbytes=True)
    assert read_table(write(zst, "t.csv.zst")).equals(plain)


@pytest.mark.parametrize("cut", [5, 40])
def test_a_file_cut_short_is_refused(write, cut):
    rows = "\n".join(f"{i},{i * 7919 % 1000}" for i in range(2000))
    text = f"a,b\n{rows}\n".encode()
    zst = pa.compress(text, codec="zstd", asbytes=True)
    for raw, name in [(gzip.compress(text), "t.csv.gz"), (zst, "t.csv.zst")]:
        with pytest.raises(DataError, match=rf"^{name}: the compressed file is damaged or cut"):
            read_table(write(raw[:-cut], name))


def test_a_wrong_checksum_is_refused(write):
    raw = bytearray(gzip.compress(b"a,b\n1,x\n2,y\n"))
    raw[-6] ^= 1
    with pytest.raises(DataError, match="damaged or cut short"):
        read_table(write(bytes(raw), "t.csv.gz"))


def test_a_byte_order_mark_is_no_part_of_the_first_name(write):
    assert read_table(write(b"\xef\xbb\xbfa,b\n1,2\n")).column_names == ["a", "b"]


def test_quoted_newlines_empty_lines_and_quotes(write):
    table = read_table(write('a,"b\nc"\n1,"x\ny"\n\n2,"say ""z"""\n\n\n'))
    assert table.to_pydict() == {"a": [1.0, 2.0], "b\nc": ["x\ny", 'say "z"']}


def test_a_quote_that_takes_in_lines_of_a_tsv_is_pointed_out(write):
    text = 'y\tmessage\na\t"whole"\n\nb\tone\na\t"stray\nb\ttwo\na\t"three\n'
    with pytest.warns(
        bp.DataWarning, match=r't\.tsv, record 3: .* "stray takes in 3 lines'
    ) as told:
        assert read_table(write(text, "t.tsv")).num_rows == 3
    assert len(told) == 1
    # Between commas a newline is written so, and nothing is said: warnings are errors here.
    assert read_table(write(text.replace("\t", ","), "t.csv")).num_rows == 3


def test_records_longer_than_a_block(write):
    long = "x" * 3_000_000
    table = read_table(write(f"a,b\n1,{long}\n2,y\n"))
    assert table["b"].to_pylist() == [long, "y"]


def test_late_fractions_and_huge_whole_numbers_are_numbers(write):
    cells = ["1"] * 300_000 + ["1.5", "123456789012345678901234567890"]
    table = read_table(write("a,b\n" + "".join(f"{cell},x\n" for cell in cells)))
    assert table["a"].to_pylist()[-2:] == [1.5, 123456789012345678901234567890.0]


def test_own_markers_replace_the_usual_ones_and_empty_is_always_missing(write):
    path = write("a,b\n1,NA\n-9,x\n,?\n")
    table = read_table(path, missing_values=("-9",))
    assert table.to_pydict() == {"a": [1.0, None, None], "b": ["NA", "x", "?"]}


def test_text_columns_stay_as_written(write):
    table = read_table(write("a,b\n01,1.0\n1,2\n"), text=["a"])
    assert table.to_pydict() == {"a": ["01", "1"], "b": [1.0, 2.0]}


def test_dropped_columns_are_not_even_judged(write):
    path = write("day,a\n2020-01-01,1\n2020-01-02,2\n")
    assert read_table(path, drop=["day"]).to_pydict() == {"a": [1.0, 2.0]}


def test_a_second_file_is_read_as_the_first_one_was(write):
    path = write("z,b,a\nq,1,2\nr,1,\n")
    table = read_table(path, kinds={"a": "number", "b": "text"}, text=["z"])
    assert table.to_pydict() == {"z": ["q", "r"], "b": ["1", "1"], "a": [2.0, None]}
    with pytest.raises(DataError, match="record 1, column 'z': 'q' is not a number"):
        read_table(path, kinds={"z": "number"})
    with pytest.raises(DataError, match="record 1, column 'z': 'q' is not true or false"):
        read_table(path, kinds={"z": "boolean"})
    with pytest.raises(DataError, match=r"t.csv: has no column 'Z' \('z' perhaps\?\)"):
        read_table(path, kinds={"Z": "number"})


REFUSED = {
    "empty": ("", "t.csv: is empty"),
    "blank": ("\n \n", "t.csv: is empty"),
    "header only": ("a,b\n", "t.csv: has a header but no records"),
    "twice": ("a,b,a\n1,2,3\n", "t.csv: has more than one column called 'a'"),
    "no name": ("a,,b\n1,2,3\n", "t.csv: column 2 of 3 has no name"),
    "short": ("a,b\n1,2\n3\n", "t.csv, record 2: has 1 field where the header has 2"),
    "long": ("a,b\n1,2\n\n3,4,5\n", "t.csv, record 2: has 3 fields where the header has 2"),
    "mixed": (
        "a,b\n1,x\n2,y\nn/a,x\n4,y\nn/a,y\n",
        "t.csv, record 3, column 'a': 'n/a' is not a number (1 more like it); 3 other cells of the "
        "column are. Take it for a missing value (missing_values=['NA', 'N/A', 'NaN', 'null', '?', "
        "'n/a'] in open_dataset), or declare it a category (categorical=['a'] in open_dataset).",
    ),
    "infinite": ("a,b\n1,x\n-inf,y\n", "t.csv, record 2, column 'a': -inf is not a finite number"),
    "beyond float64": ("a,b\n1,x\n1e999,y\n", "t.csv, record 2, column 'a': inf is not a finite"),
    "dates": ("a,b\n2020-01-31,1\n2020-02-01,2\n", "column 'a': holds dates such as '2020-01-31'"),
    "times": ("a,b\n2020-01-31T10:00,1\n2020-02-01 09:30,2\n", "column 'a': holds dates such as"),
    "German dates": ("a,b\n31.01.2020,1\n,2\n", "column 'a': holds dates such as '31.01.2020'"),
    "Latin-1 cell": (b"a,b\n1,x\n2,caf\xe9\n", "t.csv, record 2, column 'b': holds bytes that"),
    "Latin-1 header": (b"caf\xe9,b\n1,x\n", "t.csv: the header is not UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "t.csv: is not UTF-8 text"),
    "open quote": ('a,b\n1,x\n2,"y\n3,z\n', "record 2, column 'b': a quote is opened before 'y'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_where_what_and_what_to_do(write, name):
    content, message = REFUSED[name]
    with pytest.raises(DataError) as caught:
        _ = bp.open_dataset(write(content), target="b").table
    assert message in str(caught.value)
    assert str(caught.value).startswith("t.csv")


def test_quotes_inside_cells_are_ordinary_characters(write):
    assert read_table(write('a,b\n1,5" pipe\n2,x\n'))["b"].to_pylist() == ['5" pipe', "x"]


def test_files_that_are_none(tmp_path, write):
    with pytest.raises(DataError, match=r"no.csv: there is no such file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match="is a folder without files"):
        read_table(tmp_path)
    with pytest.raises(DataError, match=r"t.xlsx: has an ending that is not known"):
        read_table(write("a", "t.xlsx"))


def test_parquet_reads_as_the_csv_file_does(write, tmp_path):
    text = "a,b,c,d\n1,x,true,1\n2.5,?,false,2\n,y,,3\n"
    table = read_table(write(text), text=["d"])
    columns = {
        "a": pa.array([1, 2.5, None]),
        "b": ["x", " ? ", "y"],
        "c": pa.array([True, False, None]),
        "d": pa.array([1.0, 2.0, 3.0]),
        "e": [1, 2, 3],
    }
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    assert read_table(path, text=["d"], drop=["e"]).equals(table)
    chosen = read_table(path, kinds={"a": "number"}, text=["d"])
    assert chosen.column_names == ["a", "d"]
    with pytest.raises(DataError, match=r"t.parquet: has no column 'z'"):
        read_table(path, text=["z"])
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"t.parquet: is not a Parquet file"):
        read_table(path)


def test_every_cell_is_read_as_python_reads_it(write):
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=5000) * 10.0 ** rng.integers(-300, 300, size=5000)
    table = read_table(write("a,b\n" + "".join(f"{x!r},z\n" for x in numbers.tolist())))
    np.testing.assert_array_equal(table["a"].to_numpy(), numbers)
