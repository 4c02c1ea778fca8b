"""The report as text, and in a real browser: it asks nothing of the network, nothing sticks out."""

from __future__ import annotations

import html
import json
import re
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from tests.microscope.browser import Page, started

import backpass as bp
from backpass.cli import main

pytest.importorskip("matplotlib", reason="draws the charts; it comes with the extra 'report'")

PENGUINS = str(resources.files("backpass.data") / "penguins.csv")
LIKELIHOOD = (
    "--mle", "--missing", "drop", "--test-size", "0",
    "--drop", "year,species,sex,bill_depth_mm,bill_length_mm",
)  # fmt: skip
HERE = ("file:", "data:", "about:", "chrome:")  # chrome: is the browser's own first tab


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def hostile(folder):
    """A table whose names want to be markup, and whose classes are many words."""
    rng = np.random.default_rng(0)
    lines = ["<script>alert(1)</script>,x&amp;,$y$,target"]
    for _ in range(120):
        a, b = rng.normal(size=2)
        label = "</table><b>yes" if a + rng.normal() > 0.0 else "a very long label " * 4
        lines.append(f"{a:.3f},{b:.3f},{'pq'[int(b > 0)]},{label}")
    path = folder / "hostile & <name>.csv"
    path.write_text("\n".join(lines))
    return path


def reported(folder, name, *arguments):
    path = folder / f"{name}.html"
    assert main(["fit", *map(str, arguments), "--report", str(path), "--quiet"]) == 0
    return path


@pytest.fixture(scope="module")
def reports(folder, hostile):
    penguins = (PENGUINS, "--target", "species")
    return {
        "three": reported(folder, "three", *penguins),
        "two": reported(folder, "two", hostile, "--target", "target", "--mle"),
        "network": reported(folder, "network", *penguins, "--hidden", "8,4"),
        "all": reported(folder, "all", *penguins, "--test-size", "0"),
        "classes": reported(folder, "classes", PENGUINS, "--target", "island", *LIKELIHOOD),
    }


def words(path):
    text = re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_it_says_what_the_command_says(folder, reports, capsys):
    main(["fit", PENGUINS, "--target", "species", "--json"])
    found = json.loads(capsys.readouterr().out)
    said = words(reports["three"])
    assert "penguins.csv → species" in said and "275 to fit on, 69 held out by class" in said
    for name in ("accuracy", "brier"):
        assert f"{found['test'][name]:.4f} {found['trivial'][name]:.4f}" in said
    for head in ("ROC curve", "Precision and recall", "Calibration", "Course of the fit",
                 "Coefficients", "Confusion", "Columns"):  # fmt: skip
        assert head in said
    strongest = max(found["coefficients"], key=lambda c: abs(c["per_deviation"]))
    assert f"{strongest['value']:.5g} {strongest['per_deviation']:.5g}" in said
    assert re.search(r"fingerprint [0-9a-f]{8} of the decoded rows", said)
    assert "there are no intervals" in said


def test_intervals_are_those_of_maximum_likelihood(reports):
    said = words(reports["two"])
    assert "lines are 95 % intervals" in said and "from to" in said
    found = re.search(r"x&amp; (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) -?[\d.]+", said)
    value, low, high = map(float, found.groups())
    assert low < value < high


def test_intervals_of_several_classes_compare_them_with_one(reports):
    said = words(reports["classes"])
    assert "lines are 95 % intervals; each class is compared with Biscoe" in said
    penguins = pd.read_csv(PENGUINS)[["flipper_length_mm", "body_mass_g", "island"]].dropna()
    model = bp.LogisticRegression(C=np.inf).fit(penguins.iloc[:, :2], penguins["island"])
    table = model.summary().to_frame()
    for island in ("Dream", "Torgersen"):
        row = table.loc[(island, "body_mass_g")]
        numbers = " ".join(f"{row[name]:.5g}" for name in ("coef", "[0.025", "0.975]"))
        assert f"body_mass_g {island} {numbers}" in said
    assert "body_mass_g Biscoe" not in said


def test_the_epoch_that_was_kept_is_the_one_of_least_validation_loss(folder, capsys):
    path = folder / "kept.html"
    main(["fit", PENGUINS, "--target", "species", "--hidden", "8", "--report", str(path), "--json"])
    found = json.loads(capsys.readouterr().out)
    said = words(path)
    assert f"epoch {found['best_epoch']} (the diamond) was kept" in said
    assert "epoch rows fitted on validation rows 1 " in said


def test_what_became_of_columns_and_why(reports):
    said = words(reports["three"])
    assert "island category of 3 levels, a number 0 or 1 for each" in said
    gaps = "10 values missing of the 275 rows fitted on"
    assert re.search(rf"sex category of 2 levels.*? {gaps}, a level of their own", said)
    filled = "filled in with the mean and marked in a column of their own"
    assert f"2 values missing of the 275 rows fitted on, {filled}" in said


def test_a_training_is_shown_layer_by_layer(reports):
    said = words(reports["network"])
    for head in ("Learning curve", "δ per layer", "Weights per layer", "Dead units"):
        assert head in said
    assert "Course of the fit" not in said


def test_without_held_out_rows_it_says_so(reports):
    assert "of each class against the rest, on the rows fitted on" in words(reports["all"])


def test_nothing_in_it_leads_elsewhere(reports):
    for path in reports.values():
        text = path.read_text()
        assert "<script" not in text and "http" not in text
        assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
        ids = re.findall(r' id="([^"]*)"', text)
        assert len(ids) == len(set(ids))


def test_wrong_usage(folder, capsys):
    assert main(["fit", PENGUINS, "--target", "species", "--report", "r.pdf"]) == 2
    assert "a report ends in .html" in capsys.readouterr().err
    assert main(["fit", PENGUINS, "--target", "species", "--report", "/no/where/r.html"]) == 1
    assert "there is no folder '/no/where'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = started(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["three", "two", "network", "all", "classes"])
def test_in_a_browser(driver, reports, name):
    page = Page(driver, reports[name])
    for width in (375, 1440):
        page.width(width)
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            page.open()
            page.js("document.querySelectorAll('details').forEach((d) => { d.open = true })")
            wide = page.js("return document.documentElement.scrollWidth")
            assert wide <= page.js("return innerWidth")
            dark = scheme == "dark"
            assert lightness(page, "body", "backgroundColor") < 0.2 or not dark
            assert contrast(page, "svg text", "section") > 4.5
            assert contrast(page, ".soft", "section") > 4.5
        assert page.js("return document.querySelectorAll('svg path').length") > 20
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith(HERE)] == []


@pytest.mark.browser
def test_numbers_that_are_closed_are_printed(driver, reports):
    page = Page(driver, reports["two"])
    page.width(1440)

    def heights():
        script = "return [...document.querySelectorAll('details')].map((d) => d.offsetHeight)"
        return page.js(script)

    assert page.js("return document.querySelectorAll('details[open]').length") == 0
    closed = heights()
    try:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        printed = heights()
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    # at least the head of a table and two of its rows
    assert all(after > before + 60 for before, after in zip(closed, printed, strict=True))


def lightness(page, selector, key):
    """Return the relative luminance of an element's colour, as contrast is defined by."""
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    channels = re.findall(r"[\d.]+", page.js(script, selector, key))[:3]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (float(channel) / 255.0 for channel in channels)
    ]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(page, text, ground):
    key = "fill" if text.startswith("svg") else "color"
    pair = sorted([lightness(page, text, key), lightness(page, ground, "backgroundColor")])
    return (pair[1] + 0.05) / (pair[0] + 0.05)
