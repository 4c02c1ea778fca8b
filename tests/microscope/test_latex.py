"""The LaTeX document has the trace's numbers, is balanced, and compiles where LaTeX is at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest
from tests.microscope import models

import backpass as bp
from backpass.microscope.latex import escaped
from backpass.microscope.latex_formula import number


def every_rule_trace():
    """All activations in a row, and smoothed labels."""
    net = bp.Network(
        [
            *(bp.Linear(7, 3), bp.ReLU(), bp.Dropout(0.5), bp.Linear(3, 7), bp.Softmax()),
            *(bp.Linear(7, 2), bp.Sigmoid(), bp.Linear(2, 4)),
        ],
        bp.CrossEntropyLoss(label_smoothing=0.1),
    )
    rng = np.random.default_rng(0)
    return net.trace(rng.normal(size=net.n_parameters), rng.normal(size=(2, 7)), [1, 3])


TRACES = {
    "figure_1": models.figure_1_trace,
    "residual": models.residual_trace,
    "overflowing": models.overflowing_trace,
    "own_layer": models.own_layer_trace,
    "every_rule": every_rule_trace,
}
every_trace = pytest.mark.parametrize("name", TRACES)


@every_trace
def test_braces_and_environments_are_balanced(name):
    text = TRACES[name]().to_latex(1)
    bare = re.sub(r"\\[{}]", "", text)
    depth = np.cumsum([{"{": 1, "}": -1}.get(sign, 0) for sign in bare])
    assert depth.min() >= 0 and depth[-1] == 0
    begun, ended = (
        Counter(re.findall(rf"\\{word}\{{(\w+\*?)\}}", text)) for word in ("begin", "end")
    )
    assert begun == ended and begun["document"] == 1
    assert text.count(r"\left") == text.count(r"\right")


@every_trace
def test_it_compiles(name, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here; Debian has it in texlive-latex-base, -recommended")
    (tmp_path / "t.tex").write_text(TRACES[name]().to_latex(1), encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:]


def test_it_has_the_numbers_of_the_note():
    text = models.figure_1_trace().to_latex(0)
    assert r"z_{2}^{2} &= 0.5 \cdot 0.3 + 2 \cdot 0.7 + 0.1 = 1.65" in text
    assert r"\delta_{1}^{2} &= (-1) \cdot \left(1 - e^{(-2.171)}\right)" in text
    assert "lead 4 paths: 8 multiplications. The recursion needs 6." in text
    assert r"= (-1) \cdot 0.8859 \cdot 0.3 = -0.2658" in text


def test_an_overflow_is_explained():
    assert "a half overflows float64" in models.overflowing_trace().to_latex(0)
    assert "a half overflows float64" not in models.residual_trace().to_latex(0)


def test_a_row_that_is_not_there_is_refused():
    with pytest.raises(IndexError, match="row 6: this trace has rows 0 to 5"):
        models.residual_trace().to_latex(6)


def test_names_are_text():
    assert escaped(r"a_b\{%") == r"a\_b\textbackslash{}\{\%"
    assert escaped("数") == "[U+6570]"
    text = models.figure_1_trace().to_latex(0, feature_names=["a_b", "50%"])
    assert r"a\_b" in text and r"50\%" in text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (1.0, "1"), (0.3, "0.3"), (-0.88594, "-0.8859"), (1234.56, "1235"),
        (123456.7, "123457"), (2e-5, r"2 \cdot 10^{-5}"), (9.9999999e-4, "0.001000"),
        (np.inf, r"\infty"), (np.nan, r"\mathrm{nan}"), (0.4999999, "0.5000"),
    ],
)  # fmt: skip
def test_numbers_have_four_digits(x, text):
    assert number(x) == text
