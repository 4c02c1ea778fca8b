"""The commands as users type them: what they print, what they write, how they end."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import backpass as bp
from backpass.cli import main
from backpass.cli.words import columns, number

PENGUINS = str(resources.files("backpass.data") / "penguins.csv")
METRICS = ("accuracy", "log_loss", "auc", "brier", "calibration_error")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "penguins.safetensors"
    assert main(["fit", PENGUINS, "--target", "species", "--out", str(path), "--quiet"]) == 0
    return path


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="t.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to_file


def error_line(status, out, err, expected=1):
    """Return the one line of an error, after checking that there is nothing else."""
    assert (status, out) == (expected, "")
    assert err.startswith("backpass: error: ") and err.count("\n") == 1
    return err.removeprefix("backpass: error: ").strip()


def test_fit_prints_what_it_found_in_plain_text_when_piped(run):
    status, out, err = run("fit", PENGUINS, "--target", "species")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert "penguins.csv → species" in out
    assert re.search(r"rows +275 to fit on, 69 held out by class, seed 0", out)
    assert re.search(r"missing +bill_length_mm \d.*sex \d+", out)
    accuracy = re.search(r"accuracy +(\S+) +(\S+) +(\S+)", out)
    assert float(accuracy[1]) > 0.95 and float(accuracy[2]) < 0.5
    assert re.search(r"bill_length_mm +Adelie +-\S+ +-\S+", out)
    assert re.search(r"objective +\S+, within \S+ of the minimum, proven", out)
    assert re.search(r"passes .*\n.*time +\S+ s, peak memory \d+ MB", out)


def test_fit_as_json_holds_what_the_text_holds(run, tmp_path):
    path = tmp_path / "m.safetensors"
    status, out, _ = run("fit", PENGUINS, "--target", "species", "--json", "--out", path)
    found = json.loads(out)
    assert status == 0
    assert found["n_rows"] == 275 and found["n_features"] == 7
    assert found["classes"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert found["converged"] is True and 0.0 <= found["gap"] < 1e-3 * found["objective"]
    assert found["passes"] > 0 and found["seconds"] > 0 and found["peak_memory_mb"] > 10
    assert found["model"] == str(path) and found["warnings"] == []
    for part in ("train", "test", "trivial"):
        assert set(found[part]) == {*METRICS, "n_rows"}
    model = bp.load(path)
    assert len(found["coefficients"]) == model.coef_.size
    first = found["coefficients"][0]
    assert first["name"] == "island=Biscoe" and first["class"] == "Adelie"
    assert first["value"] == model.coef_[0, 0]
    assert first["per_deviation"] == pytest.approx(model.coef_[0, 0] * model.encoding_.scales[0])


def numbers_in(document):
    """Collect the numbers of a JSON document: its values, its lengths, and those inside words."""
    if isinstance(document, dict | list):
        parts = document.values() if isinstance(document, dict) else document
        found = [float(len(document))]
        if isinstance(document, dict):
            found += [x for name in document for x in numbers_in(name)]
        return found + [x for part in parts for x in numbers_in(part)]
    if isinstance(document, str):
        return [float(x) for x in re.findall(r"\d+(?:\.\d+)?", document)]
    return [] if document is None else [float(document)]


ASKED = {
    "penalty": [],
    "choice": ["--cv", "--categorical", "year"],
    "likelihood": ["--mle", "--missing", "drop", "--drop", "island,bill_depth_mm,sex"],
    "perceptron": ["--hidden", "8", "--dropout", "0.1", "--epochs", "7", "--no-standardize"],
    "all rows": ["--test-size", "0"],
}


@pytest.mark.parametrize("asked", ASKED)
def test_every_number_of_the_text_is_in_the_json(capsys, asked):
    from backpass.cli.account import as_document, describe
    from backpass.cli.fit import fit

    seen = {}

    def kept(request):
        seen["fit"] = fit(request)
        return seen["fit"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backpass.cli.fit.fit", kept)
        assert main(["fit", PENGUINS, "--target", "species", *ASKED[asked]]) == 0
    text = capsys.readouterr().out
    describe(seen["fit"])
    assert capsys.readouterr().out == text
    known = np.array(numbers_in(json.loads(json.dumps(as_document(seen["fit"])))))
    table = [0.025, 0.975, 1e-4]  # the heads of the table with errors, and its least p
    known = np.concatenate([known, np.abs(known), shares(seen["fit"]), table])
    for word in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?!\w)", text):
        digits, _, power = word.replace(",", "").partition("e")
        last = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
        distance = np.abs(known - float(f"{digits}e{power or 0}")).min()
        assert distance <= 0.51 * last, word


def shares(fitted):
    """Return the classes' shares in per cent, which follow from their weights."""
    weights = np.array(fitted.model.fit_record_.class_totals)
    return 100.0 * weights / weights.sum()


def test_fit_says_the_same_twice_and_another_seed_holds_out_others(run):
    first, again, other = (
        json.loads(run("fit", PENGUINS, "--target", "species", "--json", "--seed", seed)[1])
        for seed in (0, 0, 1)
    )
    for found in (first, again, other):
        del found["seconds"], found["peak_memory_mb"]
    assert first == again
    assert first["coefficients"] != other["coefficients"]


