"""Upper bounds on (objective reached - minimum), each a theorem, valid at any θ.

A solver stops when a bound is small enough, so a fit comes with a proof of how good it is. The
bounds need no knowledge of the minimum, only of the model being a linear map into a (log-)softmax.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpass.bordered import BorderedFactor
from backpass.factor import Factor
from backpass.linear_objective import Evaluation
from backpass.penalties import ElasticNet

Vector = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)
CRUDE_IS_ENOUGH = 1.9  # a bound at most this many times ν²/2 is not worth another pass


class Certifiable(Protocol):
    """What the bounds ask of an objective."""

    penalty: ElasticNet
    total_weight: float
    n_outputs: int

    def largest_row_form(self, factor: Factor | BorderedFactor, stride: int = 1) -> float: ...
    def class_weights(self) -> Vector: ...
    def dual_terms(
        self, u: Vector, share: float, constant: Vector, shrink: float
    ) -> tuple[float, Vector]: ...


def self_concordance_gap(
    objective: Certifiable, here: Evaluation, curved: Evaluation, factor: Factor | BorderedFactor
) -> tuple[float, float]:
    """Bound the gap at `here` by a curvature; return (bound, Newton decrement ν). No l1.

    Theorem. Along any Δ the loss of a softmax obeys |φ'''| <= s φ'' with s the largest spread of a
    row's logits x_iᵀΔ (for a sigmoid: the largest |x_iᵀΔ|), and s <= R ‖Δ‖_M. Integrating twice,
    f(u+Δ) >= f(u) - ν r + (e^{-Rr} + Rr - 1) / R² with r = ‖Δ‖_M, ν² = ∇ᵀM⁻¹∇. Minimised over r,
    where ν R < 1:  f(u) - min f <= ((1 - νR) log(1 - νR) + νR) / R², about ν²/2.
    Source: Bach (2010), "Self-concordant analysis for logistic regression"; Sun & Tran-Dinh (2019).

    M need not be the curvature at u: any lower bound of it will do. That of every s-th row, not
    scaled up, is one, and R is then over these rows. So is that at another point c, times
    e^{-R ‖u-c‖_M}, since a row's bend changes by at most e^{spread of its logits}. `factor` is that
    of curved.curvature, which is scaled up to all rows.

    R comes for nothing from the longest row and the largest eigenvalue of M⁻¹, or exactly from one
    more pass, where that decides. ν is enlarged by what rounding may have
    hidden of it. The bound is infinite where νR >= 1.
    """
    stride = curved.stride
    squared = stride * max(float(here.gradient @ factor.solve(here.gradient)), 0.0)
    if not factor.full_rank:
        return np.inf, np.sqrt(squared)
    assert curved.curvature is not None
    move = here.u - curved.u
    drift = np.sqrt(max(float(move @ (curved.curvature @ move)), 0.0) / stride)
    outputs = 1.0 if objective.n_outputs == 1 else 2.0
    bound, radius = np.inf, np.sqrt(stride * outputs * curved.longest * factor.inverse_norm)
    if np.isfinite(radius):
        bound = _concordant(np.sqrt(squared), radius, drift, objective.total_weight)
    if not bound <= CRUDE_IS_ENOUGH * 0.5 * squared:
        form = objective.largest_row_form(factor, stride)
        radius = np.sqrt(stride * form)
        bound = _concordant(np.sqrt(squared), radius, drift, objective.total_weight)
    return bound, np.sqrt(squared)


def _concordant(decrement: float, radius: float, drift: float, total_weight: float) -> float:
    """Return the theorem's bound for ν and R by M at a distance `drift` in M's norm."""
    # Every row's δ carries an error of about eps, and adds it times x_i: at most R in M⁻¹'s norm.
    grown = np.exp(min(0.5 * radius * drift, 300.0))
    radius = grown * radius
    safe = grown * decrement + 4.0 * EPS * radius * total_weight
    reach = safe * radius
    if not reach < 1.0:
        return np.inf
    if reach < 1e-4:  # the formula cancels; its series is ν²/2 (1 + νR/3 + ...) < ν²/2 (1 + νR)
        return 0.5 * safe**2 * (1.0 + reach)
    return ((1.0 - reach) * np.log1p(-reach) + reach) / radius**2


def duality_gap(
    objective: Certifiable, here: Evaluation, intercept: NDArray[np.bool_], slack: float = 0.0
) -> float:
    """Bound the gap by a point of the dual problem; needs a penalty on all that is no intercept.

    Theorem. For any rows π'_i of class probabilities with ∑_i w_i (π'_i - y_i) = 0 in every class
    (the intercepts' condition), the minimum is at least
    D = ∑ w_i entropy(π'_i) - Ω*(-Xᵀ w (π' - y)).
    With π' = π at the minimum D is the minimum.

    Away from it ∑ w (π - y) = e is not zero. Mixing every π_i with one constant distribution q by a
    share ε restores the sums, W q = N - e (1-ε)/ε, N the weights by class; ε is the smallest share
    that leaves q >= 0. For pure L1, shrinking π' towards y by a factor makes Ω* finite.
    Returns inf where there is no such point. One pass, two where it shrinks: by how much is
    known before, but for the share, so a first guess is shrunk a little more, for a loss of
    about `slack`.
    """
    penalty, chosen = objective.penalty, ~intercept
    if (penalty.scale[chosen] <= 0.0).any():
        return np.inf
    totals = objective.class_weights()
    share, constant = 0.0, np.zeros_like(totals)
    if intercept.any():
        excess = here.gradient[intercept]
        excess = np.array([-excess[0], excess[0]]) if objective.n_outputs == 1 else excess
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.where(excess > 0.0, excess / totals, 0.0).max(initial=0.0)  # ε / (1 - ε)
        if not np.isfinite(odds):
            return np.inf  # a class without weight: no mixture gives it a probability of 0
        if odds > 0.0:
            share = odds / (1.0 + odds)
            constant = np.maximum(totals - excess / odds, 0.0)
            constant /= constant.sum()
    factor, shrunk = (1.0 if penalty.l2 else _feasible(penalty, here.gradient, chosen)), 1.0
    if factor < 1.0:
        # Shrinking by r more costs about r Ω, and where that is little, r² times the rows.
        kinked = penalty.l1 * float(np.abs(penalty.scale * here.u).sum())
        of_rows = 0.1 * np.sqrt(slack / objective.total_weight)
        factor *= 1.0 - min(slack / max(kinked, slack, 1e-300), of_rows, 0.5)
    entropy, pull = objective.dual_terms(here.u, share, constant, factor)
    if not penalty.l2:
        shrunk = _feasible(penalty, pull, chosen)
        if shrunk < 1.0:
            factor *= shrunk
            entropy, _ = objective.dual_terms(here.u, share, constant, factor)
            pull = shrunk * pull
    dual = entropy - penalty.conjugate(pull)
    value = here.value + penalty.value(here.u) - penalty.smooth_value(here.u)
    return max(value - dual, 0.0) + 8.0 * EPS * (abs(value) + abs(entropy))


def _feasible(penalty: ElasticNet, pull: Vector, chosen: NDArray[np.bool_]) -> float:
    """Return the factor that makes Ω* of a pull finite, where l2 is 0; 1 if it is."""
    steepest = float((np.abs(pull[chosen]) / penalty.scale[chosen]).max(initial=0.0))
    # a hair more than needed, since Ω* is infinite one ulp beyond the edge
    return penalty.l1 / steepest * (1.0 - 4.0 * EPS) if steepest > penalty.l1 else 1.0
