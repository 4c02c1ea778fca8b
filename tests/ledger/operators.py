"""The ways to be wrong: each takes a node of Python's syntax and yields what a mistake would write.

Shapes and types are nobody's business here: a mutant that cannot run is caught by Python.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping

SWAPPED_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
SWAPPED_COMPARISONS = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
}
SWAPPED_FUNCTIONS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "log1p": "log",
    "exp": "expm1",
    "tanh": "sin",
    "square": "abs",
    "argmax": "argmin",
    "max": "min",
    "xlogy": "xlog1py",
    "xlog1py": "xlogy",
    "negative": "abs",
    "sum": "mean",
}
SWAPPED_NAMES = {
    "z_in": ("z_out",),
    "z_out": ("z_in",),
    "delta_out": ("dot_delta_out",),
    "dot_delta_out": ("delta_out",),
    "dot_z_in": ("dot_z_out", "z_in"),
    "dot_z_out": ("dot_z_in", "z_out"),
    "params": ("dot_params",),
    "dot_params": ("params",),
}
ORDERED = {"subtract", "divide", "matmul", "xlogy", "xlog1py", "where"}
TERMS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)


def sign(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.AugAssign():
            yield changed(node, op=SWAPPED_OPERATORS[type(node.op)]())


def factor(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            yield changed(node, op=SWAPPED_OPERATORS[type(node.op)]())
        case ast.Constant(value=float(value)):
            yield ast.Constant(2.0 * value if value else 1.0)


def term(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, TERMS):
        yield node.left
        yield node.right


def comparison(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]):
            yield from (changed(node, ops=[new()]) for new in SWAPPED_COMPARISONS[type(op)])
        case ast.If(test=test) | ast.IfExp(test=test):
            yield changed(node, test=ast.UnaryOp(ast.Not(), test))


def transpose(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Attribute(attr="T", value=value):
            yield value
        case ast.BinOp(op=ast.MatMult(), left=left, right=right):
            yield changed(node, left=right, right=left)
        case ast.Call(func=ast.Attribute(attr="matmul"), args=[left, right]):
            for flipped in ([left, transposed(right)], [transposed(left), right]):
                yield changed(node, args=flipped)


def index(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield ast.Constant(1 - value if value in (0, 1) else value + 1)
        case ast.Subscript(slice=ast.Tuple(elts=parts)):
            for at in range(len(parts) - 1):
                swapped = [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]
                yield changed(node, slice=ast.Tuple(swapped, ast.Load()))


def argument(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[*first, a, b]):
            if name in ORDERED or name == "_share":
                yield changed(node, args=[*first, b, a])
        case ast.Name(id=name, ctx=ast.Load()):
            yield from (changed(node, id=other) for other in SWAPPED_NAMES.get(name, ()))


def function(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Attribute(attr=name) if name in SWAPPED_FUNCTIONS:
            yield changed(node, attr=SWAPPED_FUNCTIONS[name])
        case ast.Name(id=name, ctx=ast.Load()) if name in SWAPPED_FUNCTIONS:
            yield changed(node, id=SWAPPED_FUNCTIONS[name])


def statement(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign():
            yield ast.Pass()


OPERATORS: Mapping[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "sign": sign,
    "factor": factor,
    "term": term,
    "comparison": comparison,
    "transpose": transpose,
    "index": index,
    "argument": argument,
    "function": function,
    "statement": statement,
}


def changed(node: ast.AST, **fields: object) -> ast.AST:
    """Copy a node with some fields replaced."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def transposed(array: ast.expr) -> ast.expr:
    """Write array.T, and array for array.T."""
    if isinstance(array, ast.Attribute) and array.attr == "T":
        return array.value
    return ast.Attribute(array, "T", ast.Load())
