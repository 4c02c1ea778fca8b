"""Logistic regression, binary and multinomial, as an estimator in scikit-learn's dress."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit, log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from backpass.estimators.base import NetworkClassifier
from backpass.estimators.certifier import Certifier
from backpass.estimators.inputs import (
    check_lengths,
    is_table,
    read_for_fit,
    read_for_predict,
    read_labels,
    row_weights,
)
from backpass.estimators.outputs import entropy
from backpass.estimators.scaling import Scaling, Spread, measure
from backpass.layers import Linear, LogSoftmax, Sigmoid
from backpass.losses import BCELoss, NLLLoss
from backpass.network import Network
from backpass.objective import LinearObjective
from backpass.penalties import ElasticNet
from backpass.runner import reproducible
from backpass.solvers import lbfgs, newton, prox_newton, proximal
from backpass.solvers.outcome import Outcome

NOT_YET = ("newton-cg",)
SOLVERS = ("auto", "newton", "lbfgs", "prox-newton")


class LogisticRegression(NetworkClassifier):
    """Logistic regression: one Linear layer, then Sigmoid → BCELoss or LogSoftmax → NLLLoss.

    Minimises ∑ wᵢ ℓᵢ + penalty / C, which is scikit-learn's objective divided by C; the penalty is
    (1 - l1_ratio)/2 · ‖coef‖² + l1_ratio · ‖coef‖₁ and leaves the intercept alone.

    Parameters
    ----------
    C : inverse strength of the penalty; np.inf for maximum likelihood.
    l1_ratio : share of the L1 penalty, 0 to 1.
    firth : Jeffreys' prior; not available yet.
    fit_intercept : whether to fit one.
    standardize : put the penalty on columns of unit standard deviation. Coefficients are
        reported on the given scale all the same.
    class_weight : dict {label: weight}, "balanced" or None.
    missing : "raise", "drop" or "indicator" (the mean or an own category, and a column that says
        where). None: arrays raise; tables use "indicator" for finite C and raise at C=inf.
    reference : {column: level}, baselines of categorical columns at C=inf.
    tol : the fit stops when the certified gap is at most tol · null_objective_.
    max_iter : most steps of the solver.
    solver : "auto", "newton" and, for l1_ratio > 0, "prox-newton" (a curvature matrix is formed),
        or "lbfgs". "auto" takes the Newton methods up to 1500 unknowns; above that it takes L-BFGS,
        and for l1_ratio > 0 accelerated proximal gradient steps.
    warm_start : start from the last fit's coefficients.
    n_jobs : threads; -1 for all cores this process may use, None for joblib's context.
    random_state : ignored, the solvers are deterministic.
    verbose : print a line per certificate.

    Attributes
    ----------
    coef_, intercept_ : (1, d) and (1,) for two classes, (k, d) and (k,) for k. Unpenalised
        coefficients and intercepts of k classes sum to zero over classes.
    coef_names_ : names of the columns of coef_.
    classes_, n_features_in_, feature_names_in_, n_iter_ : as in scikit-learn.
    objective_, cost_, null_objective_ : the minimum reached, its part ∑ wᵢ ℓᵢ = -log l, and the
        value of the best model without columns.
    gap_ : proven upper bound on objective_ minus the true minimum.
    converged_ : whether gap_ reached tol · null_objective_ (at C=inf also: the optimum is proven to
        exist, and no estimate is off by more than 1e-6 standard errors).
    passes_ : how many times every row was evaluated.
    network_, theta_, encoding_ : the fitted network, its parameters, and how columns were encoded
        (None where X was an array).

    Notes
    -----
    A fit makes one float64 copy of X. Sparse matrices are written out in full in this first form.
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    def __init__(
        self,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        firth: bool = False,
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        missing: str | None = None,
        reference: Mapping[str, str] | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        solver: str = "auto",
        warm_start: bool = False,
        n_jobs: int | None = -1,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.firth = firth
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.missing = missing
        self.reference = reference
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> LogisticRegression:
        """Fit to rows X (n_rows, n_features), labels y (n_rows,) and weights (n_rows,) or None."""
        self._check_parameters()
        y = read_labels(y)
        missing = self.missing or _missing_by_default(X, self.C)
        columns = read_for_fit(self, X, missing, self._reference())
        self.encoding_ = columns.encoding
        check_lengths(columns.X if columns.rows is None else X, y, sample_weight)
        if columns.rows is not None:
            y = y[columns.rows]
            if sample_weight is not None:
                sample_weight = np.asarray(sample_weight)[columns.rows]
        weight_before = getattr(self, "theta_", None) if self.warm_start else None
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()}; a classifier needs two classes."
            )
        weight = row_weights(sample_weight, self.class_weight, columns.X, numbers, self.classes_)
        with reproducible(self.n_jobs):
            problem = self._problem(columns.X, numbers, weight)
            outcome = self._minimise(problem, weight_before)
        self._report(problem, outcome)
        return self

    def _reference(self) -> Mapping[str, str] | None:
        """Return baselines to leave out: a level per category without a penalty, none with."""
        if np.isfinite(self.C):
            return None
        return dict(self.reference or {})

    def _problem(self, X: NDArray, y: NDArray, weight: NDArray | None) -> Problem:
        """Write the fit as an objective over centred columns of unit curvature."""
        rows = np.array(X, dtype=np.float64, order="C")
        spread = measure(rows, weight)
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        total = len(rows) if weight is None else weight.sum()
        scaling, scale = self._scaling(spread, total)
        scaling.apply(rows)
        linear = Linear(rows.shape[1], n_outputs, bias=self.fit_intercept)
        network = (
            Network([linear, Sigmoid()], BCELoss())
            if n_outputs == 1
            else Network([linear, LogSoftmax()], NLLLoss())
        )
        places = network.parameters(np.arange(network.n_parameters, dtype=np.float64))
        intercept = np.zeros(network.n_parameters, dtype=bool)
        if self.fit_intercept:
            intercept[places["0.bias"].astype(int)] = True
        strengths = np.zeros(network.n_parameters)
        strengths[~intercept] = np.tile(scale, n_outputs)
        penalty = ElasticNet(
            strengths, l2=(1.0 - self.l1_ratio) / self.C, l1=self.l1_ratio / self.C
        )
        objective = LinearObjective(network, rows, y, weight, penalty)
        objective.rows_evaluated += 2 * len(rows)  # measured, then scaled
        shares = np.bincount(y, weight, minlength=len(self.classes_)).astype(np.float64)
        null = entropy(shares) if self.fit_intercept else total * np.log(len(self.classes_))
        return Problem(objective, scaling, intercept, shares, float(null))

    def _scaling(self, spread: Spread, total: float) -> tuple[Scaling, NDArray[np.float64]]:
        """Return the change of columns, and the penalty's factor on each column that comes of it.

        A column's curvature is at most total/4 · deviation² from the cost, plus the penalty's.
        Dividing by the root of the sum gives every column the same curvature.
        """
        varies = spread.deviation > 0.0
        factor = np.where(varies, spread.deviation, 1.0) if self.standardize else 1.0
        l2 = (1.0 - self.l1_ratio) / self.C
        size = spread.deviation
        if not self.fit_intercept:
            size = np.hypot(size, spread.mean)
        size = np.hypot(size, np.sqrt(4.0 * l2 / total) * factor)
        size = np.where(size > 0.0, size, 1.0)
        centre = spread.mean if self.fit_intercept else np.zeros_like(spread.mean)
        return Scaling(centre, size), factor / size

    def _minimise(self, problem: Problem, before: NDArray | None) -> Fitted:
        objective = problem.objective
        certifier = Certifier(
            objective,
            problem.intercept,
            target=self.tol * problem.null_objective,
            finite=np.isfinite(self.C),
            verbose=self.verbose,
        )
        start = self._start(problem, before)
        solver = self._chosen_solver(objective)
        outcome: Outcome
        if solver == "newton":
            outcome = newton.minimise(objective, start, certifier.with_curvature, self.max_iter)
        elif solver == "lbfgs":
            first = 1e-4 * objective.total_weight
            outcome = lbfgs.minimise(objective, start, certifier, self.max_iter, first)
        elif solver == "prox-newton":
            promising = 10.0 * certifier.target
            outcome = prox_newton.minimise(objective, start, certifier, self.max_iter, promising)
        else:
            step = 4.0 / objective.total_weight
            outcome = proximal.minimise(objective, start, certifier, self.max_iter, step)
        gap = certifier.final(outcome.theta)
        return Fitted(outcome, gap, certifier.reached)

    def _chosen_solver(self, objective: LinearObjective) -> str:
        if self.l1_ratio > 0.0 and np.isfinite(self.C):
            if self.solver not in ("auto", "prox-newton"):
                raise ValueError(
                    f"solver={self.solver!r} cannot minimise an L1 penalty; use solver='auto'."
                )
            return "prox-newton" if objective.fits_curvature else "proximal"
        if self.solver not in ("auto", "prox-newton"):
            return self.solver
        return "newton" if objective.fits_curvature else "lbfgs"

    def _start(self, problem: Problem, before: NDArray | None) -> NDArray[np.float64]:
        """Start from the last fit where there is one of this shape, else from the null model."""
        network = problem.objective.network
        theta = np.zeros(network.n_parameters)
        views = network.parameters(theta)
        if before is not None and before.shape == theta.shape:
            given = network.parameters(before)
            bias = given.get("0.bias", np.zeros(network.layers[0].n_out))  # type: ignore[union-attr]
            weight, bias = problem.scaling.solvers(given["0.weight"], bias)
            views["0.weight"][...] = weight
            if self.fit_intercept:
                views["0.bias"][...] = bias
            return theta
        if self.fit_intercept:
            # a class without weight would start at -inf
            logs = np.log(np.maximum(problem.shares, 1e-3 * problem.shares.sum()))
            views["0.bias"][...] = logs[1] - logs[0] if len(logs) == 2 else logs - logs.mean()
        return theta

    def _report(self, problem: Problem, fitted: Fitted) -> None:
        """Set the fitted attributes, on the given columns' scale."""
        objective, network = problem.objective, problem.objective.network
        views = network.parameters(fitted.outcome.theta)
        bias = views.get("0.bias", np.zeros(len(views["0.weight"])))
        coef, intercept = problem.scaling.given(views["0.weight"], bias)
        if len(coef) > 1:
            if np.isinf(self.C):
                coef = coef - coef.mean(axis=0)
            intercept = intercept - intercept.mean()
        self.coef_, self.network_ = coef, network
        self.intercept_ = intercept if self.fit_intercept else np.zeros(len(coef))
        parts = {"0.weight": coef} | ({"0.bias": intercept} if self.fit_intercept else {})
        self.theta_ = network.flatten(parts)
        self.coef_names_ = self._names(coef.shape[1])
        self.cost_ = objective.cost(fitted.outcome.theta)
        self.objective_ = self.cost_ + objective.penalty.value(fitted.outcome.theta)
        self.null_objective_ = problem.null_objective
        self.gap_ = min(fitted.gap, self.objective_)
        self.n_iter_ = max(fitted.outcome.n_iter, 1)
        self.passes_ = objective.passes
        self.converged_ = fitted.reached
        if not self.converged_:
            warnings.warn(self._complaint(fitted.outcome.reason), ConvergenceWarning, stacklevel=3)

    def _names(self, n_columns: int) -> NDArray:
        if self.encoding_ is not None:
            return np.array(self.encoding_.coef_names, dtype=object)
        if hasattr(self, "feature_names_in_"):
            return self.feature_names_in_.copy()
        return np.array([f"x{j}" for j in range(n_columns)], dtype=object)

    def _complaint(self, reason: str) -> str:
        if reason == "max_iter":
            remedy = f"raise max_iter, {self.max_iter} now, or tol, {self.tol:g} now"
        elif np.isinf(self.C):
            remedy = (
                "at C=inf the estimates may be infinite (separable classes): use a finite C, or "
                "look for columns that tell classes apart without error"
            )
        else:
            remedy = f"rounding allows no further step: raise tol, {self.tol:g} now"
        return (
            f"not converged: objective {self.objective_:.9g}, certified gap {self.gap_:.3g} "
            f"(wanted {self.tol * self.null_objective_:.3g}), {self.passes_:.1f} passes; {remedy}."
        )

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return logits: (n_rows,) for two classes, of the second; (n_rows, n_classes) for more."""
        check_is_fitted(self)
        logits = read_for_predict(self, X) @ self.coef_.T + self.intercept_
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict log-probabilities, from logits: right also where a probability is 0 or 1."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            return np.column_stack([log_expit(-logits), log_expit(logits)])
        return log_softmax(logits, axis=1)

    def _check_parameters(self) -> None:
        if not isinstance(self.C, Real) or not self.C > 0.0:
            raise ValueError(f"C is {self.C!r}; it is a positive number, np.inf for no penalty.")
        if not isinstance(self.l1_ratio, Real) or not 0.0 <= self.l1_ratio <= 1.0:
            raise ValueError(f"l1_ratio is {self.l1_ratio!r}; it is a number from 0 to 1.")
        if not isinstance(self.tol, Real) or not self.tol >= 0.0:
            raise ValueError(f"tol is {self.tol!r}; it is a number, 0 or more.")
        if not isinstance(self.max_iter, Integral) or self.max_iter < 1:
            raise ValueError(f"max_iter is {self.max_iter!r}; it is a whole number, 1 or more.")
        if self.firth:
            raise ValueError("firth=True is not available yet; firth=False maximises without it.")
        if self.solver in NOT_YET:
            raise ValueError(f"solver={self.solver!r} is not available yet; use solver='auto'.")
        if self.solver not in SOLVERS:
            raise ValueError(f"solver is {self.solver!r}; it is one of {', '.join(SOLVERS)}.")


@dataclass(frozen=True)
class Problem:
    """One fit as solvers see it, and what leads back from there."""

    objective: LinearObjective
    scaling: Scaling
    intercept: NDArray[np.bool_]  # which places of θ are intercepts
    shares: NDArray[np.float64]  # weight of every class
    null_objective: float


@dataclass(frozen=True)
class Fitted:
    """Where a solver ended, the certified gap there, and whether it is as small as was asked."""

    outcome: Outcome
    gap: float
    reached: bool


def _missing_by_default(X: Any, C: float) -> str:
    return "indicator" if is_table(X) and np.isfinite(C) else "raise"
