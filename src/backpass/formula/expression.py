"""Arithmetic on the columns of a table, as trees that hold no code: read, evaluated, written as R.

`I(age^2)`, `log(lwt)`, `age > 30`, `scale(bmi)`: names, numbers, the operators and functions of the
tables below, and nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.errors import DataError
from backpass.data.values import as_words, holds_text, number_values

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTIONS: dict[str, Callable[..., NDArray]] = {
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
}
ARITHMETIC: dict[str, Callable[..., NDArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}
COMPARISONS: dict[str, Callable[..., Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
STATEFUL = ("scale", "center")  # they keep the mean and the deviation of the fit
OPERATIONS = {**FUNCTIONS, **ARITHMETIC, **COMPARISONS}
DEEPEST = 50

_PYTHON = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "^",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


@dataclass(frozen=True)
class Column:
    """A column of the table, by name."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A number, or a text to compare with."""

    value: float | str


@dataclass(frozen=True)
class Call:
    """A function or operator of OPERATIONS on its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Affine:
    """(argument - centre) / scale, with both learned at the fit; None before."""

    name: str
    argument: Node
    centre: float | None = None
    scale: float | None = None


Node = Column | Constant | Call | Affine


def read(tree: ast.expr) -> Node:
    """Make a node of parsed Python; ValueError for anything that is not in the tables."""
    name = dotted(tree)
    if name is not None:
        return Column(name)
    if isinstance(tree, ast.Constant) and type(tree.value) in (int, float, str):
        value = tree.value
        return Constant(value if isinstance(value, str) else float(value))  # type: ignore[arg-type]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        inner = read(tree.operand)
        return inner if isinstance(tree.op, ast.UAdd) else Call("-", (Constant(0.0), inner))
    if isinstance(tree, ast.BinOp) and type(tree.op) in _PYTHON:
        return Call(_PYTHON[type(tree.op)], (read(tree.left), read(tree.right)))
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and type(tree.ops[0]) in _PYTHON:
        return Call(_PYTHON[type(tree.ops[0])], (read(tree.left), read(tree.comparators[0])))
    if isinstance(tree, ast.Call) and len(tree.args) == 1 and not tree.keywords:
        function, inside = dotted(tree.func), tree.args[0]
        if function == "I":
            return read(inside)
        if function == "Q" and isinstance(inside, ast.Constant) and isinstance(inside.value, str):
            return Column(inside.value)
        if function in STATEFUL:
            return Affine(function, read(inside))
        if function in FUNCTIONS:
            return Call(function, (read(inside),))
    raise ValueError(
        f"'{as_r(tree)}' is not understood. Terms are columns, C(column), factor(column), "
        f"relevel(column, ref = 'level'), poly(column, degree), "
        f"offset(column), I(...) with + - * / ^ and comparisons, and the functions "
        f"{', '.join([*FUNCTIONS, *STATEFUL])}; compute anything else as a column of the table."
    )


def dotted(tree: ast.expr) -> str | None:
    """Return a name, R's with dots too; None for anything else."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        before = dotted(tree.value)
        return None if before is None else f"{before}.{tree.attr}"
    return None


def columns_of(node: Node) -> list[str]:
    """List the columns that a node reads."""
    if isinstance(node, Column):
        return [node.name]
    inner = [node.argument] if isinstance(node, Affine) else getattr(node, "arguments", ())
    return [name for part in inner for name in columns_of(part)]


def depth(node: Node) -> int:
    """Count the levels of a node."""
    inner = [node.argument] if isinstance(node, Affine) else getattr(node, "arguments", ())
    return 1 + max(map(depth, inner), default=0)


def learned(node: Node, table: pa.Table) -> Node:
    """Return the node with the means and deviations of this table where it keeps any."""
    if isinstance(node, Call):
        return replace(node, arguments=tuple(learned(part, table) for part in node.arguments))
    if not isinstance(node, Affine):
        return node
    argument = learned(node.argument, table)
    values = numbers(argument, table)
    scale = float(values.std(ddof=1)) if node.name == "scale" and len(values) > 1 else 1.0
    if not scale > 0.0:
        raise DataError(f"{node.name}(...) of the formula: the values do not vary.")
    return Affine(node.name, argument, float(values.mean()), scale)