def test_quiet_prints_nothing_and_no_held_out_rows_are_null(run):
    assert run("fit", PENGUINS, "--target", "species", "--quiet") == (0, "", "")
    arguments = ("fit", PENGUINS, "--target", "species", "--test-size", "0")
    found = json.loads(run(*arguments, "--json")[1])
    assert found["test"] is None and found["n_rows"] == 344
    assert "none held out" in run(*arguments)[1]


def test_the_saved_model_is_the_python_one(run, saved):
    model = bp.load(saved)
    assert model.fit_record_.target == "species" and model.fit_record_.n_rows == 275
    status, out, _ = run("evaluate", saved, PENGUINS, "--json")
    found = json.loads(out)
    assert status == 0 and found["n_rows"] == 344 and found["accuracy"] > 0.98
    assert set(found) == {*METRICS, "n_rows", "trivial", "warnings"}
    assert "class shares only" in run("evaluate", saved, PENGUINS)[1]


def test_predictions_keep_the_order_and_match_columns_by_name(run, saved, tmp_path):
    nulls = pa.csv.ConvertOptions(strings_can_be_null=True)
    table = pa.csv.read_csv(PENGUINS, convert_options=nulls)
    shuffled = tmp_path / "shuffled.csv"
    pa.csv.write_csv(table.select(table.column_names[::-1]), shuffled)
    status, out, _ = run("predict", saved, shuffled, "--proba", "--id", "year,species")
    found = pa.csv.read_csv(pa.BufferReader(out.encode()))
    assert status == 0
    classes = ["Adelie", "Chinstrap", "Gentoo"]
    proba = [f"proba_{name}" for name in classes]
    assert found.column_names == ["year", "species", "prediction", *proba]
    assert found["species"].to_pylist() == table["species"].to_pylist()
    assert found["year"].to_pylist() == table["year"].to_pylist()
    P = np.column_stack([found[name].to_numpy() for name in proba])
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-12)
    assert found["prediction"].to_pylist() == [classes[k] for k in P.argmax(axis=1)]
    np.testing.assert_array_equal(P, bp.load(saved).predict_proba(table))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predictions_to_a_file(run, saved, tmp_path, ending):
    path = tmp_path / f"p.{ending}"
    status, out, err = run("predict", saved, PENGUINS, "--out", path)
    assert (status, out) == (0, "")
    assert "344 predictions written to" in err
    found = pa.csv.read_csv(path) if ending == "csv" else pq.read_table(path)
    assert found.column_names == ["prediction"] and found.num_rows == 344
    assert os.listdir(tmp_path) == [path.name]


def test_show_lists_every_coefficient(run, saved):
    status, out, err = run("show", saved)
    model = bp.load(saved)
    assert (status, err) == (0, "")
    squeezed = " ".join(out.split())
    for name, column in zip(model.coef_names_, model.coef_.T, strict=True):
        assert f"{name} {' '.join(map(number, column))}" in squeezed
    assert "(intercept)" in out and "species: Adelie, Chinstrap, Gentoo" in out


