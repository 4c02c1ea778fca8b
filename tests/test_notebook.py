"""Runs examples/the_note.ipynb as a reader would, and keeps what it printed out of git."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def cells():
    """Execute the walk through the note; return its code cells with what they gave."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    import nbformat

    notebook = nbformat.read(EXAMPLES / "the_note.ipynb", as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the machinery; a cell's own go to its stderr
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell) -> str:
    """Join what a cell printed."""
    return "".join(output.get("text", "") for output in cell.outputs)


def lines_with(cells, *words: str) -> list[str]:
    """Find the printed lines that begin with these words, one each, without the words."""
    lines = [line for cell in cells for line in printed(cell).splitlines()]
    found = [
        [line[len(word) :].strip() for line in lines if line.startswith(word)] for word in words
    ]
    assert all(found), f"nothing printed begins with one of {words}"
    return [numbers[0] for numbers in found]


def test_every_cell_runs_and_warns_of_nothing(cells):
    for cell in cells:
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"{cell.source}\n{output['text']}"
    # Beside the imports, every cell shows what it computed.
    assert all(cell.outputs for cell in cells[1:])


@pytest.mark.parametrize(
    "ways",
    [
        ("−log of the product", "the sum of Eq. 4", "network A "),
        ("network B  ", "network C", "network A at θ₁ − θ₀"),
        ("the double sum", "network B  "),
    ],
)
def test_the_ways_to_one_cost_agree(cells, ways):
    first, *others = map(float, lines_with(cells, *ways))
    assert others == pytest.approx([first] * len(others), rel=1e-14)


def test_equal_things_are_printed_alike(cells):
    for one, other in (
        ("layer", "formula"),
        ("formula", "⟨θ, x⟩"),
        ("δ²ᵀ z¹", "∂C/∂W"),
        ("sum of δ²", "∂C/∂b"),
        ("sum of pulls on the weights", "−w / C"),
    ):
        left, right = lines_with(cells, one, other)
        assert left == right
    for level in ("δ4", "δ3", "δ2", "δ1"):
        by_hand, trace = lines_with(cells, level)[0].removeprefix("by hand").split("trace")
        assert by_hand.strip() == trace.strip()


def test_traces_show_their_page(cells):
    pages = [
        output.data["text/html"] for cell in cells for output in cell.outputs if "data" in output
    ]
    assert len(pages) == 2
    for page in pages:
        assert page.startswith("<iframe")
    assert "bill_length_mm" in pages[1] and "Chinstrap" in pages[1]


@notebooks
def test_notebooks_are_stored_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


@notebooks
def test_notebooks_are_listed_and_their_links_lead_somewhere(path):
    assert f"({path.name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert targets
    for target in targets:
        assert (EXAMPLES / target).resolve().exists(), target
