"""Holds the source to the picture in docs/architecture.md: imports go downwards in it only.

The picture is the one place where the order is written; it is read here, not repeated. Each rule
is a function of source text, so that the tests can also show it a file that breaks it.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import backpass.layers

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "backpass"
FILES = sorted(SOURCE.rglob("*.py"))
PICTURE = re.compile(r"<!-- the picture:[^\n]*-->\n```text\n(.*?)```", re.DOTALL)

HEAVY = {"torch", "jax", "dask"}  # never when a module is imported, only inside functions
MAY_ASK_FOR_KINDS = {"pairs", "fusion", "init", "steps"}
KINDS = {*backpass.layers.__all__} - {"Layer"}  # asking for Layer itself checks an argument

# Imports upwards that are meant: (who, whom): why. They stand inside functions only.
UPWARD = {
    ("trace", "microscope"): (
        "trace.to_html(path) is what a person types; the methods import the drawing when called"
    ),
}


def picture() -> list[str]:
    """Read the order from docs/architecture.md, top first: "cli", "modelfile", ..., "theta"."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = PICTURE.search(text)
    assert block is not None, "docs/architecture.md has lost its picture, or the comment above it"
    return [line.split()[0].removesuffix("/").removesuffix(".py") for line in block[1].splitlines()]


def component(path: Path) -> str:
    """Name the entry of the picture that a source file belongs to; "" for __init__.py."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported(tree: ast.AST, package: tuple[str, ...] = ("backpass",)) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) for everything imported anywhere in a file, functions included.

    package: where the file stands, which is what a relative import counts its dots from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def upward_imports(
    tree: ast.AST, own: str, order: list[str], package: tuple[str, ...] = ("backpass",)
) -> list[str]:
    """List the imports of a file of component `own` that do not go downwards in the picture."""
    found = []
    for line, name in imported(tree, package):
        head, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if head != "backpass" or target not in order or target == own:
            continue
        if order.index(target) < order.index(own) and (own, target) not in UPWARD:
            found.append(f"line {line}: {own} imports {name}, which stands above it")
    return found


def ladders(tree: ast.AST) -> list[str]:
    """List the functions that ask for two or more kinds of layer with isinstance."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        asked = {
            name
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in {"isinstance", "issubclass"}
            for name in names_in(call.args[1])
        } | {
            name
            for pattern in ast.walk(function)
            if isinstance(pattern, ast.MatchClass)
            for name in names_in(pattern.cls)
        }
        if len(asked & KINDS) > 1:
            found.append(
                f"line {function.lineno}: {function.name} asks for {sorted(asked & KINDS)}"
            )
    return found


def names_in(tree: ast.AST) -> set[str]:
    """Collect every name in an expression, of `Linear` and of `bp.Linear` alike."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


def numba_threads(tree: ast.AST) -> list[str]:
    """List the lines that call Numba's own thread pool."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "parallel":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                found.append(f"line {node.value.lineno}: parallel=")
        elif (isinstance(node, ast.Name) and node.id == "prange") or (
            isinstance(node, ast.Attribute) and node.attr == "prange"
        ):
            found.append(f"line {node.lineno}: prange")
    return found


def heavy_at_import(tree: ast.AST) -> list[str]:
    """List the imports of torch, JAX and Dask that run when the module itself is imported."""
    return [
        f"line {line}: imports {name}"
        for line, name in imported_at_once(tree)
        if name.partition(".")[0] in HEAVY
    ]


def imported_at_once(tree: ast.AST) -> list[tuple[int, str]]:
    """List what is imported when the module itself is, so not inside functions."""
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    return [
        (line, name)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        and id(statement) not in inside_functions
        for line, name in imported(statement)
    ]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_the_picture_names_every_module_once_and_no_other():
    there = {component(path) for path in FILES} - {""}
    order = picture()
    assert sorted(order) == sorted(there), (
        "docs/architecture.md and src/backpass differ: "
        f"missing from the picture {sorted(there - set(order))}, "
        f"in it but not in the source {sorted(set(order) - there)}, "
        f"in it twice {sorted({name for name in order if order.count(name) > 1})}"
    )


