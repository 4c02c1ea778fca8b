"""Remedies in the words of the one who reads them: flags here, arguments in Python."""

from __future__ import annotations

import pickle

import pytest

from backpass.cli.flags import spelling
from backpass.data.errors import DataError, Setting, leave_out

MARKER = Setting("take it for a missing value", "missing_values", ("?", "n/a"))
ERROR = DataError("is 'n/a'.", file="t.csv", column="my age", remedies=[MARKER, "mend it"])


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("fit", "Take it for a missing value (--missing-values '?,n/a'), or mend it."),
        (
            "show",
            "Take it for a missing value (fit again with --missing-values '?,n/a'), or mend it.",
        ),
    ],
)
def test_the_command_line_speaks_its_own_flags(command, remedy):
    said = ERROR.sentence(spelling([command, "t.csv"]))
    assert said == f"t.csv, column 'my age': is 'n/a'. {remedy}"


def test_python_speaks_arguments():
    assert str(ERROR).endswith(
        "Take it for a missing value (missing_values=['?', 'n/a'] in open_dataset), or mend it."
    )


def test_a_setting_that_no_command_has_is_passed_over():
    error = DataError("is wrong.", remedies=[Setting("paint it", "colour", "red")])
    assert error.sentence(spelling(["fit"])) == "is wrong."


def test_errors_keep_their_remedies_on_the_way():
    error = DataError("is wrong.", record=2, remedies=[leave_out("a")])
    moved = pickle.loads(pickle.dumps(error.further_on(10).in_file("t.csv")))
    assert str(moved) == (
        "t.csv, record 12: is wrong. Leave the column out (drop=['a'] in open_dataset)."
    )
