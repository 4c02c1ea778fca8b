"""A formula's text as terms of factors: formulaic reads its grammar, R's, and evaluates nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backpass.formula.expression import (
    DEEPEST,
    Column,
    Node,
    as_r,
    columns_of,
    depth,
    dotted,
    quoted,
    read,
)

CATEGORIES = ("C", "factor", "as.factor", "relevel")
CODINGS = ("contr.treatment", "Treatment", "treatment")


@dataclass(frozen=True)
class Factor:
    """What a term is a product of. label: as R writes it.

    kind: "value", as its numbers or its words are; "category", by levels whatever it holds, against
    `baseline` if not None; "poly", orthogonal polynomials up to `degree`.
    """

    label: str
    node: Node
    kind: str = "value"
    baseline: str | None = None
    degree: int = 0


@dataclass(frozen=True)
class Formula:
    """y: (name, node), or two for counts of successes and failures; none without a left side.

    terms: in R's order, factors in the order of their first appearance. offsets: nodes to add.
    """

    text: str
    y: tuple[tuple[str, Node], ...]
    terms: tuple[tuple[Factor, ...], ...]
    intercept: bool
    offsets: tuple[Node, ...] = ()

    @property
    def y_name(self) -> str | None:
        """Return the left side as R writes it; None where there is none."""
        names = [name for name, _ in self.y]
        return f"cbind({', '.join(names)})" if len(names) > 1 else next(iter(names), None)


def parse_formula(text: str, columns: Sequence[str]) -> Formula:
    """Read "y ~ a + C(b):c". columns: names that `.` stands for, less those of the left side.

    Raises ValueError with what is not understood, ImportError without formulaic.
    """
    left, terms, intercept = _split(text, columns)
    offsets: list[Node] = []
    found: list[list[Factor]] = []
    seen: dict[Factor, int] = {}
    for factors in terms:
        if any(_is_offset(tree) for _, tree in factors):
            if len(factors) > 1:
                raise ValueError(f"formula {text!r}: offset(...) stands alone, in no interaction.")
            (tree,) = factors[0][1].args
            offsets.append(_node(tree))
            continue
        made = [_factor(label, tree) for label, tree in factors]
        for factor in made:
            seen.setdefault(factor, len(seen))
        found.append(made)
    ordered = [tuple(sorted(made, key=seen.__getitem__)) for made in found]
    ordered.sort(key=len)
    return Formula(text, left, tuple(ordered), intercept, tuple(offsets))


Parsed = tuple[str, Any]  # a factor's label and its tree


def _split(
    text: str, columns: Sequence[str]
) -> tuple[tuple[tuple[str, Node], ...], list[list[Parsed]], bool]:
    """Return the left side, the terms but for the intercept, and whether there is one."""
    try:
        import formulaic
    except ImportError:
        raise ImportError(
            "formula= needs the package formulaic; install it: pip install backpass[formula]."
        ) from None
    if not isinstance(text, str):
        raise TypeError(f"formula is {text!r}; it is a text such as 'y ~ age + C(race)'.")
    if re.search(r"\([^()|~]*\|[^()]*\)", re.sub(r""""[^"]*"|'[^']*'|`[^`]*`""", "", text)):
        raise ValueError(
            f"formula {text!r}: (... | group) is a random effect, and those are not supported; "
            "C(group) gives every group a coefficient of its own."
        )
    written = _as_python(text)
    before = text.partition("~")[0] if "~" in text else ""
    left_names = {quoted or name for quoted, name in re.findall(r"`([^`]*)`|([\w.]+)", before)}
    others = [name for name in columns if name not in left_names]
    context = {"__formulaic_variables_available__": others}
    try:
        y, written = _comparison(written)
        parsed = formulaic.Formula(written, _ordering="none", _context=context)
        sides = list(getattr(parsed, "rhs", parsed))
        left = list(getattr(parsed, "lhs", ()))
        if not all(hasattr(term, "factors") for term in [*sides, *left]):
            raise ValueError("it has several parts, by | or ~, and may have one right side")
        if len(left) > 1:
            raise ValueError("the left side has several terms; two counts are cbind(s, f)")
        trees = [[_tree(factor) for factor in term.factors] for term in sides]
        y = _left(_tree(left[0].factors[0])) if left else y
    except Exception as error:
        said = re.sub(r"\x1b\[[\d;]*m|[⧛⧚]", "", str(error)).strip().split("\n")[0]
        raise ValueError(f"formula {text!r} is not understood: {said}") from None
    intercept, terms = False, []
    for factors in trees:
        if [label for label, _ in factors] == ["1"]:
            intercept = True
            continue
        if any(isinstance(tree, ast.Constant) for _, tree in factors):
            raise ValueError(f"formula {text!r}: a number scales no term; write I(2 * x).")
        terms.append(factors)
    return y, terms, intercept