def test_imports_go_downwards(file):
    order, own = picture(), component(file)
    if own in order:  # a module that is missing fails the test above, once
        package = ("backpass", *file.relative_to(SOURCE).parts[:-1])
        assert not upward_imports(parse(file), own, order, package)


@pytest.mark.parametrize(("own", "target"), UPWARD)
def test_an_upward_import_that_is_meant_stands_inside_functions(own, target):
    tree = parse(SOURCE / f"{own}.py")
    name = f"backpass.{target}"
    assert any(found == name for _, found in imported(tree)), "no longer there: mend UPWARD"
    assert not any(found == name for _, found in imported_at_once(tree))


def test_kinds_of_layers_are_asked_for_in_the_visible_tables_only(file):
    if component(file) not in MAY_ASK_FOR_KINDS:
        assert not ladders(parse(file))


def test_parallel_work_is_in_our_own_threads(file):
    assert not numba_threads(parse(file))


def test_other_frameworks_are_imported_inside_functions_only(file):
    assert not heavy_at_import(parse(file))


def test_import_backpass_loads_nothing_but_the_standard_library():
    script = (
        "import sys; before = set(sys.modules); import backpass, json; "
        "print(json.dumps(sorted({m.partition('.')[0] for m in set(sys.modules) - before})))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout)) - set(sys.stdlib_module_names)
    assert loaded == {"backpass"}


@pytest.mark.parametrize(
    "line",
    [
        "from backpass.network import Network",
        "import backpass.network",
        "from backpass import network",
        "def later():\n    from backpass.network import Network",
    ],
)
def test_an_upward_import_is_found_in_each_of_its_forms(line):
    assert upward_imports(ast.parse(line), "layers", ["network", "layers"])
    assert not upward_imports(ast.parse(line), "network", ["network", "layers"])


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("from .network import Network", ("backpass",)),
        ("from . import network", ("backpass",)),
        ("from ..network import Network", ("backpass", "layers")),
        ("from .. import network", ("backpass", "layers")),
    ],
)
def test_an_upward_import_is_found_where_it_is_relative(line, package):
    assert upward_imports(ast.parse(line), "layers", ["network", "layers"], package)
    assert not upward_imports(ast.parse(line), "network", ["network", "layers"], package)


@pytest.mark.parametrize(
    "body",
    [
        "isinstance(x, Linear) or isinstance(x, ReLU)",
        "isinstance(x, (bp.Linear, bp.ReLU))",
        "isinstance(x, Linear | ReLU)",
    ],
)
def test_a_ladder_is_found(body):
    assert ladders(ast.parse(f"def f(x):\n    return {body}"))
    assert not ladders(ast.parse("def f(x):\n    return isinstance(x, Linear)"))
    assert not ladders(ast.parse("def f(x):\n    return isinstance(x, (Layer, Linear))"))


def test_a_ladder_of_cases_is_found():
    cases = "    case Linear():\n      pass\n    case ReLU():\n      pass\n"
    assert ladders(ast.parse(f"def f(x):\n  match x:\n{cases}"))


def test_numba_threads_are_found():
    assert numba_threads(ast.parse("@njit(parallel=True)\ndef f(): pass"))
    assert numba_threads(ast.parse("for i in numba.prange(3): pass"))
    assert not numba_threads(ast.parse("@njit(parallel=False)\ndef f(): pass"))


def test_a_heavy_import_is_found_outside_functions_only():
    assert heavy_at_import(ast.parse("try:\n    import torch.nn\nexcept ImportError: pass"))
    assert heavy_at_import(ast.parse("class A:\n    from dask import array"))
    assert not heavy_at_import(ast.parse("def f():\n    import jax"))
