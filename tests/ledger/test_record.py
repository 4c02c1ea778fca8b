"""What the package tells of the ledger is what the ledger finds."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.ledger.examples import EXAMPLES
from tests.ledger.record import LEFT_OUT, series, worst
from tests.strategies import SILU

import backpass as bp
from backpass.check.derivations import derivation


@pytest.mark.parametrize(
    "kind", [kind for kind in EXAMPLES if kind not in LEFT_OUT], ids=lambda kind: kind.__name__
)
def test_the_table_of_the_package_is_what_the_ledger_finds(kind):
    told, found = derivation(EXAMPLES[kind][0].build(kind)), worst(kind)
    assert told is not None, "run: python -m tests.ledger.record"
    assert found.ulps <= told.stated == found.allowed
    assert told.ulps <= told.stated
    if told.numpy == series(np.__version__):
        # Another processor may round an exponential the other way: an ulp.
        assert abs(told.ulps - found.ulps) <= 1.0, "run: python -m tests.ledger.record"
    assert told.error <= 4 * 2.0**-52


def test_what_the_ledger_cannot_know_is_not_told():
    class Sigmoid(bp.Sigmoid):
        """A user's own, under a known name."""

    assert derivation(SILU) is None
    assert derivation(Sigmoid()) is None


def test_sentences_for_a_person():
    relu, sigmoid = derivation(bp.ReLU()), derivation(bp.Sigmoid())
    assert relu.says == "Equal to the independent derivation to the last bit."
    assert "Within 4 ulps of the independent derivation; " in sigmoid.says


def test_the_table_is_read_without_sympy():
    script = (
        "import sys, backpass as bp; from backpass.check.derivations import derivation; "
        "assert derivation(bp.Tanh()).ulps > 0; assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
