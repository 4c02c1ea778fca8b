"""Every layer and loss against the rule that SymPy derives from its forward formula."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from sympy import Heaviside, log
from tests.ledger.comparison import errors
from tests.ledger.derivation import by, rules
from tests.ledger.exact import Place, evaluate
from tests.ledger.examples import EXAMPLES, Example
from tests.ledger.formulas import FORMULAS, exp, i, k, z
from tests.strategies import LAYER_CLASSES, LOSS_CLASSES

import backpass as bp

EVERY_EXAMPLE = [(kind, example) for kind, examples in EXAMPLES.items() for example in examples]


def name_of(value: object) -> str:
    """Name a test after the layer or loss as it is built."""
    return value.__name__ if isinstance(value, type) else "example"


def test_every_layer_and_loss_of_the_package_is_in_the_ledger():
    found = {*LAYER_CLASSES, *LOSS_CLASSES, bp.Residual}
    assert found == set(FORMULAS)
    assert found == set(EXAMPLES)


@pytest.mark.parametrize(("kind", "example"), EVERY_EXAMPLE, ids=name_of)
def test_the_code_is_the_derived_rule_to_the_stated_ulps(kind, example):
    found = errors(kind, example, example.build(kind))
    assert {error.method for error in found} == methods_that_write(kind, example)
    assert not [str(error) for error in found if not error.ulps <= error.allowed]


def methods_that_write(kind: type, example: Example) -> set[str]:
    """Name what is to be compared: every derived rule, less those of parameters not there."""
    part = example.build(kind)
    if isinstance(part, bp.Residual):  # the network has the sums; its Hessian products go elsewhere
        return {"forward", "backward", "gradient 0.0.weight", "gradient 0.0.bias"}
    derived = set(rules(kind, FORMULAS[kind]))
    derived |= {name.replace(" ", "_per_row ") for name in derived if name.startswith("gradient ")}
    own = part.shapes() if isinstance(part, bp.layers.Layer) else {}
    return {name for name in derived if " " not in name or name.split()[1] in own}


def test_the_derivative_of_a_rectifier_at_its_kink_is_a_convention_and_it_is_stated():
    """SymPy calls it Heaviside(0) and leaves it open; the note says "1 if x > 0, 0 else"."""
    slope = by(FORMULAS[bp.ReLU].value.subs(k, i), z[i])
    assert slope == Heaviside(z[i])
    values = {"z": np.array([-1.0, 0.0, -0.0, 2.0**-1074])}
    seen = [evaluate(slope, Place(values, {"i": unit})).value for unit in (1, 2, 3, 4)]
    assert seen == [0, 0, 0, 1]


class NearlySigmoid(bp.Sigmoid):
    """Off by 8 ulps, which no difference quotient could see."""

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        super().backward(params, z_in, z_out, delta_out, delta_in)
        delta_in *= 1.0 + 8.0 * np.finfo(np.float64).eps


class TextbookSigmoid(bp.Sigmoid):
    """Right in algebra, and 0 from z = 37 on."""

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        np.multiply(delta_out, z_out * (1.0 - z_out), out=delta_in)


@pytest.mark.parametrize("wrong", [NearlySigmoid, TextbookSigmoid])
def test_what_differences_cannot_see_is_seen(wrong):
    bp.check_layer(wrong(), 4)
    (example,) = EXAMPLES[bp.Sigmoid]
    far = [error for error in errors(bp.Sigmoid, example, wrong()) if error.ulps > error.allowed]
    assert [error.method for error in far] == ["backward"]
    assert "Sigmoid.backward[" in str(far[0])


@pytest.mark.parametrize(
    ("at", "exact"),
    [(700.0, "1e-304"), (50.0, "1.9287498479639177e-22"), (1e300, "0")],
)
def test_precision_grows_until_it_no_longer_matters(at, exact):
    """log(1 + e^-z) is 0 to 70 digits at z = 700; the float64 beside the right answer is not."""
    place = Place({"z": np.array([at])}, {"i": 1})
    value = evaluate(log(1 + exp(-z[i])), place).value
    with mpmath.workdps(1200):
        right = mpmath.log1p(mpmath.exp(-mpmath.mpf(at)))
        assert abs(value - right) <= right * mpmath.mpf(10) ** -50 + mpmath.mpf(10) ** -400
    assert float(value) == pytest.approx(float(exact), rel=0.02)
