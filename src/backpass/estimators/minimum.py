"""From rows to a certified minimum: the objective as a solver sees it, which solver, from where.

It stands between LogisticRegression, which knows labels and attributes, and the solvers, which know
neither. `params` is the estimator; only its constructor's parameters are read here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data.rows import Rows, View
from backpass.estimators.certifier import Certifier
from backpass.estimators.given import Given
from backpass.estimators.outputs import entropy
from backpass.estimators.scaling import sample_stride
from backpass.inference import firth
from backpass.inference.null import null_model
from backpass.layers import Linear, LogSoftmax, Sigmoid
from backpass.linear_objective import Evaluation, LinearObjective
from backpass.losses import BCELoss, NLLLoss
from backpass.network import Network
from backpass.penalties import ElasticNet
from backpass.solvers import newton_cg, preconditioned, prox_newton, staged
from backpass.solvers.outcome import Outcome

Vector = NDArray[np.float64]
MOST_STEPS_NEAR = 100  # of L-BFGS before Newton steps; where there is no optimum it gets no nearer


@dataclass(frozen=True)
class Problem:
    """One fit as solvers see it, and what leads back from there.

    spread: standard deviations of columns, and of every how many rows they are.
    """

    objective: LinearObjective
    network: Network
    intercept: NDArray[np.bool_]  # which places of u are intercepts
    shares: Vector  # weight of every class
    null_bias: Vector  # (n_outputs,), the intercepts of the model without columns
    null_objective: float
    spread: tuple[Vector, int]


@dataclass(frozen=True)
class Fitted:
    """Where a solver ended, the objective and its certified gap there, and whether that will do.

    history: as the estimator's `history_`, None where there is none.
    """

    outcome: Outcome
    objective: float
    gap: float
    reached: bool
    history: dict[str, list] | None = None


def write_problem(
    params: Any, given: Given, n_classes: int, is_number: NDArray[np.bool_] | None
) -> Problem:
    """Write the fit as an objective over columns that the solver sees at unit curvature.

    is_number: which columns are numbers, where an encoding tells; None means all of them.
    """
    n_outputs = 1 if n_classes == 2 else n_classes
    rows, weight = given.rows, given.weight
    total = rows.n_rows if weight is None else weight.sum()
    stride = 1 if params.standardize else sample_stride(rows)
    spread, measured = given.spread(stride)
    view, scale = _view(params, rows, spread.mean, spread.deviation, total, is_number)
    network = own_network(rows.n_columns, n_outputs, params.fit_intercept)
    intercept = np.zeros(n_outputs * view.width, dtype=bool)
    intercept[n_outputs * rows.n_columns :] = True
    strengths = np.where(intercept, 0.0, 1.0)
    strengths[~intercept] = np.tile(scale, n_outputs)
    penalty = ElasticNet(
        strengths, l2=(1.0 - params.l1_ratio) / params.C, l1=params.l1_ratio / params.C
    )
    objective = LinearObjective(rows, given.y, weight, n_outputs, penalty, view, given.offset)
    objective.rows_evaluated += measured
    shares = objective.class_weights()
    bias, null = _null_model(given, shares, n_outputs, params.fit_intercept)
    measures = spread.deviation, stride
    return Problem(objective, network, intercept, shares, bias, null, measures)


def _null_model(
    given: Given, shares: Vector, n_outputs: int, intercept: bool
) -> tuple[Vector, float]:
    """Return the intercepts of the best model without columns, and its objective."""
    if given.offset is not None:
        return null_model(given.y[:], given.weight, n_outputs, given.offset, intercept)
    if not intercept:
        return np.zeros(n_outputs), float(shares.sum() * np.log(len(shares)))
    # a class without weight would start at -inf
    logs = np.log(np.maximum(shares, 1e-3 * shares.sum()))
    bias = logs[1:] - logs[0] if n_outputs == 1 else logs - logs.mean()
    return bias, entropy(shares)


def _view(
    params: Any,
    rows: Rows,
    mean: Vector,
    deviation: Vector,
    total: float,
    is_number: NDArray[np.bool_] | None,
) -> tuple[View, Vector]:
    """Return how the solver sees columns, and the penalty's factor on each.

    A column's curvature is at most total/4 · deviation² from the cost, plus the penalty's.
    Dividing by the root of the sum gives every column about the same curvature. This need not be
    exact, so some thousand rows are measured; all of them where the penalty depends on it.
    """
    varies = deviation > 0.0
    if params.standardize and is_number is not None:
        varies &= is_number  # levels of a category have no scale of their own
    factor = np.where(varies, deviation, 1.0) if params.standardize else 1.0
    l2 = (1.0 - params.l1_ratio) / params.C
    centred = np.logical_and(params.fit_intercept, rows.may_centre)  # of all columns, or of each
    size = np.where(centred, deviation, np.hypot(deviation, mean))
    size = np.hypot(size, np.sqrt(4.0 * l2 / total) * factor)
    size = np.where(size > 0.0, size, 1.0)
    centre = np.where(centred, mean, 0.0)
    return View(centre, size, params.fit_intercept), factor / size


def minimise(params: Any, problem: Problem, before: Vector | None) -> Fitted:
    """Minimise until the gap is proven to be small; before: θ of an earlier fit to start from."""
    start = _start(problem, before)
    if params.firth:
        u, top = firth.fit(problem.objective, start)
        outcome = Outcome(u, top.n_steps, "certified" if top.reached else "stalled")
        return Fitted(outcome, -top.value, np.nan, top.reached)
    certifier = Certifier(
        problem.objective,
        problem.intercept,
        target=params.tol * problem.null_objective,
        finite=np.isfinite(params.C),
        verbose=params.verbose,
    )
    outcome = _solved(params, problem, certifier, start, cold=not _fits(problem, before))
    gap = certifier.final(outcome.theta)
    history: dict[str, list] = {"objective": problem.objective.history, "gap": certifier.history}
    return Fitted(outcome, certifier.value, gap, certifier.reached, history)


def _solved(
    params: Any, problem: Problem, certifier: Certifier, start: Vector, cold: bool
) -> Outcome:
    """Run the solver that suits. cold: whether no earlier fit has led to `start`."""
    objective, solver = problem.objective, _chosen_solver(params, problem.objective)
    taken = 0
    if solver == "newton" and objective.curvature_is_dear:
        # A proof at C=inf needs a curvature at the end; the way there does without.
        inverse, small = _first_inverse(problem), 0.1 * certifier.asked_below

        def is_near(here: Evaluation) -> bool:
            return 0.5 * float(here.gradient @ inverse(here.gradient)) <= small

        most = min(MOST_STEPS_NEAR, params.max_iter)
        near = preconditioned.minimise(objective, start, inverse, is_near, most)
        start, cold, taken = near.theta, False, near.n_iter
    # A start from an earlier fit is better than what a subsample would make of it.
    stages = staged.strides(objective.rows.n_rows, objective.view.width) if cold else []
    freedom = objective.view.width * max(objective.n_outputs - 1, 1)
    # without an intercept the start is 0, which is the null model too
    known = problem.null_objective if cold else np.inf
    if solver == "newton":
        outcome = staged.minimise(
            objective,
            start,
            stages,
            freedom,
            certifier.asked_below,
            certifier.with_curvature,
            params.max_iter - taken,
            known=known,
            keep=np.isinf(params.C),
        )
        return replace(outcome, n_iter=taken + outcome.n_iter)
    enough = certifier.by_duality
    if solver == "prox-newton":
        return prox_newton.minimise(
            objective, start, stages, freedom, enough, params.max_iter, known
        )
    if solver == "prox-wide":
        diagonal = _first_diagonal(problem)
        return prox_newton.minimise_wide(objective, start, diagonal, enough, params.max_iter)
    method = preconditioned if solver == "lbfgs" else newton_cg
    return method.minimise(objective, start, _first_inverse(problem), enough, params.max_iter)


def _chosen_solver(params: Any, objective: LinearObjective) -> str:
    if params.l1_ratio > 0.0 and np.isfinite(params.C):
        if params.solver not in ("auto", "prox-newton"):
            raise ValueError(
                f"solver={params.solver!r} cannot minimise an L1 penalty; use solver='auto'."
            )
        return "prox-newton" if objective.fits_curvature else "prox-wide"
    if params.solver not in ("auto", "prox-newton"):
        return params.solver
    dear = objective.curvature_is_dear and np.isfinite(params.C)
    return "newton" if objective.fits_curvature and not dear else "lbfgs"


def _fits(problem: Problem, before: Vector | None) -> bool:
    return before is not None and before.shape == (problem.network.n_parameters,)


def _start(problem: Problem, before: Vector | None) -> Vector:
    """Start from the last fit where there is one of this shape, else from the null model."""
    objective = problem.objective
    if before is not None and _fits(problem, before):
        k = objective.n_outputs
        weight = before[: k * objective.rows.n_columns].reshape(k, -1)
        bias = before[weight.size :] if objective.view.ones else np.zeros(k)
        return objective.solvers(weight, bias)
    start = np.zeros(objective.n_parameters)
    if objective.view.ones:
        start[problem.intercept] = problem.null_bias
    return start


def _first_inverse(problem: Problem) -> preconditioned.Solve:
    """Return the fixed inverse for L-BFGS, from some five rows a column."""
    objective = problem.objective
    return preconditioned.fixed_inverse(
        *_null_gram(problem),
        objective.penalty.smooth_curvature(),
        objective.n_outputs,
        objective.order(),
    )


def _first_diagonal(problem: Problem) -> Vector:
    """Return the diagonal of the same fixed matrix, positive, as u is laid out."""
    objective = problem.objective
    gram, bend = _null_gram(problem)
    squares = gram if gram.ndim == 1 else np.diag(gram)
    diagonal = np.empty(objective.n_parameters)
    diagonal[objective.order()] = np.tile(bend * squares, objective.n_outputs)
    diagonal += objective.penalty.smooth_curvature()
    return np.where(diagonal > 0.0, diagonal, 1.0)


def _null_gram(problem: Problem) -> tuple[NDArray[np.float64], float]:
    """Return ∑ w x̃ x̃ᵀ, or its diagonal, from some five rows a column, and the null model's bend."""
    objective = problem.objective
    rows, width = objective.rows, objective.view.width
    stride = 1 << max(rows.n_rows // (5 * width), 1).bit_length() - 1
    shares = problem.shares / problem.shares.sum()
    return objective.flat_gram(stride), float((shares * (1.0 - shares)).mean())


def own_network(n_columns: int, n_outputs: int, bias: bool) -> Network:
    """Return the note's network A for one output, B for more."""
    linear = Linear(n_columns, n_outputs, bias=bias)
    if n_outputs == 1:
        return Network([linear, Sigmoid()], BCELoss())
    return Network([linear, LogSoftmax()], NLLLoss())
