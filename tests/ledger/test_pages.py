"""The derivations on the pages of docs/ are those of the ledger, and LaTeX can set them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from tests.ledger.formulas import FORMULAS, dot, i, over_inputs, target, z
from tests.ledger.latex import in_latex
from tests.ledger.pages import BLOCK, DOCS, block, page_of

MATH = re.compile(r"```math\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("kind", FORMULAS, ids=lambda kind: kind.__name__)
def test_the_page_shows_what_is_derived(kind):
    found = BLOCK.findall(page_of(kind).read_text(encoding="utf-8"))
    assert found == [block(kind)], "run: python -m tests.ledger.pages"


def test_the_conventions_are_stated_where_they_are_taken():
    assert "at 0 open. Here it is 0, as in the note." in " ".join(
        page_of(kind).read_text(encoding="utf-8").replace("\n", " ")
        for kind in FORMULAS
        if kind.__name__ == "ReLU"
    )
    assert "ReLU" in (DOCS / "derivations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("rule", "latex"),
    [
        (1 / z[i] ** 2, r"\frac{1}{\bigl( z^L_{i} \bigr)^{2}}"),
        (target[i] - z[i], "y_{i} - z^L_{i}"),
        (over_inputs(dot[z][i] + z[i], i), r"\sum_{i} \Bigl( \dot z^L_{i} + z^L_{i} \Bigr)"),
    ],
)
def test_notation(rule, latex):
    assert in_latex(rule) == latex


def test_latex_sets_every_derivation(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here; Debian has it in texlive-latex-base")
    body = "\n".join(rf"\[{MATH.search(block(kind))[1]}\]" for kind in FORMULAS)
    # Pages are not as wide as these formulas; what counts is that they can be set.
    text = (
        rf"\documentclass{{article}}\usepackage{{amsmath}}\begin{{document}}{body}\end{{document}}"
    )
    (tmp_path / "page.tex").write_text(text, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:]
