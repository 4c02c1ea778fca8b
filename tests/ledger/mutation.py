"""Plants one mistake at a time in the source of a layer or loss, and asks who notices.

A mutant is the module's syntax tree with one place changed: a sign, a factor, an index, a
comparison, a transpose, a term, an argument, a function or a whole statement.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from tests.ledger.comparison import errors
from tests.ledger.examples import EXAMPLES, N_IN
from tests.ledger.operators import OPERATORS
from tests.strategies import labels, outputs

import backpass as bp
import backpass.network
from backpass.layers import Layer

# What is no derivative: checks of options and of labels, and widths (every network checks them).
OUTSIDE = {"__post_init__", "targets", "refuse_targets", "input_width", "output_width", "shapes"}
# A Residual is structure: its sums stand in the two loops of the network.
ELSEWHERE = {bp.Residual: (backpass.network, frozenset({"forward_pass", "backward_pass"}))}

Place = tuple[ast.AST, str, int | None]  # parent, its field, the place in a list


@dataclass(frozen=True)
class Mutant:
    """One changed module. says: what was changed where, in words that survive edits elsewhere."""

    says: str
    operator: str
    code: types.CodeType

    def build(self) -> dict[str, Any]:
        """Run the changed module; return what it defines."""
        module = types.ModuleType("mutant")
        sys.modules["mutant"] = module  # where dataclasses look annotations up
        try:
            exec(self.code, vars(module))
        finally:
            del sys.modules["mutant"]
        return vars(module)


def mutants(kind: type) -> list[Mutant]:
    """List every mutant of the module that defines a layer or loss."""
    module, only = ELSEWHERE.get(kind, (sys.modules[kind.__module__], None))
    return mutants_of(module, kind.__name__, only)


@cache
def mutants_of(
    module: types.ModuleType, label: str, only: frozenset[str] | None = None
) -> list[Mutant]:
    """List the mutants of a module's functions; label: what reports call it."""
    tree = ast.parse(inspect.getsource(module))
    return [
        mutant
        for function in functions(tree)
        if function.name not in OUTSIDE and (only is None or function.name in only)
        for place in places(function)
        for mutant in mutants_at(place, function, tree, label)
    ]


def mutants_at(
    place: Place, function: ast.FunctionDef, tree: ast.Module, label: str
) -> Iterator[Mutant]:
    """Change one place of a tree in every way, and change it back."""
    node = held(place)
    before = ast.unparse(line_of(function, node))
    for operator, change in OPERATORS.items():
        for new in change(node):
            put(place, new)
            after = ast.unparse(line_of(function, new))
            code = compile(ast.fix_missing_locations(tree), "mutant", "exec")
            put(place, node)
            if after != before:  # not a swap of like with like
                says = f"{label}: {function.name}: {before}  →  {after}"
                yield Mutant(says, operator, code)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the functions of a module and the methods of its classes."""
    for part in tree.body:
        for one in part.body if isinstance(part, ast.ClassDef) else [part]:
            if isinstance(one, ast.FunctionDef):
                yield one


def places(root: ast.FunctionDef) -> Iterator[Place]:
    """Yield every place in a function's body that holds a node: parent, field, number in a list."""
    todo: list[ast.AST] = [root]
    while todo:
        parent = todo.pop()
        for field, value in ast.iter_fields(parent):
            if parent is root and field != "body":
                continue
            for at, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.expr | ast.stmt) and not raises(node):
                    yield parent, field, at
                    todo.append(node)


def raises(node: ast.AST) -> bool:
    """Tell whether this is the text of an error, or a docstring."""
    return isinstance(node, ast.Raise) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def held(place: Place) -> ast.AST:
    parent, field, at = place
    value = getattr(parent, field)
    return value if at is None else value[at]


