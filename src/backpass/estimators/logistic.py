"""Logistic regression, binary and multinomial, as an estimator in scikit-learn's dress."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from backpass.data.rows import DenseRows, Rows, SparseRows, View
from backpass.estimators.base import NetworkClassifier
from backpass.estimators.certifier import Certifier
from backpass.estimators.datasets import is_dataset, read_dataset
from backpass.estimators.inputs import (
    check_lengths,
    check_reference,
    is_plain,
    is_table,
    read_for_fit,
    read_for_predict,
    read_labels,
    row_weights,
)
from backpass.estimators.outputs import entropy
from backpass.estimators.scaling import measure, sample_stride
from backpass.estimators.statistics import Statistics, target_name
from backpass.inference import firth
from backpass.layers import Linear, LogSoftmax, Sigmoid
from backpass.linear_objective import LinearObjective
from backpass.losses import BCELoss, NLLLoss
from backpass.network import Network
from backpass.penalties import ElasticNet
from backpass.runner import reproducible
from backpass.solvers import newton_cg, preconditioned, prox_newton, proximal, staged
from backpass.solvers.outcome import Outcome

SOLVERS = ("auto", "newton", "newton-cg", "lbfgs", "prox-newton")


class LogisticRegression(Statistics, NetworkClassifier):
    """Logistic regression: one Linear layer, then Sigmoid → BCELoss or LogSoftmax → NLLLoss.

    Minimises ∑ wᵢ ℓᵢ + penalty / C, which is scikit-learn's objective divided by C; the penalty is
    (1 - l1_ratio)/2 · ‖coef‖² + l1_ratio · ‖coef‖₁ and leaves the intercept alone.

    Parameters
    ----------
    C : inverse strength of the penalty; np.inf for maximum likelihood.
    l1_ratio : share of the L1 penalty, 0 to 1.
    firth : with C=np.inf, Jeffreys' prior: Firth's bias reduction, finite on any data.
    fit_intercept : whether to fit one.
    standardize : put the penalty on columns of unit standard deviation. Coefficients are
        reported on the given scale all the same.
    class_weight : dict {label: weight}, "balanced" or None.
    missing : "raise", "drop" or "indicator" (the mean or an own category, and a column that says
        where). None: arrays raise; tables use "indicator" for finite C and raise at C=inf.
    reference : {column: level}, baselines of categorical columns at C=inf; {name of y: class} the
        class that `inference` compares the others with, otherwise the first.
    tol : the fit stops when the certified gap is at most tol · null_objective_.
    max_iter : most steps of the solver.
    solver : "auto", "newton" and, for l1_ratio > 0, "prox-newton" (a curvature matrix is formed),
        "lbfgs" or "newton-cg" (none is). "auto" takes the Newton methods up to 2000 unknowns, but
        not where, at finite C, forming the matrix costs as much as some fifty reads of the data;
        else L-BFGS, and for l1_ratio > 0 accelerated proximal gradient steps.
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
    history_ : {"objective": (passes, value, stride) of every evaluation, "gap": (passes, bound)};
        stride 1 is all rows, the value of a subsample is scaled up. Files do not keep it.
    network_, theta_, encoding_ : the fitted network, its parameters, and how columns were encoded
        (None where X was an array).

    Notes
    -----
    A fit reads X block by block, whatever its type and order, and makes no copy of it. The solver
    "newton" takes Newton steps on growing subsamples first, see `solvers/staged.py`.
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
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> LogisticRegression:
        """Fit to rows X (n_rows, n_features), labels y (n_rows,) and weights (n_rows,) or None.

        X may also be a dataset, which brings labels and weights along.
        """
        self._check_parameters()
        if is_dataset(X):
            missing = self.missing or ("indicator" if np.isfinite(self.C) else "raise")
            given = read_dataset(self, X, y, sample_weight, missing, self._reference)
            return self._fit_rows(given.rows, given.y, given.weight, given.n_left_out)
        self._target = target_name(y)
        y = read_labels(y)
        n_given = len(y)
        missing = self.missing or _missing_by_default(X, self.C)
        columns = read_for_fit(self, X, missing, self._reference(), in_blocks=True)
        self.encoding_ = columns.encoding
        check_lengths(columns.X if columns.rows is None else X, y, sample_weight)
        if columns.rows is not None:
            y = y[columns.rows]
            if sample_weight is not None:
                sample_weight = np.asarray(sample_weight)[columns.rows]
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()}; a classifier needs two classes."
            )
        weight = row_weights(sample_weight, self.class_weight, columns.X, numbers, self.classes_)
        return self._fit_rows(columns.X, numbers, weight, n_given - len(y))

    def _fit_rows(
        self, X: Any, numbers: Any, weight: NDArray | None, n_left_out: int
    ) -> LogisticRegression:
        """Fit to an array, a CSR matrix or `Rows`; numbers: classes by number."""
        named = {k: v for k, v in (self.reference or {}).items() if k != self._target}
        check_reference(named, self.encoding_)  # also where a penalty needs no baselines
        weight_before = getattr(self, "theta_", None) if self.warm_start else None
        with reproducible(self.n_jobs):
            problem = self._problem(X, numbers, weight)
            fit = self._minimise_firth if self.firth else self._minimise
            fitted = fit(problem, weight_before)
            self._report(problem, fitted)
            self._examine(problem, fitted.outcome.theta, n_left_out)
        self.passes_ = problem.objective.passes
        self._warn(fitted)
        return self

    def _reference(self) -> Mapping[str, str] | None:
        """Return baselines to leave out: a level per category without a penalty, none with."""
        if np.isfinite(self.C):
            return None
        return {k: level for k, level in (self.reference or {}).items() if k != self._target}

    def _problem(self, X: Any, y: NDArray, weight: NDArray | None) -> Problem:
        """Write the fit as an objective over columns that the solver sees at unit curvature."""
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        rows = as_rows(X)
        total = rows.n_rows if weight is None else weight.sum()
        view, scale, measured = self._view(rows, weight, total)
        network = own_network(rows.n_columns, n_outputs, self.fit_intercept)
        intercept = np.zeros(n_outputs * view.width, dtype=bool)
        intercept[n_outputs * rows.n_columns :] = True
        strengths = np.where(intercept, 0.0, 1.0)
        strengths[~intercept] = np.tile(scale, n_outputs)
        penalty = ElasticNet(
            strengths, l2=(1.0 - self.l1_ratio) / self.C, l1=self.l1_ratio / self.C
        )
        objective = LinearObjective(rows, y, weight, n_outputs, penalty, view)
        objective.rows_evaluated += measured
        shares = objective.class_weights()
        null = entropy(shares) if self.fit_intercept else total * np.log(len(self.classes_))
        return Problem(objective, network, intercept, shares, float(null))

    def _view(
        self, rows: Rows, weight: NDArray | None, total: float
    ) -> tuple[View, NDArray[np.float64], int]:
        """Return how the solver sees columns, the penalty's factor on each, and the rows measured.

        A column's curvature is at most total/4 · deviation² from the cost, plus the penalty's.
        Dividing by the root of the sum gives every column about the same curvature. This need not
        be exact, so some thousand rows are measured; all of them where the penalty depends on it.
        """
        stride = 1 if self.standardize else sample_stride(rows)
        spread = measure(rows, weight, stride)
        self._spread = spread.deviation, stride
        varies = spread.deviation > 0.0
        if self.standardize and self.encoding_ is not None:
            varies &= self.encoding_.is_number  # levels of a category have no scale of their own
        factor = np.where(varies, spread.deviation, 1.0) if self.standardize else 1.0
        l2 = (1.0 - self.l1_ratio) / self.C
        centred = self.fit_intercept and rows.may_centre
        size = spread.deviation if centred else np.hypot(spread.deviation, spread.mean)
        size = np.hypot(size, np.sqrt(4.0 * l2 / total) * factor)
        size = np.where(size > 0.0, size, 1.0)
        centre = spread.mean if centred else np.zeros_like(spread.mean)
        return View(centre, size, self.fit_intercept), factor / size, rows.count(stride)

    def _minimise_firth(self, problem: Problem, before: NDArray | None) -> Fitted:
        u, top = firth.fit(problem.objective, self._start(problem, before))
        outcome = Outcome(u, top.n_steps, "certified" if top.reached else "stalled")
        return Fitted(outcome, -top.value, np.nan, top.reached)

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
            # A start from an earlier fit is better than what a subsample would make of it.
            cold = before is None or before.shape != (problem.network.n_parameters,)
            stages = staged.strides(objective.rows.n_rows, objective.view.width) if cold else []
            freedom = objective.view.width * max(objective.n_outputs - 1, 1)
            outcome = staged.minimise(
                objective,
                start,
                stages,
                freedom,
                certifier.asked_below,
                certifier.with_curvature,
                self.max_iter,
                # without an intercept the start is 0, which is the null model too
                known=problem.null_objective if cold else np.inf,
            )
        elif solver in ("lbfgs", "newton-cg"):
            method = preconditioned if solver == "lbfgs" else newton_cg
            outcome = method.minimise(
                objective, start, _first_inverse(problem), certifier.by_duality, self.max_iter
            )
        elif solver == "prox-newton":
            promising = 10.0 * certifier.target
            outcome = prox_newton.minimise(objective, start, certifier, self.max_iter, promising)
        else:
            step = 4.0 / objective.total_weight
            outcome = proximal.minimise(objective, start, certifier, self.max_iter, step)
        gap = certifier.final(outcome.theta)
        self.history_ = {"objective": objective.history, "gap": certifier.history}
        return Fitted(outcome, certifier.value, gap, certifier.reached)

    def _chosen_solver(self, objective: LinearObjective) -> str:
        if self.l1_ratio > 0.0 and np.isfinite(self.C):
            if self.solver not in ("auto", "prox-newton"):
                raise ValueError(
                    f"solver={self.solver!r} cannot minimise an L1 penalty; use solver='auto'."
                )
            return "prox-newton" if objective.fits_curvature else "proximal"
        if self.solver not in ("auto", "prox-newton"):
            return self.solver
        dear = objective.curvature_is_dear and np.isfinite(self.C)
        return "newton" if objective.fits_curvature and not dear else "lbfgs"

    def _start(self, problem: Problem, before: NDArray | None) -> NDArray[np.float64]:
        """Start from the last fit where there is one of this shape, else from the null model."""
        objective, network = problem.objective, problem.network
        bias = np.zeros(objective.n_outputs)
        if before is not None and before.shape == (network.n_parameters,):
            k = objective.n_outputs
            weight = before[: k * objective.rows.n_columns].reshape(k, -1)
            return objective.solvers(weight, before[weight.size :] if self.fit_intercept else bias)
        if self.fit_intercept:
            # a class without weight would start at -inf
            logs = np.log(np.maximum(problem.shares, 1e-3 * problem.shares.sum()))
            bias = logs[1:] - logs[0] if len(logs) == 2 else logs - logs.mean()
        start = np.zeros(objective.n_parameters)
        start[problem.intercept] = bias[: int(problem.intercept.sum())]
        return start

    def _report(self, problem: Problem, fitted: Fitted) -> None:
        """Set the fitted attributes, on the given columns' scale."""
        objective, network = problem.objective, problem.network
        coef, intercept = objective.given(fitted.outcome.theta)
        if len(coef) > 1:
            if np.isinf(self.C):
                coef = coef - coef.mean(axis=0)
            intercept = intercept - intercept.mean()
        self.coef_, self.network_ = coef, network
        self.intercept_ = intercept if self.fit_intercept else np.zeros(len(coef))
        parts = {"0.weight": coef} | ({"0.bias": intercept} if self.fit_intercept else {})
        self.theta_ = network.flatten(parts)
        self.coef_names_ = self._names(coef.shape[1])
        self.objective_ = fitted.objective
        self.cost_ = self.objective_ - objective.penalty.value(fitted.outcome.theta)
        self.null_objective_ = problem.null_objective
        self.gap_ = min(fitted.gap, self.objective_)
        self.n_iter_ = max(fitted.outcome.n_iter, 1)
        self.converged_ = fitted.reached

    def _warn(self, fitted: Fitted) -> None:
        """Warn of estimates that are not determined or infinite, else of an optimum not reached."""
        separated = self._warn_of_estimates()
        if not self.converged_ and not separated:
            warnings.warn(self._complaint(fitted.outcome.reason), ConvergenceWarning, stacklevel=4)

    def _names(self, n_columns: int) -> NDArray:
        if self.encoding_ is not None:
            return np.array(self.encoding_.coef_names, dtype=object)
        if hasattr(self, "feature_names_in_"):
            return self.feature_names_in_.copy()
        return np.array([f"x{j}" for j in range(n_columns)], dtype=object)

    def _complaint(self, reason: str) -> str:
        if reason == "max_iter":
            remedy = f"raise max_iter, {self.max_iter} now, or tol, {self.tol:g} now"
        elif np.isinf(self.C) and self.gap_ < 0.5 * self.objective_:  # an optimum is proven
            remedy = (
                "rounding keeps the estimates further than 1e-6 standard errors from the optimum: "
                "take off the mean of columns that are far from 0 for their spread"
            )
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
        if "coef_" not in self.__dict__:  # the check itself takes as long as a row's prediction
            check_is_fitted(self)
        rows = X if is_plain(self, X) else read_for_predict(self, X, keep_sparse=True)
        logits = rows @ self.coef_.T + self.intercept_
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict probabilities, (n_rows, n_classes) in the order of `classes_`."""
        logits = self.decision_function(X)
        if logits.ndim > 1:
            return softmax(logits, axis=1)
        both = np.empty((len(logits), 2))
        expit(-logits, out=both[:, 0])
        expit(logits, out=both[:, 1])
        return both

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict log-probabilities, from logits: right also where a probability is 0 or 1."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            both = np.empty((len(logits), 2))
            log_expit(-logits, out=both[:, 0])
            log_expit(logits, out=both[:, 1])
            return both
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
        if self.firth and np.isfinite(self.C):
            raise ValueError(
                f"firth=True is Jeffreys' prior in place of a penalty, but C is {self.C:g}; "
                "set C=np.inf, or firth=False."
            )
        if self.solver not in SOLVERS:
            raise ValueError(f"solver is {self.solver!r}; it is one of {', '.join(SOLVERS)}.")


@dataclass(frozen=True)
class Problem:
    """One fit as solvers see it, and what leads back from there."""

    objective: LinearObjective
    network: Network
    intercept: NDArray[np.bool_]  # which places of u are intercepts
    shares: NDArray[np.float64]  # weight of every class
    null_objective: float


@dataclass(frozen=True)
class Fitted:
    """Where a solver ended, the objective and its certified gap there, and whether that will do."""

    outcome: Outcome
    objective: float
    gap: float
    reached: bool


def _first_inverse(problem: Problem) -> preconditioned.Solve:
    """Return the fixed inverse for L-BFGS, from some five rows a column."""
    objective = problem.objective
    rows, width = objective.rows, objective.view.width
    stride = 1 << max(rows.n_rows // (5 * width), 1).bit_length() - 1
    shares = problem.shares / problem.shares.sum()
    bend = float((shares * (1.0 - shares)).mean())
    return preconditioned.fixed_inverse(
        objective.flat_gram(stride),
        bend,
        objective.penalty.smooth_curvature(),
        objective.n_outputs,
        objective.order(),
    )


def as_rows(X: Any) -> Rows:
    """Return an array or a CSR matrix as rows in blocks; rows as they are."""
    if isinstance(X, Rows):
        return X
    return SparseRows(X) if sparse.issparse(X) else DenseRows(X)


def own_network(n_columns: int, n_outputs: int, bias: bool) -> Network:
    """Return the note's network A for one output, B for more."""
    linear = Linear(n_columns, n_outputs, bias=bias)
    if n_outputs == 1:
        return Network([linear, Sigmoid()], BCELoss())
    return Network([linear, LogSoftmax()], NLLLoss())


def _missing_by_default(X: Any, C: float) -> str:
    return "indicator" if is_table(X) and np.isfinite(C) else "raise"