def _comparison(written: str) -> tuple[tuple[tuple[str, Node], ...], str]:
    """Take a left side such as `total >= 1` off, which formulaic's grammar does not have."""
    left, tilde, right = written.partition("~")
    if not tilde or not re.search("[<>=]", left):
        return (), written
    tree = ast.parse(left.strip(), mode="eval").body
    if not isinstance(tree, ast.Compare):
        return (), written
    return _left((as_r(tree), tree)), tilde + right


def _as_python(text: str) -> str:
    """Write R's power as Python's, which binds as R's does while ^ does not; `a b` as Q("a b")."""

    def written(found: re.Match[str]) -> str:
        whole = found.group()
        if whole == "^":
            return "**"
        return f"Q({json.dumps(whole[1:-1])})" if whole.startswith("`") else whole

    return re.sub(r""""[^"]*"|'[^']*'|`[^`]*`|\^""", written, text)


def _tree(factor: Any) -> Parsed:
    """Return a factor of formulaic as its label and its tree."""
    if factor.eval_method.value == "lookup":
        return quoted(factor.expr), ast.Name(factor.expr)
    tree = ast.parse(factor.expr.strip(), mode="eval").body
    return as_r(tree), tree


def _left(parsed: Parsed) -> tuple[tuple[str, Node], ...]:
    label, tree = parsed
    if isinstance(tree, ast.Call) and dotted(tree.func) == "relevel":
        raise ValueError(f"{label}: what y is compared with is said by reference={{y: class}}.")
    if isinstance(tree, ast.Call) and dotted(tree.func) == "cbind" and len(tree.args) == 2:
        return tuple((as_r(part), _node(part)) for part in tree.args)
    node = _node(tree)
    return ((node.name if isinstance(node, Column) else label, node),)


def _node(tree: ast.expr) -> Node:
    """Read an expression; ValueError for one of no column, or nested deeper than files keep."""
    node = read(tree)
    if not columns_of(node):
        raise ValueError(f"{as_r(tree)} names no column.")
    if depth(node) > DEEPEST:
        raise ValueError(f"{as_r(tree)[:40]}... is nested more than {DEEPEST} levels deep.")
    return node


def _is_offset(tree: Any) -> bool:
    return isinstance(tree, ast.Call) and dotted(tree.func) == "offset" and len(tree.args) == 1


def _factor(label: str, tree: ast.expr) -> Factor:
    if not isinstance(tree, ast.Call):
        return Factor(label, _node(tree))
    function = dotted(tree.func)
    if function == "poly":
        degree = tree.args[1] if len(tree.args) == 2 and not tree.keywords else None
        if not (
            isinstance(degree, ast.Constant) and type(degree.value) is int and degree.value > 0
        ):
            raise ValueError(f"{label}: it is poly(column, degree), the degree 1 or more.")
        return Factor(label, _node(tree.args[0]), "poly", degree=degree.value)
    if function in CATEGORIES and tree.args:
        node, baseline = _category(tree)
        if not isinstance(node, Column):
            raise ValueError(f"{label}: a category is a column; compute others beforehand.")
        return Factor(label, node, "category", baseline)
    return Factor(label, _node(tree))


def _category(tree: ast.Call) -> tuple[Node, str | None]:
    """Return the column and the baseline of C(x, ...), factor(x) or relevel(x, ref = "a")."""
    inner, baseline = tree.args[0], None
    if isinstance(inner, ast.Call) and dotted(inner.func) in CATEGORIES and inner.args:
        node, baseline = _category(inner)
    else:
        node = read(inner)
    for part in [*tree.args[1:], *(key.value for key in tree.keywords)]:
        if isinstance(part, ast.Call) and dotted(part.func) in CODINGS:
            values = [*part.args, *(key.value for key in part.keywords)]
            part = values[0] if len(values) == 1 else part
        if not isinstance(part, ast.Constant):
            raise ValueError(
                f"{as_r(tree)}: the coding of levels is contr.treatment('level'), or none."
            )
        baseline = str(part.value)
    return node, baseline
