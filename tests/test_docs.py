"""Runs what README.md, docs/ and examples/ show, and follows where they point.

* Every ```python block runs, warnings being errors; a file's blocks share one namespace and one
  temporary directory, so a page reads like a session.
* A ```text block right after a ```python block is what it prints, to the character.
* A ```console run block: each line that begins with `$ backpass` ends with status 0, in the same
  directory. A ```text block right after it is an excerpt: each of its lines is a line that they
  print, in this order. The rest is not compared: times and paths differ.
* Every script of examples/ runs and prints something, warnings being errors.
* Relative links lead to files, and a link such as [`Linear.forward`](../src/…/linear.py) to a file
  that defines that name.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import subprocess
import sys
import types
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import backpass.layers
import backpass.losses

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)|!\[([^\]]*)\]\(([^)\s]+)\)")
SYMBOL = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`")
ABSTRACT = {"Layer", "Loss"}


@dataclass(frozen=True)
class Block:
    """One fenced block: the words after the fence, its text, and the line it starts on."""

    kind: str
    text: str
    line: int


def blocks(markdown: str) -> list[Block]:
    """Cut the fenced blocks out of a page, in order."""
    return [
        Block(found[1].strip(), found[2], markdown.count("\n", 0, found.start(2)) + 1)
        for found in FENCE.finditer(markdown)
    ]


def outputs(markdown: str) -> dict[int, str]:
    """Map the line of each block that runs to what the text block right after it shows."""
    found = list(FENCE.finditer(markdown))
    return {
        markdown.count("\n", 0, first.start(2)) + 1: second[2]
        for first, second in pairwise(found)
        if first[1].strip() in ("python", "console run")
        and second[1].strip() == "text"
        and not markdown[first.end() : second.start()].strip()
    }


def run_page(name: str, markdown: str) -> None:
    """Run a page's snippets in order; AssertionError where one prints another text than shown."""
    expected = outputs(markdown)
    # A real module, since dataclasses and pickle look their class's module up.
    module = sys.modules["snippet"] = types.ModuleType("snippet")
    try:
        for block in blocks(markdown):
            if block.kind == "python":
                printed = run_python(name, block, vars(module))
                if block.line in expected:
                    assert printed == expected[block.line], f"{name}, line {block.line}"
            elif block.kind == "console run":
                printed = run_console(name, block)
                left = iter(line.rstrip() for line in printed.splitlines())
                for line in expected.get(block.line, "").splitlines():
                    assert line.rstrip() in left, f"{name}, line {block.line}: not printed: {line}"
    finally:
        del sys.modules["snippet"]


def run_python(name: str, block: Block, namespace: dict[str, object]) -> str:
    """Run one snippet; return what it printed. Tracebacks show the page's own line numbers."""
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def run_console(name: str, block: Block) -> str:
    """Run the `$ backpass` lines of one block, each in its own process; return what they print."""
    text = block.text.replace("\\\n", " ")
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ backpass")]
    printed = ""
    assert commands, f"{name}, line {block.line}: a console block to run has no `$ backpass` line"
    for command in commands:
        start = [
            sys.executable,
            "-c",
            "import sys; from backpass.cli import main; sys.exit(main())",
        ]
        run = subprocess.run(
            [*start, *shlex.split(command)[1:]], capture_output=True, text=True, timeout=120
        )
        assert run.returncode == 0, f"{name}, line {block.line}: {command}\n{run.stderr}"
        printed += run.stdout
    return printed


def defined_names(path: Path) -> set[str]:
    """Collect the dotted names that a Python file defines: functions, classes, methods, tables."""

    def walk(body: list[ast.stmt], prefix: str) -> set[str]:
        names: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    names |= walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                names |= {prefix + t.id for t in node.targets if isinstance(t, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(prefix + node.target.id)
        return names

    return walk(ast.parse(path.read_text(encoding="utf-8")).body, "")


def broken_links(page: Path, markdown: str) -> list[str]:
    """List the links of a page that lead nowhere, or to a file without the name they promise."""
    broken = []
    for found in LINK.finditer(FENCE.sub("", markdown)):
        label, target = found[1] or found[3], (found[2] or found[4]).partition("#")[0]
        if not target or ":" in target:
            continue
        path = (page.parent / target).resolve()
        symbol = SYMBOL.fullmatch(label)
        if not path.exists():
            broken.append(f"{page.name}: no file {target}")
        elif path.suffix == ".py" and symbol and symbol[1] not in {path.name, *defined_names(path)}:
            broken.append(f"{page.name}: {target} defines no {symbol[1]}")
    return broken


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_snippets_run_and_print_what_they_show(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8"))


def test_links_lead_somewhere(page):
    assert not broken_links(page, page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "kind", sorted({*backpass.layers.__all__, *backpass.losses.__all__} - ABSTRACT)
)
def test_every_layer_and_loss_has_a_page_with_a_formula_and_a_snippet(kind):
    module = getattr(backpass, kind).__module__
    folder, name = module.split(".")[-2:]
    page = ROOT / "docs" / folder / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert "$$" in text and "Kwitt (2018)" in text
    assert outputs(text), f"{page} has no snippet with its printed output"


def test_every_page_of_docs_can_be_reached_from_the_index():
    docs = ROOT / "docs"
    seen, todo = set(), [docs / "index.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        for found in LINK.finditer(page.read_text(encoding="utf-8")):
            target = (page.parent / (found[2] or found[4]).partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in seen:
                todo.append(target)
    assert {path for path in PAGES if docs in path.parents} <= seen


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_examples_run_and_are_listed(script, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout and not run.stderr
    assert list(tmp_path.iterdir()) == []  # examples leave nothing behind
    assert f"({script.name})" in (script.parent / "README.md").read_text(encoding="utf-8")


def test_a_wrong_output_is_found():
    right = "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n"
    run_page("right", right)
    with pytest.raises(AssertionError, match="wrong, line 2"):
        run_page("wrong", right.replace("\n2\n", "\n3\n"))


def test_snippets_of_a_page_share_a_namespace_and_a_warning_is_an_error():
    run_page("two", "```python\na = 1\n```\ntext\n```python\nassert a == 1\n```\n")
    with pytest.raises(UserWarning, match="loud"):
        run_page("loud", "```python\nimport warnings\nwarnings.warn('loud')\n```\n")


def test_a_command_that_fails_is_found():
    with pytest.raises(AssertionError, match="no-such-command"):
        run_page("console", "```console run\n$ backpass no-such-command\n```\n")


def test_a_line_that_no_command_prints_is_found():
    shown = "```console run\n$ backpass --help\n```\n\n```text\n{}\n```\n"
    run_page("right", shown.format(""))
    with pytest.raises(AssertionError, match="wrong, line 2: not printed: Usage: another"):
        run_page("wrong", shown.format("Usage: another"))


def test_broken_links_are_found(tmp_path):
    (tmp_path / "code.py").write_text("class A:\n    def f(self): ...\n", encoding="utf-8")
    page = tmp_path / "page.md"
    assert broken_links(page, "[`A.f`](code.py) [words](code.py) [`code.py`](code.py)") == []
    assert broken_links(page, "[`A.g`](code.py)") == ["page.md: code.py defines no A.g"]
    assert broken_links(page, "[words](nowhere.md) ![drawing](none.svg)") == [
        "page.md: no file nowhere.md",
        "page.md: no file none.svg",
    ]
