"""Mistakes in the compiled plan, one at a time: none gives the numbers of the layers.

The NumPy methods are the definition, which the ledger has judged; the plan is held to them.
"""

from __future__ import annotations

import pytest
from tests.ledger.mutation import mutants_of
from tests.ledger.twins import by_twin, cases, difference

import backpass.kernels.plan as plan

# Changes that change nothing, and why: a part of what the mutant says -> the reason.
EQUIVALENT = {
    "range(z_in.size)  →  range(z_out.size)": "one size",
    "range(z_out.shape[1])  →  range(z_in.shape[1])": "a sum is as wide as what it adds",
    "range(z_out.shape[0])  →  range(z_in.shape[0])": "one number of rows",
    "one = z_in.dtype.type(1.0)  →  one = z_out.dtype.type(1.0)": "one type",
    "feeds[f] + 1)  →  more = _level(delta_flat, x, widths, offsets, feeds[f]": (
        "at a sum δ before and after are equal"
    ),
    "step[BIAS] >= 0  →  step[BIAS] > 0": "a bias stands behind its weight, never at 0",
    "step[BIAS] >= 0  →  step[BIAS] >= 1": "a bias stands behind its weight, never at 0",
    "n_out == 1  →  n_out == 0": "a product of vectors is faster, not another number",
    "(one if z_in[i] > 0.0 else small) / (one + small)": "small is 1 at 0",
    "wrong = small if z[i, j] > 0.0 else one": "small is 1 at 0",
    "right = one if z[i, j] > 0.0 else small": "small is 1 at 0",
    "if z[i, j] >= zero else targets[i, j]": "at 0 it multiplies |z| = 0",
    "z_out[i] = z if z >= 0.0 or z != z else z * 0.0": "0 · 0 is 0",
    "z_out[i] = z if z > 0.0 or z != z else 0.0": "hides -inf, which z_in has shown to _squares",
    "delta_in[i] = delta_out[i] if z_in[i] > 0.0 else 0.0": (
        "hides inf, which delta_out has shown to _squares"
    ),
    "delta_in[i] = delta_out[i] if z_out[i] > 0.0": "max(0, z) > 0 is z > 0",
    "row[j] > row[m]  →  row[j] >= row[m]": "of equal maxima any does",
    "_argmax: m = 0  →  m = 1": "all others are compared with it",
    "→  return (1.0, 0.0, False)": "a cost beside False is not read",
    "→  return (0.0, 1.0, False)": "a sum of squares beside False is not read",
    "total -= values[i] * values[i]": "finite or not is all that it is for",
    "total += values[i] / values[i]": "finite or not is all that it is for; 0 / 0 costs a look",
    "total += values[i] * values[i]  →  total += values[i]": "finite or not is all",
    "total = values.dtype.type(0.0)  →  total = values.dtype.type(1.0)": "finite or not is all",
    "(cost, _squares(z_flat) + _squares(delta_flat) - _squares(grad), True)": "inf - inf is nan",
    "(cost, _squares(z_flat) - _squares(delta_flat) + _squares(grad), True)": "inf - inf is nan",
    "→  return (cost, _squares(z_flat) + _squares(grad), True)": (
        "a δ that is not finite makes the gradient of the next Linear below so"
    ),
}


def test_the_plan_and_the_layers_agree():
    for one, expected in cases():
        assert difference(one.run(True), expected, one.rows_apart) is None


def test_every_mistake_in_the_plan_is_caught():
    every = mutants_of(plan, "plan")
    survivors = [mutant.says for mutant in every if by_twin(mutant) is None]
    unexplained = [says for says in survivors if not any(part in says for part in EQUIVALENT)]
    assert not unexplained
    assert not [part for part in EQUIVALENT if not any(part in says for says in survivors)]
    assert len(every) > 500 and len(survivors) < 50


@pytest.mark.parametrize("wrong", [1.0 + 1e-12, -1.0])
def test_a_plan_that_is_a_little_off_is_found(wrong):
    one, expected = cases()[0]
    assert difference([wrong * values for values in one.run(True)], expected, False)
