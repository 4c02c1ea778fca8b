"""What a command shows in a terminal while it works, and what Ctrl-C leaves in each phase of it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from importlib import resources

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import backpass as bp
from backpass.cli.progress import Meter, watching
from backpass.watch import Moment, told

PENGUINS = str(resources.files("backpass.data") / "penguins.csv")
START = [sys.executable, "-c", "import sys; from backpass.cli import main; sys.exit(main())"]


class Terminal:
    """A command whose stderr is a terminal; stdout goes to a file."""

    def __init__(self, arguments, folder):
        (folder / "tmp").mkdir()
        self.folder = folder
        ours, theirs = pty.openpty()
        environment = os.environ | {
            "TMPDIR": str(folder / "tmp"),
            "COLUMNS": "200",
            "TERM": "xterm",
        }
        with open(folder / "stdout", "wb") as stdout:
            self.process = subprocess.Popen(
                [*START, *map(str, arguments)], stdout=stdout, stderr=theirs, env=environment
            )
        os.close(theirs)
        self.ours, self.shown = ours, ""

    def read_until(self, pattern, seconds=300.0):
        """Read what is shown until the pattern is among it, or the command ends.

        The first fit after an installation compiles its kernels, which takes a while.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if pattern is not None and re.search(pattern, self.shown):
                return True
            if not select.select([self.ours], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self.ours, 65536)
            except OSError:  # the other end is closed
                return pattern is None
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece.decode("utf-8", "replace"))
        return False

    def end(self):
        """Wait for the end; return the exit status and what is left beside what was there."""
        self.read_until(None)
        os.close(self.ours)
        status = self.process.wait(timeout=30)
        assert os.listdir(self.folder / "tmp") == []
        return status, sorted(set(os.listdir(self.folder)) - {"tmp", "stdout"})


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A table whose reading, fit and training each take seconds."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "big.csv"
    columns = {f"x{j}": rng.normal(size=60_000) for j in range(30)}
    pa.csv.write_csv(pa.table({**columns, "y": rng.integers(0, 12, 60_000)}), path)
    return path


def test_a_fit_is_shown_from_reading_to_its_end(tmp_path):
    fit = Terminal(["fit", PENGUINS, "--target", "species", "--cv"], tmp_path)
    assert fit.end() == (0, [])
    for pattern in (  # of fits this short, not each one is drawn
        r"reading penguins\.csv .*344 rows, [\d,]+ rows/s",
        r"fitting 275 rows .*fold \d of 5, C = \S+, pass \d+\.\d, [\d,]+ rows/s",
        r"pass \d+\.\d, .*objective \d\S+, gap at most \d",
    ):
        assert re.search(pattern, fit.shown), pattern
    assert "fitting" not in (tmp_path / "stdout").read_text()


PHASES = {
    "reading": (["--target", "y"], r"reading big\.csv"),
    "a fit": (["--target", "y"], r"fitting 4[\d,]+ rows .*pass \d"),
    "folds": (["--target", "y", "--cv"], r"fold 1 of 5.*pass \d"),
    # More epochs than are waited for: not each is drawn, and the end must not come first.
    "epochs": (
        ["--target", "y", "--hidden", "64,64", "--epochs", "9999", "--no-early-stopping"],
        r"epoch \d+ of at most 9999, .*loss \d",
    ),
}


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_leaves_nothing_in_any_phase_of_a_fit(big, tmp_path, phase):
    arguments, shown = PHASES[phase]
    outputs = ["--out", tmp_path / "m.safetensors", "--report", tmp_path / "r.html"]
    fit = Terminal(["fit", big, *arguments, *outputs], tmp_path)
    assert fit.read_until(shown), fit.shown[-500:]
    fit.process.send_signal(signal.SIGINT)
    assert fit.end() == (130, [])
    assert "backpass: error: interrupted; nothing was written." in fit.shown
    assert (tmp_path / "stdout").read_bytes() == b""


def test_a_request_to_end_leaves_nothing_either(big, tmp_path):
    arguments, shown = PHASES["epochs"]
    fit = Terminal(["fit", big, *arguments, "--out", tmp_path / "m.safetensors"], tmp_path)
    assert fit.read_until(shown), fit.shown[-500:]
    fit.process.send_signal(signal.SIGTERM)
    assert fit.end() == (143, [])
    assert "error" not in fit.shown


def test_ctrl_c_while_predicting_leaves_nothing(tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    X = np.random.default_rng(0).normal(size=(400, 30))
    import pandas as pd

    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(30)])
    bp.save(bp.LogisticRegression().fit(frame, X[:, 0] > 0), folder / "m.safetensors")
    lines = "\n".join(",".join(f"{x:.3f}" for x in row) for row in X)
    (folder / "rows.csv").write_text(",".join(frame.columns) + "\n" + f"{lines}\n" * 500)
    predict = Terminal(
        ["predict", folder / "m.safetensors", folder / "rows.csv", "--out", tmp_path / "p.csv"],
        tmp_path,
    )
    assert predict.read_until(r"predicting rows\.csv .*\d rows, [\d,]+ rows/s")
    predict.process.send_signal(signal.SIGINT)
    assert predict.end() == (130, [])


def test_quiet_and_json_show_nothing_in_a_terminal_either(tmp_path):
    for flag in ("--quiet", "--json"):
        (tmp_path / flag).mkdir()
        fit = Terminal(["fit", PENGUINS, "--target", "species", flag], tmp_path / flag)
        assert fit.end() == (0, []) and fit.shown == ""


def test_piped_nothing_is_shown(capfd):
    with watching("fitting") as meter:
        meter.rows(10)
        meter.moment(Moment(1.0, 10))
    assert capfd.readouterr() == ("", "")


def test_what_a_meter_says():
    said = []
    meter = Meter(lambda words, share: said.append((re.sub(r"[\d,]+ rows/s", "R", words), share)))
    meter.rows(3)
    meter.moment(Moment(1.25, 0, objective=2.5))
    meter.moment(Moment(2.0, 0, gap=1e-3))
    meter.stage("fold 1")
    meter.moment(Moment(2.5, 0))
    meter.epoch(5, 20, 0, 0.25, 0.5)
    assert said == [
        ("3 rows, R", None),
        ("pass 1.2, R, objective 2.50000", 0.25),
        ("pass 2.0, R, objective 2.50000, gap at most 0.0010", 0.0),
        ("fold 1, pass 2.5, R", 0.5),
        ("fold 1, epoch 5 of at most 20, R, loss 0.2500, 0.5000 on validation rows", 0.25),
    ]


def test_a_fit_tells_where_it_stands_and_only_inside():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 5))
    y = X[:, 0] + rng.normal(size=5000) > 0
    moments = []
    with told(moments.append):
        model = bp.LogisticRegression().fit(X, y)
    count = len(moments)
    bp.LogisticRegression().fit(X, y)
    assert len(moments) == count
    passes = [moment.passes for moment in moments]
    assert passes == sorted(passes) and passes[-1] <= model.passes_
    assert {moment.n_rows for moment in moments} == {5000}
    objectives = [moment.objective for moment in moments if moment.objective is not None]
    assert objectives[-1] == model.objective_
    assert [moment.gap for moment in moments if moment.gap is not None][-1] == model.gap_
