"""Upper bounds on (objective reached - minimum), each a theorem, valid at any θ.

A solver stops when a bound is small enough, so a fit comes with a proof of how good it is. The
bounds need no knowledge of the minimum, only of the model being a linear map into a (log-)softmax.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from backpass.factor import Factor
from backpass.penalties import ElasticNet

Vector = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


class Certifiable(Protocol):
    """What the bounds ask of an objective."""

    penalty: ElasticNet
    sample_weight: Vector | None
    total_weight: float

    def largest_row_form(self, inverse: NDArray[np.float64]) -> float: ...
    def probabilities(self, theta: Vector) -> NDArray[np.float64]: ...
    def one_hot(self) -> NDArray[np.float64]: ...
    def pull_back(self, residual: NDArray[np.float64]) -> Vector: ...


def self_concordance_gap(
    objective: Certifiable, grad: Vector, factor: Factor
) -> tuple[float, float]:
    """Bound the gap by the curvature at θ; return (bound, Newton decrement ν). No l1.

    Theorem. Along any Δ the loss of a softmax obeys |φ'''| <= s φ'' with s the largest spread of a
    row's logits x_iᵀΔ (for a sigmoid: the largest |x_iᵀΔ|), and s <= R ‖Δ‖_H. Integrating twice,
    f(θ+Δ) >= f(θ) - ν r + (e^{-Rr} + Rr - 1) / R² with r = ‖Δ‖_H, ν² = ∇ᵀH⁻¹∇. Minimised over r,
    where ν R < 1:  f(θ) - min f <= ((1 - νR) log(1 - νR) + νR) / R², about ν²/2.
    Source: Bach (2010), "Self-concordant analysis for logistic regression"; Sun & Tran-Dinh (2019).

    ν is enlarged by what rounding may have hidden of it. The bound is infinite where νR >= 1.
    """
    squared = float(grad @ factor.solve(grad))
    decrement = np.sqrt(max(squared, 0.0))
    if not factor.full_rank:
        return np.inf, decrement
    radius = np.sqrt(objective.largest_row_form(factor.inverse()))
    # Every row's δ carries an error of about eps, and adds it times x_i: at most R in H⁻¹'s norm.
    safe = decrement + 4.0 * EPS * radius * objective.total_weight
    reach = safe * radius
    if not reach < 1.0:
        return np.inf, decrement
    if reach < 1e-4:  # the formula cancels; its series is ν²/2 (1 + νR/3 + ...) < ν²/2 (1 + νR)
        return 0.5 * safe**2 * (1.0 + reach), decrement
    return ((1.0 - reach) * np.log1p(-reach) + reach) / radius**2, decrement


def duality_gap(
    objective: Certifiable, theta: Vector, value: float, intercept: NDArray[np.bool_]
) -> float:
    """Bound the gap by a point of the dual problem; needs a penalty on all that is no intercept.

    Theorem. For any rows π'_i of class probabilities with ∑_i w_i (π'_i - y_i) = 0 in every class
    (the intercepts' condition), the minimum is at least
    D = ∑ w_i entropy(π'_i) - Ω*(-Xᵀ w (π' - y)).
    With π' = π at the minimum D is the minimum.

    Away from it ∑ w (π - y) = e is not zero. Mixing every π_i with one constant distribution q by a
    share ε restores the sums, W q = N - e (1-ε)/ε, N the weights by class; ε is the smallest share
    that leaves q >= 0. For pure L1, shrinking π' towards y by a factor makes Ω* finite.
    Returns inf where there is no such point.
    """
    weight, labels = objective.sample_weight, objective.one_hot()
    w = np.ones(len(labels)) if weight is None else weight
    proba = objective.probabilities(theta)
    if intercept.any():
        mixed = _with_class_totals(proba, labels, w)
        if mixed is None:
            return np.inf
        proba = mixed
    pull = objective.pull_back(w[:, None] * (proba - labels))
    penalty, chosen = objective.penalty, ~intercept
    if (penalty.scale[chosen] <= 0.0).any():
        return np.inf
    if not penalty.l2:
        steepest = float((np.abs(pull[chosen]) / penalty.scale[chosen]).max(initial=0.0))
        if steepest > penalty.l1:
            # a hair more than needed, since Ω* is infinite one ulp beyond the edge
            share = penalty.l1 / steepest * (1.0 - 4.0 * EPS)
            proba, pull = labels + share * (proba - labels), share * pull
    entropy = -float(w @ xlogy(proba, proba).sum(axis=1))
    dual = entropy - penalty.conjugate(pull)
    return max(value - dual, 0.0) + 8.0 * EPS * (abs(value) + abs(entropy))


def _with_class_totals(
    proba: NDArray[np.float64], labels: NDArray[np.float64], weight: Vector
) -> NDArray[np.float64] | None:
    """Mix every row with one distribution q so that ∑ w π' equals the weight of each class.

    Returns None where a class has no weight at all: no mixture gives it a probability of 0.
    """
    wanted = weight @ labels
    excess = weight @ proba - wanted
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(excess > 0.0, excess / wanted, 0.0).max(initial=0.0)  # ε / (1 - ε)
    if odds == 0.0:
        return proba
    if not np.isfinite(odds):
        return None
    share = odds / (1.0 + odds)
    constant = np.maximum(wanted - excess / odds, 0.0)
    return (1.0 - share) * proba + share * constant / constant.sum()
