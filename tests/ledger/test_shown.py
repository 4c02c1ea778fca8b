"""The formulas on the microscope's page are those of the ledger, to 40 digits."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import mpmath
import pytest
from tests.ledger.exact import Place, evaluate
from tests.ledger.examples import EXAMPLES, N_IN
from tests.ledger.formulas import FORMULAS, Formula, n_in
from tests.ledger.methods import drawn_point
from tests.ledger.shown import differences
from tests.ledger.test_comparison import name_of

import backpass as bp
from backpass.microscope.notation import add, div, exp, mul, z_in, z_out
from backpass.microscope.rules import RULES, Rule, rule_of

# The microscope shows the sum at a Residual's end, not its chain; a mask is the trainer's.
CASES = [
    (kind, example)
    for kind, examples in EXAMPLES.items()
    for example in examples
    if kind is not bp.Residual and not example.masked
]


def apart(rule: Rule, formula: Formula, part: object, example) -> list[str]:
    """List where a shown formula and the derived one differ, and by how much."""
    point = drawn_point(part, example)
    widths = {"n_in": N_IN, "n_out": point.rows["delta"].shape[1]}
    found = []
    for name, (shown, derived) in differences(rule, formula).items():
        for arrays, label in list(point.each_row())[:5]:
            place = Place(arrays, {**example.numbers, **widths, "y": label + 1})
            outputs = widths["n_out"] if formula.n_out != n_in else N_IN
            for unit, out in product(range(1, N_IN + 1), range(1, outputs + 1)):
                at = place.at(i=unit, j=out, k=out)
                one, other = evaluate(shown, at), evaluate(derived, at)
                with mpmath.workdps(60):
                    far = abs(one.value - other.value) > (one.terms + other.terms) * 1e-40
                if far:
                    found.append(f"{name}, unit {unit} to {out}: {one.value} != {other.value}")
    return found


@pytest.mark.parametrize(("kind", "example"), CASES, ids=name_of)
def test_the_microscope_shows_the_derived_rule(kind, example):
    part = example.build(kind)
    formula = FORMULAS[kind] if example.f is None else FORMULAS[kind].with_function(example.f)
    assert not apart(rule_of(part), formula, part, example)


def test_every_rule_of_the_microscope_is_looked_at():
    assert {kind for kind, _ in CASES} == set(RULES)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"derivative": mul(z_out("i"), z_out("i"))}, "derivative"),
        ({"forward": div(1, add(1, exp(z_in("k"))))}, "forward"),
    ],
)
def test_a_wrong_formula_is_found(wrong, where):
    (example,), part = EXAMPLES[bp.Sigmoid], bp.Sigmoid()
    found = apart(replace(rule_of(part), **wrong), FORMULAS[bp.Sigmoid], part, example)
    assert found
    assert all(said.startswith(where) for said in found)