def test_demo_fits_shows_and_leaves_nothing_behind(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    assert "held-out rows" in out and "flipper_length_mm (missing)" in out
    [command] = [
        line for line in out.splitlines() if line.startswith("  backpass fit ") and "csv" in line
    ]
    assert os.listdir(tmp_path) == []
    assert main([*command.split()[1:], "--quiet"]) == 0  # what it says to type works as it stands
    assert os.listdir(tmp_path) == ["penguins.safetensors"]


def test_a_perceptron_from_the_command_line(run, tmp_path):
    path = tmp_path / "m.safetensors"
    arguments = ("fit", PENGUINS, "--target", "species", "--hidden", "8,4", "--out", path)
    status, out, err = run(*arguments)
    assert status == 0
    assert "perceptron, hidden layers 8, 4, penalty alpha = 0.1, on standardised numbers" in out
    assert not err or err.startswith("backpass: warning: training ended after --epochs 200")
    found = json.loads(run("evaluate", path, PENGUINS, "--json")[1])
    assert found["accuracy"] > 0.9
    assert "Linear(n_in=15, n_out=8, bias=True)" in run("show", path)[1]
    document = json.loads(run(*arguments, "--json")[1])
    assert document["coefficients"] is None and document["gap"] is None
    best = document["best_epoch"]
    assert f"{number(document['loss'])} per row in epoch {best} on validation rows" in out


def test_maximum_likelihood_reproduces_the_published_titanic_table(run):
    path = Path(__file__).parents[3] / "shared" / "data" / "titanic" / "TitanicSurvival.csv"
    if not path.exists():
        pytest.skip(f"needs the Titanic table at {path}")
    status, out, err = run(
        "fit", path, "--target", "survived", "--drop", "rownames", "--mle", "--missing", "drop",
        "--test-size", "0", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert status == 0 and found["n_rows"] == 1046
    said = "TitanicSurvival.csv: 263 rows with missing values left out of the fit."
    assert err == f"backpass: warning: {said}\n"
    values = {c["name"]: c["value"] for c in found["coefficients"]}
    published = {
        "sex=male": -2.497845,
        "age": -0.034393,
        "passengerClass=2nd": -1.280570,
        "passengerClass=3rd": -2.289661,
    }
    assert values == pytest.approx(published, abs=1.5e-6)
    assert found["intercepts"] == pytest.approx([3.522074], abs=1.5e-6)
    assert 2.0 * found["objective"] == pytest.approx(982.45, abs=5e-3)


ENDOMETRIAL = Path(__file__).parents[3] / "shared" / "data" / "endometrial" / "endometrial.csv"


@pytest.fixture
def endometrial():
    if not ENDOMETRIAL.exists():
        pytest.skip(f"needs the endometrial table at {ENDOMETRIAL}")
    return "fit", ENDOMETRIAL, "--target", "HG", "--mle"


def test_an_infinite_estimate_is_shown_as_one_and_the_others_have_errors(run, endometrial):
    status, out, err = run(*endometrial)
    assert status == 0 and "Quasi-complete separation of 13 rows" in err
    assert re.search(r"rows +79 to fit on, none held out, as --mle takes all", out)
    assert re.search(r"NV +\+inf +NA +NA +NA +NA +NA\n", out)
    assert re.search(r"EH +-2.9026 +0.8456 ", out)
    assert "the maximum is at infinity, where classes are separated" in out
    assert "NOT" not in out and "30.25" not in out


def test_errors_are_in_the_json_where_they_exist(run, endometrial):
    found = json.loads(run(*endometrial, "--json")[1])
    assert found["separated"] and found["test"] is None and found["n_rows"] == 79
    by_name = {c["name"]: c for c in found["coefficients"]}
    nothing = dict.fromkeys(("value", "per_deviation", "std_err", "z", "p", "low", "high"))
    named = {"name": "NV", "class": "1", "against": "0", "limit": "+inf"}
    assert by_name["NV"] == nothing | named
    eh = by_name["EH"]  # Heinze & Schemper (2002): -2.9026, standard error 0.8456
    assert [eh["value"], eh["std_err"]] == pytest.approx([-2.9026, 0.8456], abs=1e-4)
    assert [eh["low"], eh["high"]] == pytest.approx([-4.5599, -1.2454], abs=2e-4)
    [start] = found["intercept_errors"]
    assert start["value"] == found["intercepts"][0] and start["std_err"] > 0.0


def test_a_long_table_ranks_finite_estimates_and_infinite_ones_and_names_the_rest(run, write):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (400, 45))
    y = (x[:, 1] + rng.normal(size=400) > 0.5).astype(int)
    y[x[:, 0] == 1] = 1  # so that column c0 speaks for 1 without limit
    lines = [",".join([f"c{j}" for j in range(45)] + ["y"])]
    lines += [",".join(map(str, [*row, "uv"[label]])) for row, label in zip(x, y, strict=True)]
    status, out, _ = run("fit", write("\n".join(lines) + "\n"), "--target", "y", "--mle")
    assert status == 0 and re.search(r"c0 +\+inf +\+inf\n", out)
    assert "most influential of 45; + speaks for v" in out
    assert "--out M.safetensors, then show, has errors and intervals of all" in out


def test_no_coefficient_is_ranked_where_none_is_identified(run, write):
    rows = "".join(
        ",".join([str(i), *(str((i * k) % 41) for k in range(2, 44)), "uv"[i > 30]]) + "\n"
        for i in range(60)
    )
    heads = ",".join(f"c{k}" for k in range(43))
    status, out, _ = run("fit", write(f"{heads},y\n{rows}"), "--target", "y", "--mle")
    assert status == 0 and "no coefficient is identified, so there is none to rank" in out
    assert "most influential" not in out


def test_counts_of_missing_values_say_of_which_rows(run):
    out = run("fit", PENGUINS, "--target", "species")[1]
    assert re.search(r"missing .*of the 275 rows fitted on", " ".join(out.split()))


def test_weights_are_repeated_rows(run, write):
    rng = np.random.default_rng(0)
    x, noise, w = rng.normal(size=60), rng.normal(size=60), rng.integers(1, 4, 60)
    lines = [f"{x[i]:.3f},{'ab'[int(x[i] + noise[i] > 0)]},{w[i]}" for i in range(60)]
    once = write("\n".join(["x,y,w", *lines]))
    repeated = write("\n".join(["x,y,w", *(l for l in lines for _ in range(int(l[-1])))]), "r.csv")
    common = ("--target", "y", "--test-size", "0", "--no-standardize", "--json")
    weighted = json.loads(run("fit", once, "--weight", "w", *common)[1])
    plain = json.loads(run("fit", repeated, "--drop", "w", *common)[1])
    assert weighted["objective"] == pytest.approx(plain["objective"], rel=1e-5)
    for name in METRICS:
        assert weighted["train"][name] == pytest.approx(plain["train"][name], abs=1e-3)


def test_declared_categories_and_left_out_columns(run, write):
    rows = "".join(f"{i % 3},7,{i / 10},{'no' if i % 2 else 'yes'}\n" for i in range(40))
    path = write("ses,const,x,y\n" + rows)
    found = json.loads(run("fit", path, "--target", "y", "--categorical", "ses", "--json")[1])
    names = [c["name"] for c in found["coefficients"]]
    assert names == ["ses=0", "ses=1", "ses=2", "x"]
    assert found["left_out"] == {"const": "always 7"}
    assert "const (always 7)" in run("fit", path, "--target", "y")[1]


def test_a_test_file_whose_labels_end_with_a_full_stop(run, write):
    rows = [f"{i / 7:.2f}, {'<=50K' if i % 3 else '>50K'}" for i in range(30)]
    data = write("x,income\n" + "\n".join(rows))
    test = write("x,income\n" + "".join(f"{row}.\n" for row in rows), "test.csv")
    status, out, err = run("fit", data, "--target", "income", "--test", test, "--json")
    assert status == 0 and "labels end with a full stop here" in err
    found = json.loads(out)
    assert found["test"] == found["train"] and found["n_rows"] == 30


def test_rows_without_a_label_are_left_out_and_said(run, write):
    path = write("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)) + "5,\n6,?\n")
    status, out, err = run("fit", path, "--target", "y", "--json")
    assert status == 0 and "t.csv: 2 rows have no 'y' and are left out." in err
    found = json.loads(out)
    assert found["n_rows"] + found["test"]["n_rows"] == 20


def test_one_row_of_a_class_stays_in_the_fit(run, write):
    path = write("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)) + "50,c\n")
    found = json.loads(run("fit", path, "--target", "y", "--json")[1])
    assert found["classes"] == ["a", "b", "c"]


def test_warnings_of_a_fit_speak_flags(run, write):
    apart = "x,y\n" + "".join(f"{i},{'uv'[i > 19]}\n" for i in range(40))
    status, _, err = run("fit", write(apart), "--target", "y", "--mle", "--quiet")
    assert status == 0 and err.count("\n") == 1
    assert "A penalty gives finite ones: leave --mle out." in err
    for word in ("firth", "finite C", "max_iter", "reference="):
        assert word not in err
    common = ("--target", "species", "--hidden", "4", "--quiet")
    err = run("fit", PENGUINS, *common, "--epochs", "2")[2]
    said = "training ended after --epochs 2, the loss still falling; a larger number may do better."
    assert err == f"backpass: warning: {said}\n"


def test_too_few_rows_to_judge_epochs_by(run, write):
    text = "x,y\n" + "".join(f"{i % 9},{'uv'[i % 2]}\n" for i in range(60))
    common = ("--target", "y", "--hidden", "3", "--json")
    found = json.loads(run("fit", write(text), *common)[1])
    assert found["warnings"][0].startswith("48 rows are too few to set some aside, so training")
    one = write(text + text.partition("\n")[2] * 3 + "3,w\n", "one.csv")
    found = json.loads(run("fit", one, *common)[1])
    assert found["warnings"][0].startswith("a class with one row cannot be among rows set aside")
    quiet = run("fit", one, *common, "--no-early-stopping")[1]
    assert not any("set aside" in note for note in json.loads(quiet)["warnings"])


def test_outputs_that_cannot_be_written_are_named_as_they_were_typed(run, saved, tmp_path):
    gone = tmp_path / "gone"
    told = f"there is no folder '{gone}' to write to."
    for arguments in (
        ("predict", saved, PENGUINS, "--out", gone / "p.csv"),
        ("trace", saved, PENGUINS, "--html", gone / "t.html"),
        ("fit", PENGUINS, "--target", "species", "--report", gone / "r.html"),
    ):
        assert error_line(*run(*arguments)) == f"{arguments[-1]}: {told}"
    # a folder that is there, but takes no files
    line = error_line(*run("predict", saved, PENGUINS, "--out", "/proc/p.csv"))
    assert line.startswith("/proc/p.csv: ") and "tmp" not in line


def test_markers_of_missing_values_that_are_not_the_fits(run, saved, write):
    text = Path(PENGUINS).read_text().replace("39.1", "unknown", 1)
    other = write(text)
    for command in (("predict", saved, other), ("evaluate", saved, other, "--json")):
        line = error_line(*run(*command))
        assert "'unknown' is not a number" in line and "(--missing-values 'NA,N/A" in line
        assert run(*command, "--missing-values", "NA,unknown")[0] == 0


USAGE = {
    "no data": (["fit"], "Missing argument 'DATA'; see `backpass fit --help`."),
    "no target": (["fit", PENGUINS], "--target is missing: name the column of classes"),
    "no command": (["nonsense"], "No such command 'nonsense'"),
    "both": (["fit", "x.csv", "--target", "y", "--mle", "--C", "2"], "so it takes no --C"),
    "hidden": (["fit", "x.csv", "--target", "y", "--hidden", "3,x"], "whole numbers above 0"),
    "mle": (["fit", "x.csv", "--target", "y", "--hidden", "3", "--mle"], "without --hidden"),
    "C and hidden": (
        ["fit", "x", "--target", "y", "--hidden", "3", "--C", "2"],
        "theirs is --alpha",
    ),
    "alpha": (["fit", "x", "--target", "y", "--hidden", "3", "--alpha", "-1"], "--alpha -1: it is"),
    "epochs": (["fit", "x", "--target", "y", "--epochs", "9"], "--epochs is for a perceptron"),
    "stopping": (["fit", "x", "--target", "y", "--no-early-stopping"], "name its layers with"),
    "dropout": (["fit", "x", "--target", "y", "--hidden", "3", "--dropout", "1"], "to below 1"),
    "C": (["fit", "x.csv", "--target", "y", "--C", "-1"], "--C -1: it is a number above 0"),
    "cv": (["fit", "x.csv", "--target", "y", "--cv", "--C", "2"], "--cv chooses C, so it goes"),
    "nan": (["fit", "x.csv", "--target", "y", "--C", "nan"], "it is a number above 0"),
    "size": (["fit", "x.csv", "--target", "y", "--test-size", "1"], "from 0 to below 1"),
    "test": (["fit", "x", "--target", "y", "--test-size", ".1", "--test", "z"], "choose one"),
    "out": (["fit", "x.csv", "--target", "y", "--out", "m.pkl"], "ends in .safetensors"),
    "missing": (["fit", "x", "--target", "y", "--missing", "mean"], "indicator, drop or raise"),
    "class": (["fit", "x", "--target", "y", "--class-weight", "x"], "only balanced is known"),
    "drop": (["fit", "x.csv", "--target", "y", "--drop", "a,y"], "both --target and in --drop"),
    "weight": (["fit", "x.csv", "--target", "y", "--weight", "y"], "both --target and --weight"),
    "weighted": (
        ["fit", "x", "--target", "y", "--weight", "w", "--categorical", "w"],
        "both --weight and in --categorical",
    ),
    "quiet": (["fit", "x", "--target", "y", "--quiet", "--json"], "choose one"),
    "seed": (["fit", "x", "--target", "y", "--seed", "-1"], "--seed"),
    "predict": (["predict", "m", "x.csv", "--out", "p.txt"], "name a .csv or a .parquet file"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_one_line_and_exit_2(run, name):
    arguments, message = USAGE[name]
    assert message in error_line(*run(*arguments), expected=2)


GOOD = "a,b,y\n" + "".join(f"{i % 7},{'pqr'[i % 3]},{'uv'[i % 2]}\n" for i in range(30))
DATA = {
    "no column": (
        GOOD,
        ["--target", "z"],
        "t.csv: has no column 'z'; its columns are 'a', 'b', 'y'.",
    ),
    "close": (GOOD.replace("y", "income", 1), ["--target", "incom"], "('income' perhaps?)"),
    "no drop": (GOOD, ["--target", "y", "--drop", "q"], "t.csv: has no column 'q'"),
    "mixed": (
        GOOD.replace("\n3,", "\nn/a,", 1),
        ["--target", "y"],
        "t.csv, record 4, column 'a': 'n/a' is not a number; 29 other cells of the column are. "
        "Take it for a missing value (--missing-values 'NA,N/A,NaN,null,?,n/a'), or declare it a "
        "category (--categorical a).",
    ),
    "infinite": (
        GOOD + "inf,p,u\n",
        ["--target", "y"],
        "t.csv, record 31, column 'a': inf is not a finite number",
    ),
    "one class": (GOOD.replace("v", "u"), ["--target", "y"], "column 'y': has one class only, 'u'"),
    "no class": (
        "a,y\n" + "".join(f"{i},{i / 7:.3f}\n" for i in range(50)),
        ["--target", "y"],
        "t.csv, column 'y': has 50 values in 50 rows",
    ),
    "weight text": (
        GOOD,
        ["--target", "y", "--weight", "b"],
        "t.csv, column 'b': holds text such as 'p'; weights are numbers, 0 or more.",
    ),
    "weight missing": (
        GOOD.replace("\n3,", "\n,", 1),
        ["--target", "y", "--weight", "a"],
        "t.csv, record 4, column 'a': a missing weight; weights are numbers, 0 or more.",
    ),
    "weight": (
        GOOD.replace("\n3,", "\n-3,", 1),
        ["--target", "y", "--weight", "a"],
        "t.csv, record 4, column 'a': -3; weights are numbers, 0 or more.",
    ),
    "missing": (
        GOOD.replace("\n3,", "\n,", 1),
        ["--target", "y", "--mle", "--test-size", "0"],
        "t.csv: values are missing in 'a' (1) of 30 rows.",
    ),
    "names": (
        "who,a,y\n" + "".join(f"n{i},{i % 7},{'uv'[i % 2]}\n" for i in range(30)),
        ["--target", "y"],
        "t.csv, column 'who': holds 24 different texts in 24 rows",
    ),
    "only target": ("y\nu\nv\n", ["--target", "y"], "t.csv: "),
}


@pytest.mark.parametrize("name", DATA)
def test_wrong_data_is_one_line_and_exit_1(run, write, tmp_path, name):
    text, arguments, message = DATA[name]
    path = write(text)
    line = error_line(*run("fit", path, *arguments, "--out", tmp_path / "m.safetensors"))
    assert message in line
    assert os.listdir(tmp_path) == ["t.csv"]


def test_errors_of_saved_models(run, saved, write, tmp_path):
    assert "no.csv: there is no such file." in error_line(*run("predict", saved, "no.csv"))
    assert "no.st: there is no such file" in error_line(*run("show", tmp_path / "no.st"))
    assert "is not a safetensors file" in error_line(*run("show", PENGUINS))
    other = write("a,b\n1,2\n")
    assert "t.csv: has no columns 'island', " in error_line(*run("predict", saved, other))
    assert "t.csv: has no column" in error_line(*run("evaluate", saved, other))
    strange = write(Path(PENGUINS).read_text().replace("Gentoo", "Emperor"))
    line = error_line(*run("evaluate", saved, strange))
    assert (
        "t.csv, column 'species': has the labels 'Adelie', 'Emperor', 'Chinstrap', the model"
        in line
    )
    clash = write("prediction," + Path(PENGUINS).read_text().replace("\n", "\n1,").rstrip("1,"))
    line = error_line(*run("predict", saved, clash, "--id", "prediction"))
    assert "--id copies 'prediction', which is also the name of an answer" in line
    line = error_line(
        *run("fit", PENGUINS, "--target", "species", "--out", "/no/where/m.safetensors")
    )
    assert "there is no folder '/no/where' to write to" in line


def test_models_of_plain_numbers(run, write, tmp_path):
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    y = np.where(frame["a"] > 0, "yes", "no")
    named = bp.LogisticRegression().fit(frame, y)
    bp.save(named, tmp_path / "named.safetensors")
    data = tmp_path / "d.csv"
    frame.assign(y=y)[["y", "b", "a"]].to_csv(data, index=False)
    status, out, _ = run("predict", tmp_path / "named.safetensors", data)
    assert (status, out.replace('"', "").split()[1:]) == (0, named.predict(frame).tolist())
    line = error_line(*run("evaluate", tmp_path / "named.safetensors", data))
    assert "does not say which column it predicts; name it with --target" in line
    found = run("evaluate", tmp_path / "named.safetensors", data, "--target", "y", "--json")[1]
    assert json.loads(found)["accuracy"] > 0.9 and json.loads(found)["trivial"] is None
    bp.save(bp.LogisticRegression().fit(frame.to_numpy(), y), tmp_path / "bare.safetensors")
    line = error_line(*run("predict", tmp_path / "bare.safetensors", data))
    assert "was fitted on an array, whose columns have no names" in line
    assert "x1" in run("show", tmp_path / "bare.safetensors")[1]


def test_an_unexpected_fault_is_one_line_too(run, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("backpass.cli.show.load", broken)
    line = error_line(*run("show", "m.safetensors"))
    assert line.startswith("unexpected ZeroDivisionError: by zero. This is a fault of backpass")


def test_help_and_version(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("fit", "predict", "evaluate", "show", "demo"):
        assert command in out
        status, help_text, _ = run(command, "--help")
        assert status == 0 and "Usage: backpass" in help_text
    assert run("--version") == (0, f"backpass {bp.__version__}\n", "")
    status, out, _ = run()
    assert status == 2 and "Usage" in out


def script(*arguments, **options):
    command = [sys.executable, "-c", "import sys; from backpass.cli import main; sys.exit(main())"]
    return subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE, **options)


def test_help_imports_nothing_heavy():
    probe = (
        "import sys; from backpass.cli import main; status = main(['--help']); "
        "heavy = {'numpy', 'pyarrow', 'pandas', 'sklearn', 'scipy'} & set(sys.modules); "
        "sys.exit(f'{heavy}' if heavy or status else 0)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, stdout=subprocess.DEVNULL)


def test_a_reader_that_leaves_early_is_no_fault(saved, tmp_path):
    process = script("predict", saved, PENGUINS, "--proba", stdout=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert err == b""
    assert process.returncode == -signal.SIGPIPE


def test_trace_draws_rows_of_a_file(run, saved, tmp_path):
    page = tmp_path / "t.html"
    status, out, err = run("trace", saved, PENGUINS, "--row", 3, "--rows", "1,200", "--html", page)
    assert (status, err) == (0, "")
    assert out.startswith(f"{page}: 3 steps from 15 inputs to the cost, ")
    text = page.read_text()
    assert "penguins.csv, row 3, 1, 200" in text
    assert "flipper_length_mm" in text and "Chinstrap" in text


def test_trace_counts_records_of_all_files_and_refuses_one_without_a_label(run, saved, tmp_path):
    lines = Path(PENGUINS).read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join(lines[:4]) + "\n")
    (tmp_path / "b.csv").write_text("\n".join([lines[0], *lines[4:7]]) + "\n")
    page, glob = tmp_path / "t.html", tmp_path / "*.csv"
    status, _, err = run("trace", saved, glob, "--row", "5", "--html", page)
    assert (status, err) == (0, "") and page.exists()
    species = lines[0].split(",").index("species")
    cells = lines[5].split(",")
    cells[species] = ""
    (tmp_path / "b.csv").write_text("\n".join([lines[0], lines[4], ",".join(cells)]) + "\n")
    line = error_line(*run("trace", saved, glob, "--row", "5", "--html", page))
    assert line == "*.csv, record 5, column 'species': has no label."


def test_trace_of_a_row_that_is_not_there_leaves_no_page(run, saved, tmp_path):
    page = tmp_path / "t.html"
    line = error_line(*run("trace", saved, PENGUINS, "--row", 345, "--html", page))
    assert "penguins.csv" in line and "no row 345; there are rows 1 to 344" in line
    assert not page.exists()


def test_options_for_text_that_is_written_otherwise(run, write, tmp_path):
    rows = "".join(f"{i % 7},5;{'pé'[i % 2]};{'uv'[i % 3 == 0]}\n" for i in range(40))
    path = tmp_path / "t.csv"
    path.write_bytes(("x;k;y\n" + rows).encode("cp1252"))
    options = ("--encoding", "cp1252", "--decimal", ",")
    model = tmp_path / "m.safetensors"
    status, out, _ = run("fit", path, "--target", "y", *options, "--out", model, "--json")
    assert status == 0
    assert [c["name"] for c in json.loads(out)["coefficients"]] == ["x", "k=p", "k=é"]
    assert json.loads(run("evaluate", model, path, *options, "--json")[1])["n_rows"] == 40
    assert run("predict", model, path, *options)[1].count("\n") == 41
    line = error_line(*run("predict", model, path, "--encoding", "cp1252"))
    assert "column 'x': holds numbers with decimal commas such as '0,5'" in line
    assert "(--decimal ,)" in line and "missing" not in line
    page = tmp_path / "t.html"
    for command in (["predict", model, path], ["trace", model, path, "--html", page]):
        line = error_line(*run(*command))
        assert "not UTF-8" in line and "--encoding cp1252" in line
    assert run("trace", model, path, "--html", page, *options)[0] == 0
    assert "k=é" in page.read_text()


def test_trace_takes_the_markers_that_it_is_given(run, saved, tmp_path):
    text = Path(PENGUINS).read_text().splitlines()
    cells = text[1].split(",")
    cells[text[0].split(",").index("bill_length_mm")] = "-99"
    data, page = tmp_path / "t.csv", tmp_path / "t.html"
    data.write_text("\n".join([text[0], ",".join(cells)]) + "\n")
    bills = [
        run("trace", saved, data, "--html", page, *markers)[1].split("cost, ")[1]
        for markers in ([], ["--missing-values", "-99"])
    ]
    assert bills[0] != bills[1]


def test_a_pipe_is_not_data(run, saved, tmp_path):
    for path in ("/dev/null", "-"):
        line = error_line(*run("fit", path, "--target", "y"))
        assert "is a pipe or a device, not a file; save what it gives as a file first" in line
    assert error_line(*run("show", "/dev/null")) == "null: is a pipe or a device, not a file."
    assert error_line(*run("show", tmp_path)) == f"{tmp_path.name}: is a folder, not a file."


def test_an_input_typed_in_an_outputs_place_is_kept(run, saved, write):
    data, model = write(Path(PENGUINS).read_text()), saved.read_bytes()
    line = error_line(*run("trace", saved, data, "--html", data), expected=2)
    assert f"--html {data}: a page ends in .html" in line
    line = error_line(*run("export", saved, "--onnx", saved), expected=2)
    assert f"--onnx {saved}: an ONNX file ends in .onnx" in line
    assert data.read_text() == Path(PENGUINS).read_text() and saved.read_bytes() == model


def test_columns_are_as_wide_as_what_they_hold():
    rows = [["日本語", number(3.25)], ["[b]a\nb", "-"]]
    assert laid_out(columns(["name", "value"], rows), 80) == [
        "  name    value",
        "  日本語  3.250",
        "  [b]a b      -",
    ]


def test_words_make_room_for_numbers_and_numbers_never_do():
    row = ["a name of many letters", "a class of fewer", "123456.7"]
    assert laid_out(columns(["", "class", "coefficient"], [row], left=2), 48)[1] == (
        "  a name of many…  a class of fewer     123456.7"
    )
    assert laid_out(columns(["", "class", "coefficient"], [row], left=2), 10)[1] == (
        "  a name …  a class…     123456.7"
    )


def laid_out(table, width):
    console = Console(width=width, file=io.StringIO(), soft_wrap=True)
    console.print(table)
    return console.file.getvalue().splitlines()


def test_several_files_and_a_store_are_data_too(run, write, tmp_path):
    text = Path(PENGUINS).read_text().splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    for part in range(2):
        rows = text[1 + 172 * part : 1 + 172 * (part + 1)]
        (tmp_path / "parts" / f"p{part}.csv").write_text(text[0] + "".join(rows))
    bp.ingest(PENGUINS, tmp_path / "p.store", target="species")
    found = [
        json.loads(run("fit", data, "--target", "species", "--json")[1])
        for data in (PENGUINS, tmp_path / "parts", tmp_path / "parts" / "p*.csv")
    ]
    found.append(json.loads(run("fit", tmp_path / "p.store", "--target", "species", "--json")[1]))
    for other in found[1:]:
        assert other["coefficients"] == found[0]["coefficients"]
        assert other["test"] == found[0]["test"]


def test_predictions_stream(run, saved, tmp_path):
    """Four times the rows, 100 MB of text more, take less than half of that in memory."""
    text = Path(PENGUINS).read_text().splitlines(keepends=True)
    peaks = []
    for times in (1600, 6400):  # the first fills a piece already
        path = tmp_path / f"{times}.csv"
        path.write_text(text[0] + "".join(text[1:]) * times)
        probe = (
            "import sys; from backpass.cli import main; from backpass.cli.terminal import "
            "peak_memory_mb; status = main(sys.argv[1:]); print(peak_memory_mb()); sys.exit(status)"
        )
        command = [sys.executable, "-c", probe, "predict", saved, path, "--proba"]
        out = tmp_path / "p.csv"
        done = subprocess.run([*command, "--out", out], capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
        with open(out) as written:
            assert sum(1 for _ in written) == 344 * times + 1
    assert peaks[1] - peaks[0] < 50.0


def test_the_penalty_is_chosen_by_rows_left_out(run):
    found = json.loads(run("fit", PENGUINS, "--target", "species", "--cv", "--json")[1])
    tried = found["cv"]
    assert [one["C"] for one in tried] == pytest.approx(np.logspace(-4, 4, 10))
    best = min(tried, key=lambda one: one["log_loss"])
    assert tried[0]["log_loss"] > 1.0 > best["log_loss"] + 10.0 * best["error"]
    fixed = json.loads(run("fit", PENGUINS, "--target", "species", "--C", best["C"], "--json")[1])
    assert fixed["coefficients"] == found["coefficients"] and fixed["cv"] is None
    out = run("fit", PENGUINS, "--target", "species", "--cv")[1]
    assert f"penalty C = {best['C']:g}" in out and "the best of 10 from 0.0001 to 10000" in out


def test_predictions_do_not_overwrite_the_rows_that_they_are_of(run, saved, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text(Path(PENGUINS).read_text())
    status, out, err = run("predict", saved, rows, "--out", tmp_path / "." / "rows.csv")
    assert (status, out) == (2, "")
    assert "is DATA itself" in " ".join(err.split())
    assert rows.read_text() == Path(PENGUINS).read_text()


def test_export_writes_a_graph_that_predicts_as_predict_does(run, saved, tmp_path):
    import onnxruntime

    onnx = tmp_path / "penguins.onnx"
    status, out, err = run("export", saved, "--onnx", onnx)
    assert (status, err) == (0, "")
    assert "from 7 inputs to label and probabilities" in " ".join(out.split())
    table = pandas.read_csv(PENGUINS)
    running = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    rows = {
        given.name: table[[given.name]].fillna("").to_numpy(object)
        if given.type == "tensor(string)"
        else table[[given.name]].to_numpy(float)
        for given in running.get_inputs()
    }
    label, proba = running.run(["label", "probabilities"], rows)
    model = bp.load(saved)
    assert label.tolist() == model.predict(table).tolist()
    np.testing.assert_allclose(proba, model.predict_proba(table), rtol=0, atol=1e-12)


def test_export_says_what_is_missing(run, saved, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = error_line(*run("export", saved, "--onnx", tmp_path / "m.onnx"))
    assert said.endswith("is not installed; pip install 'backpass[onnx]' brings it.")
    assert list(tmp_path.iterdir()) == []


def test_show_prints_the_errors_of_maximum_likelihood(run, tmp_path):
    path = tmp_path / "m.safetensors"
    options = ["--target", "sex", "--mle", "--missing", "drop", "--drop", "island", "--quiet"]
    assert run("fit", PENGUINS, *options, "--out", path)[0] == 0
    status, out, err = run("show", path)
    assert (status, err) == (0, "")
    assert str(bp.load(path).summary()) in out
    assert re.search(r"body_mass_g +\S+ +\S+ +\S+ +<0.0001", out)


def test_own_layers_are_named_with_what_to_do(run, write, tmp_path):
    from tests.modelfiles.make import Swish

    X = np.random.default_rng(0).normal(size=(40, 2))
    frame = pandas.DataFrame(X, columns=["a", "b"]).assign(y=X[:, 0] > 0.0)
    layers = [bp.Linear(2, 3), Swish(2.0), bp.Linear(3, 1)]
    network = bp.Network(layers, bp.BCEWithLogitsLoss())
    model = bp.MLPClassifier(network=network, tol=1.0, n_iter_no_change=2)
    path, data = tmp_path / "own.safetensors", write(frame.to_csv(index=False))
    bp.save(model.fit(frame[["a", "b"]], frame["y"]), path)
    for command in (
        ["show", path],
        ["predict", path, data],
        ["evaluate", path, data, "--target", "y"],
        ["trace", path, data, "--target", "y", "--html", tmp_path / "t.html"],
        ["export", path, "--onnx", tmp_path / "m.onnx"],
    ):
        said = error_line(*run(*command))
        assert said.startswith(
            "own.safetensors: network.layers[1] is a layer 'Swish' of the user's"
        )
        assert said.endswith("load it in Python: bp.load(path, layers={'Swish': ...}).")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["own.safetensors", data.name]


def test_free_text_from_fit_to_trace(run, tmp_path):
    rows = ["red shoes", "blue shoes", "red, red hat", "a blue hat", "RED scarf", "blue scarf"] * 10
    texts = [f"{text} no {place}" for place, text in enumerate(rows)]
    labels = ["warm" if "red" in text.lower() else "cold" for text in texts]
    data, model = tmp_path / "clothes.csv", tmp_path / "m.safetensors"
    table = pa.table({"says": texts, "size": list(range(60)), "kind": labels})
    pa.csv.write_csv(table, data)
    fit = ("fit", data, "--target", "kind")
    said = error_line(*run(*fit))
    assert "column 'says': holds" in said and "read it as free text (--text says)" in said
    page = tmp_path / "r.html"
    status, out, err = run(*fit, "--text", "says", "--out", model, "--report", page, "--C", "10")
    assert (status, err) == (0, "")
    assert "says[red]" in out and "free text, " in page.read_text()
    assert json.loads(run("evaluate", model, data, "--json")[1])["accuracy"] == 1.0
    _, out, _ = run("predict", model, data)
    assert out.split()[1:] == [f'"{label}"' for label in labels]
    _, out, _ = run("show", model)
    named = re.findall(r"(?m)^  (\(intercept\)|size|says\[\w+\])", out)
    assert named[:2] == ["(intercept)", "size"] and set(named[2:4]) == {"says[red]", "says[blue]"}
    trace = tmp_path / "t.html"
    assert run("trace", model, data, "--row", "3", "--html", trace)[0] == 0
    assert "says[hat]" in trace.read_text() and "says[scarf]" not in trace.read_text()
    for extra, message in (
        (("--hidden", "4"), "--text is for the model without --hidden layers"),
        (("--categorical", "says"), "'says' is both in --text and --categorical"),
        (("--drop", "says"), "'says' is both in --text and --drop"),
        (("--mle",), "--text is for a fit with a penalty: there are mostly more words than rows"),
    ):
        assert message in error_line(*run(*fit, "--text", "says", *extra), expected=2)
    bp.ingest(data, tmp_path / "kept.store", target="kind", text=["says"])
    stored = ("fit", tmp_path / "kept.store", "--target", "kind")
    assert json.loads(run(*stored, "--json", "--C", "10")[1])["test"]["accuracy"] == 1.0
    said = error_line(*run(*stored, "--hidden", "4"))
    assert said.startswith("kept.store, column 'says': is free text; a network's rows are")
