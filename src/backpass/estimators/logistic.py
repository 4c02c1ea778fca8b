"""Logistic regression, binary and multinomial, as an estimator in scikit-learn's dress."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from backpass.estimators.beside import COUNTED, Beside, read_offset, target_name
from backpass.estimators.datasets import is_dataset, read_dataset
from backpass.estimators.formulas import learn_design, whole_rows
from backpass.estimators.given import Given, as_rows
from backpass.estimators.inputs import (
    check_lengths,
    check_reference,
    is_table,
    read_for_fit,
    row_weights,
)
from backpass.estimators.logistic_parameters import check_parameters
from backpass.estimators.minimum import Fitted, Problem, minimise, write_problem
from backpass.estimators.predictions import Predictions
from backpass.estimators.statistics import Statistics
from backpass.runner import reproducible


class LogisticRegression(Statistics, Predictions):
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
        "lbfgs" or "newton-cg" (none is). "auto" takes the Newton methods up to 2000 unknowns, and
        beyond where one large category borders a small matrix, but not where, at finite C, forming
        it costs as much as some fifty reads of the data; else L-BFGS, and for l1_ratio > 0
        proximal steps by a curvature that is learnt from them.
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
    has_offset_ : whether the fit had an offset, so that predictions need one.
    network_, theta_, encoding_ : the fitted network, its parameters, and how columns were encoded
        (None where X was an array).

    Notes
    -----
    A fit reads X block by block, whatever its type and order, and makes no copy of it. The solver
    "newton" takes Newton steps on growing subsamples first, see `solvers/staged.py`.
    """

    n_iter_: Any

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
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        formula: str | None = None,
    ) -> LogisticRegression:
        """Fit to rows.

        Parameters
        ----------
        X : array, CSR matrix or table, (n_rows, n_features); or a dataset, which brings labels and
            weights along.
        y : labels, (n_rows,); or counts of failures and successes, (n_rows, 2), for the classes 0
            and 1. A row of counts is as many rows of one label each.
        sample_weight : (n_rows,), or None where all are 1.
        offset : what is added to the logit of the second class, (n_rows,); for more than two
            classes to every class's, (n_rows, n_classes). Predictions need theirs then.
        formula : with a table as X and no y, R's words for what to fit, "y ~ C(race) + age:lwt".
            Predictions take tables with the same columns. Needs the package formulaic.
        """
        check_parameters(self)
        return self._fit_given(self._read(X, y, sample_weight, offset, formula))

    def _read(
        self,
        X: Any,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None = None,
        formula: str | None = None,
    ) -> Given:
        """Return what the fit reads; set `classes_`, `encoding_` and the columns' names."""
        self.has_offset_ = offset is not None
        if formula is not None:
            return self._read_formula(X, y, sample_weight, offset, formula)
        if is_dataset(X):
            missing = self.missing or ("indicator" if np.isfinite(self.C) else "raise")
            given = read_dataset(self, X, y, sample_weight, missing, self._reference)
            return self._with_offset(given, offset)
        self._target = target_name(y)
        beside = Beside.read(None, y, sample_weight, offset)
        missing = self.missing or _missing_by_default(X, self.C)
        columns = read_for_fit(self, X, missing, self._reference(), in_blocks=True)
        self.encoding_ = columns.encoding
        check_lengths(columns.X if columns.rows is None else X, beside.y)
        kept = beside if columns.rows is None else beside.take(columns.rows)
        self._learn_classes(kept)
        return self._given(columns.X, kept, len(beside.y) - len(kept.y))

    def _read_formula(
        self, data: Any, y: Any, sample_weight: Any, offset: Any, formula: str
    ) -> Given:
        """Return what the fit reads of a table by a formula, and set the same."""
        design = learn_design(self, data, y, formula)
        self.encoding_, self._target = design, design.y_name if design.y else target_name(y)
        table, beside, n_left_out = whole_rows(design, data, y, sample_weight, offset)
        self._learn_classes(beside)
        return self._given(design.transform(table), beside, n_left_out)

    def _learn_classes(self, beside: Beside) -> None:
        self.classes_ = COUNTED if beside.counted else np.unique(beside.y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()}; a classifier needs two classes."
            )

    def _given(self, X: Any, beside: Beside, n_left_out: int) -> Given:
        """Put an array or a CSR matrix and what came beside it together for a fit."""
        y: NDArray
        sample_weight: NDArray | None
        if beside.counted:
            y, sample_weight = beside.shares()
            if self.class_weight is not None:
                raise ValueError(
                    "class_weight weighs labels, but y holds counts of failures and successes; "
                    "multiply its columns instead."
                )
        else:
            y, sample_weight = self._targets(beside.y), beside.sample_weight
        weight = row_weights(sample_weight, self.class_weight, X, y, self.classes_)
        given = Given(as_rows(X), y, weight, n_left_out, counted=beside.counted)
        return self._with_offset(given, beside.offset)

    def _with_offset(self, given: Given, offset: ArrayLike | None) -> Given:
        if offset is None:
            return given
        return replace(given, offset=read_offset(offset, given.rows.n_rows, len(self.classes_)))

    def _fit_given(self, given: Given) -> LogisticRegression:
        """Fit to what `_read` returned."""
        self._warn(self._fit_silently(given))
        return self

    def _fit_silently(self, given: Given) -> Fitted:
        """Fit, and leave what is to be said of it to the caller."""
        named = {k: v for k, v in (self.reference or {}).items() if k != self._target}
        check_reference(named, self.encoding_)
        before = getattr(self, "theta_", None) if self.warm_start else None
        with reproducible(self.n_jobs):
            problem = self._problem(given)
            fitted = minimise(self, problem, before)
            self._report(problem, fitted)
            self._examine(problem, fitted.outcome, given)
        self.passes_ = problem.objective.passes
        return fitted

    def _problem(self, given: Given) -> Problem:
        is_number = None if self.encoding_ is None else self.encoding_.is_number
        return write_problem(self, given, len(self.classes_), is_number)

    def _reference(self) -> Mapping[str, str] | None:
        """Return baselines to leave out: a level per category without a penalty, none with."""
        if np.isfinite(self.C):
            if self.reference:
                raise ValueError(
                    f"reference is {dict(self.reference)!r}, but C is {self.C:g}: under a penalty "
                    "every level and every class has a coefficient, and none is a baseline. Set "
                    "C=np.inf, or leave reference out."
                )
            return None
        return {k: level for k, level in (self.reference or {}).items() if k != self._target}

    def _report(self, problem: Problem, fitted: Fitted) -> None:
        """Set the fitted attributes, on the given columns' scale."""
        objective, network = problem.objective, problem.network
        self._spread = problem.spread
        if fitted.history is not None:
            self.history_ = fitted.history
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
        return _plain_names(n_columns).copy()

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
                "look for columns that tell classes apart without error, such as levels of a "
                "category whose rows are all of one class"
            )
        else:
            remedy = f"rounding allows no further step: raise tol, {self.tol:g} now"
        return (
            f"not converged: objective {self.objective_:.9g}, certified gap {self.gap_:.3g} "
            f"(wanted {self.tol * self.null_objective_:.3g}), {self.passes_:.1f} passes; {remedy}."
        )


def _missing_by_default(X: Any, C: float) -> str:
    return "indicator" if is_table(X) and np.isfinite(C) else "raise"


@lru_cache(maxsize=4)
def _plain_names(n_columns: int) -> NDArray:
    """Return x0, x1, ...; kept, since for text they took a twentieth of every fit."""
    return np.array([f"x{j}" for j in range(n_columns)], dtype=object)