def evaluate(node: Node, table: pa.Table) -> NDArray:
    """Return a node's value in every row: float64, bool, or words for a column of text."""
    if isinstance(node, Constant):
        return np.asarray(node.value)
    if isinstance(node, Affine):
        assert node.centre is not None and node.scale is not None  # learned
        return (numbers(node.argument, table) - node.centre) / node.scale
    if isinstance(node, Call):
        parts = [evaluate(part, table) for part in node.arguments]
        text = [part.dtype.kind in "OU" for part in parts]
        if any(text) and not (node.name in ("==", "!=") and all(text)):
            raise DataError(f"'{node.name}' of the formula takes numbers, but a column holds text.")
        if not any(text):
            parts = [np.asarray(part, dtype=np.float64) for part in parts]
        with np.errstate(all="ignore"):  # what is not finite is named by the caller
            return OPERATIONS[node.name](*parts)
    cells = table[node.name]
    if holds_text(cells):
        return np.array(as_words(cells).to_pylist(), dtype=object)
    values = number_values(cells, node.name)
    return values.astype(bool) if str(cells.type) == "bool" else values


def numbers(node: Node, table: pa.Table) -> NDArray[np.float64]:
    """Return a node's value in every row as (n_rows,) float64; DataError where it has none."""
    values = evaluate(node, table)
    if values.dtype.kind in "OU":
        raise DataError("the formula computes with it, but it holds text.", column=node_name(node))
    return np.broadcast_to(values.astype(np.float64), (table.num_rows,))


def node_name(node: Node) -> str:
    """Name the first column of a node."""
    return (columns_of(node) or ["?"])[0]


def to_document(node: Node) -> list[Any]:
    """Return a node as nested lists for JSON."""
    if isinstance(node, Column):
        return ["column", node.name]
    if isinstance(node, Constant):
        return ["constant", node.value]
    if isinstance(node, Affine):
        return [node.name, to_document(node.argument), node.centre, node.scale]
    return [node.name, *map(to_document, node.arguments)]


def from_document(plain: Any, where: str, depth: int = 0) -> Node:
    """Read what `to_document` returned, checking every part."""
    if type(plain) is not list or len(plain) < 2 or depth > DEEPEST:
        raise document.DocumentError(f"{where} is no expression.")
    kind, *parts = plain
    if kind == "column" and len(parts) == 1:
        return Column(document.text(parts[0], where))
    if kind == "constant" and len(parts) == 1:
        check = document.text if type(parts[0]) is str else document.number
        return Constant(check(parts[0], where))
    if kind in STATEFUL and len(parts) == 3:
        centre, scale = (document.number(part, where) for part in parts[1:])
        if not scale > 0.0:
            raise document.DocumentError(f"{where} divides by {scale}.")
        return Affine(kind, from_document(parts[0], where, depth + 1), centre, scale)
    if type(kind) is str and len(parts) == (1 if kind in FUNCTIONS else 2) and kind in OPERATIONS:
        return Call(kind, tuple(from_document(part, where, depth + 1) for part in parts))
    raise document.DocumentError(f"{where} has the unknown operation {str(kind)[:40]!r}.")


_LOOSE, _TIGHT = {"+", "-", "*", *COMPARISONS}, {"/", "^"}
_BINDS = {**dict.fromkeys(COMPARISONS, 0), "+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def as_r(tree: ast.expr, outside: int = -1) -> str:
    """Write parsed Python as R writes its own expressions: I(age^2), a + b, a/b."""
    name = dotted(tree)
    if name is not None:
        return name
    if isinstance(tree, ast.Constant):
        return f'"{tree.value}"' if isinstance(tree.value, str) else _number(tree.value)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return f"-{as_r(tree.operand, 3)}"
    if isinstance(tree, ast.Call):
        if dotted(tree.func) == "Q" and isinstance(tree.args[0], ast.Constant):
            return quoted(str(tree.args[0].value))
        said = [as_r(part) for part in tree.args]
        said += [f"{key.arg} = {as_r(key.value)}" for key in tree.keywords]
        return f"{dotted(tree.func) or '?'}({', '.join(said)})"
    if isinstance(tree, ast.Compare):
        left, kind, right = tree.left, type(tree.ops[0]), tree.comparators[0]
    elif isinstance(tree, ast.BinOp):
        left, kind, right = tree.left, type(tree.op), tree.right  # type: ignore[assignment]
    else:
        return ast.unparse(tree)
    sign = _PYTHON.get(kind)
    if sign is None:
        return ast.unparse(tree)
    binds = _BINDS[sign]
    right_binds = binds if sign == "^" else binds + 1
    space = " " if sign in _LOOSE else ""
    text = f"{as_r(left, binds + (sign == '^'))}{space}{sign}{space}{as_r(right, right_binds)}"
    return f"({text})" if binds < outside else text


def quoted(name: str) -> str:
    """Write a column's name as R does: in backticks where it is no word."""
    return name if re.fullmatch(r"[^\W\d_][\w.]*|\.[\w.]*", name) else f"`{name}`"


def _number(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
