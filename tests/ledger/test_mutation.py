"""One mistake at a time in the source of every layer and loss: each is noticed, and named.

`python -m tests.ledger.mutation` prints all of them with what caught each.
"""

from __future__ import annotations

import numba
import pytest
from tests.ledger.examples import EXAMPLES
from tests.ledger.mutation import ELSEWHERE, caught_by, mutants
from tests.ledger.operators import OPERATORS

# Changes that change nothing, and why. All others are mistakes.
EQUIVALENT = {
    "Sigmoid: forward: np.divide(np.where(z_in >= 0.0, 1.0, small), 1.0 + small, out=z_out)  →  "
    "np.divide(np.where(z_in > 0.0, 1.0, small), 1.0 + small, out=z_out)": (
        "at 0, small is e^0 = 1: both branches are one number"
    ),
    "BCEWithLogitsLoss: delta: right = np.where(z >= 0.0, 1.0, small)  →  "
    "right = np.where(z > 0.0, 1.0, small)": "as in Sigmoid: small is 1 at 0",
    "BCEWithLogitsLoss: delta: wrong = np.where(z >= 0.0, small, 1.0)  →  "
    "wrong = np.where(z > 0.0, small, 1.0)": "as in Sigmoid: small is 1 at 0",
    "ReLU: backward: np.multiply(delta_out, z_in > 0.0, out=delta_in)  →  "
    "np.multiply(delta_out, z_out > 0.0, out=delta_in)": "max(0, z) > 0 is z > 0",
    "ReLU: tangent: np.multiply(dot_z_in, z_in > 0.0, out=dot_z_out)  →  "
    "np.multiply(dot_z_in, z_out > 0.0, out=dot_z_out)": "max(0, z) > 0 is z > 0",
    "ReLU: backward_tangent: np.multiply(dot_delta_out, z_in > 0.0, out=dot_delta_in)  →  "
    "np.multiply(dot_delta_out, z_out > 0.0, out=dot_delta_in)": "max(0, z) > 0 is z > 0",
    "Elementwise: backward_tangent: dot_delta_in += bend.reshape(delta_out.shape)  →  "
    "dot_delta_in += bend.reshape(dot_delta_out.shape)": "δ and its dot have one shape",
    "Elementwise: compiled_map: range(z_in.size)  →  range(z_out.size)": "z_in and z_out have one",
    "Elementwise: compiled_product: range(z_in.size)  →  range(z_out.size)": (
        "z_in and z_out have one size"
    ),
    "Elementwise: _compiled: return njit(function) if isinstance(function, FunctionType) "
    "else function  →  return njit(function) if not isinstance(function, FunctionType) "
    "else function": "not compiled here, a function is itself; where it is, Numba refuses this",
    "LogSoftmax: split_off_maximum: return (z[:, :1], z[:, :1])  →  "
    "return (z[:1, :], z[:, :1])": "stands where there are no rows, so nothing is written",
    "LogSoftmax: split_off_maximum: return (z[:, :1], z[:, :1])  →  "
    "return (z[:, :1], z[:1, :])": "stands where there are no rows, so nothing is written",
    "CrossEntropyLoss: delta: at_top = z.argmax(axis=1)[:, None] if len(z) else y[:, None]  →  "
    "at_top = z.argmax(axis=1)[:, None] if len(z) else y[None, :]": "the same: no rows",
    **{
        "CrossEntropyLoss: tangent: turn = dot_z - np.take_along_axis(dot_z, top, axis=1)  →  "
        f"turn = {other}": (
            "ż - ∑ π ż is the same when all ż of a row move together; the digits that it saves "
            "are asked for in tests/losses/test_extremes.py"
        )
        for other in ("dot_z", "dot_z + np.take_along_axis(dot_z, top, axis=1)")
    },
    "Residual: backward_pass: delta[L] += delta[M + 1]  →  delta[L] += delta[M]": (
        "M is a sum, whose derivative is 1: δ before and after it are equal"
    ),
    "Residual: backward_pass: delta[L] += delta[M + 1]  →  delta[L] += delta[M + 0]": (
        "M is a sum, whose derivative is 1: δ before and after it are equal"
    ),
}


# The ledger compares numbers, and these stand where there are no rows; check_layer tries that.
WITHOUT_ROWS = {
    "LogSoftmax: split_off_maximum: return (z[:, :1], z[:, :1])  →  return (z[:, :0], z[:, :1])",
    "LogSoftmax: split_off_maximum: return (z[:, :1], z[:, :1])  →  return (z[:, :1], z[:, :0])",
}


@pytest.fixture
def uncompiled(monkeypatch):
    """Let Elementwise run in Python: its mutants differ in what they compute, not in speed."""
    monkeypatch.setattr(numba, "njit", lambda function, **options: function)


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("uncompiled")
def test_every_mistake_is_caught_and_named(kind):
    equivalent = {says for says in EQUIVALENT if says.startswith(f"{kind.__name__}:")}
    verdicts = {mutant.says: caught_by(mutant, kind) for mutant in mutants(kind)}
    assert {says for says, said in verdicts.items() if not said} == equivalent
    if kind in ELSEWHERE:  # its loops are judged by check_network alone, which names the layer
        return
    for said in verdicts.values():
        assert all(kind.__name__ in report for by, report in said.items() if by != "Python")
    # The ledger knows the right numbers, so without the other judge nothing slips by either.
    unseen = {says for says, said in verdicts.items() if not {"ledger", "Python"} & set(said)}
    assert unseen - WITHOUT_ROWS == equivalent
    # Most are mistakes in the numbers, not lines that Python cannot run.
    assert sum("Python" not in said for said in verdicts.values()) > len(verdicts) / 2


def test_every_operator_has_mutants():
    every = [mutant for kind in EXAMPLES for mutant in mutants(kind)]
    assert {mutant.operator for mutant in every} == set(OPERATORS)
    assert len(every) > 600
    assert {*EQUIVALENT, *WITHOUT_ROWS} <= {mutant.says for mutant in every}