def put(place: Place, node: ast.AST) -> None:
    parent, field, at = place
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def line_of(root: ast.FunctionDef, node: ast.AST) -> ast.AST:
    """Return the statement around a node; of one with a body, its condition or its range."""
    for part in ast.walk(root):
        if isinstance(part, ast.If | ast.While):
            part = part.test
        elif isinstance(part, ast.For):
            part = part.iter
        elif not isinstance(part, ast.stmt) or hasattr(part, "body"):
            continue
        if any(inner is node for inner in ast.walk(part)):
            return part
    return node


def caught_by(mutant: Mutant, kind: type) -> dict[str, str]:
    """Ask both judges, each on its own; return what each says, and nothing of one that is content.

    check: differences of the mutant's own forward map. ledger: the derived rules. Python: a mutant
    that does not run.
    """
    said = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for judge in (by_check, by_ledger):
            try:
                if report := judge(mutant, kind):
                    said[judge.__name__.removeprefix("by_")] = report
            except Exception as error:  # whatever a line of nonsense may raise
                said["Python"] = f"{type(error).__name__}: {error}"
    return said


def by_check(mutant: Mutant, kind: type) -> str | None:
    """Return what check_layer or check_network says, or None where it is content."""
    try:
        built = mutant.build()
        if kind in ELSEWHERE:
            check_loops(built["Network"])
        else:
            for example in EXAMPLES[kind]:
                check(example.build(built[kind.__name__]))
    except bp.DerivativeError as error:
        return str(error)
    return None


def by_ledger(mutant: Mutant, kind: type) -> str | None:
    """Return the worst of what the comparison finds, or None where all is within what is stated."""
    if kind in ELSEWHERE:
        return None  # it compares with the package's own network
    changed = mutant.build()[kind.__name__]
    for example in EXAMPLES[kind]:
        found = errors(kind, example, example.build(changed))
        wrong = [error for error in found if not error.ulps <= error.allowed]
        if wrong:
            return str(max(wrong, key=lambda error: error.ulps))
    return None


def check(part: object) -> None:
    """Hold a layer or loss to differences, as users do theirs."""
    if isinstance(part, Layer):
        bp.check_layer(part, N_IN)
        return
    rng, sane = np.random.default_rng(0), getattr(bp, type(part).__name__)()
    z, y = outputs(sane, 6, N_IN, rng), labels(sane, 6, N_IN, rng)
    # A layer that hands z on, so that the loss meets these very numbers.
    bp.check_network(bp.Network([bp.Dropout(0.1)], part), z, y)


class Gain(Layer):
    """z_out = e^g z_in: its gradient starts from z_out, as no built-in layer's does."""

    def shapes(self):
        return {"g": (1,)}

    def forward(self, params, z_in, z_out):
        np.multiply(z_in, np.exp(params["g"]), out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, np.exp(params["g"]), out=delta_in)

    def gradient(self, params, z_in, z_out, delta_out, grad):
        grad["g"][...] = np.vdot(delta_out, z_out)


def check_loops(network: type[bp.Network]) -> None:
    """Hold a network's two loops to differences, with ways around layers and around each other."""
    rng = np.random.default_rng(0)
    around = bp.Residual(bp.Linear(3, 3), bp.Residual(bp.Tanh()), bp.Sigmoid())
    layers = [bp.Linear(N_IN, 3), around, Gain(), bp.Residual(bp.Tanh()), bp.Linear(3, 3)]
    # Not fused, or a compiled plan would run in place of the loops.
    net = network(layers, bp.CrossEntropyLoss(), fused=False)
    bp.check_network(net, rng.normal(size=(6, N_IN)), rng.integers(0, 3, 6))


def main() -> None:
    """Print every mutant and who says what."""
    for kind in EXAMPLES:
        for mutant in mutants(kind):
            print(f"{mutant.operator}: {mutant.says}")
            for judge, report in caught_by(mutant, kind).items():
                print(f"    {judge}: {report}")


if __name__ == "__main__":
    main()
