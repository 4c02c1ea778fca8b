"""What LogisticRegression adds for statisticians: results at C=inf, and why none below."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from backpass.curvature import MATRIX_UP_TO
from backpass.data.table import as_table, is_table
from backpass.estimators.beside import Beside
from backpass.estimators.datasets import is_dataset, read_dataset
from backpass.estimators.formulas import whole_rows
from backpass.estimators.given import Given
from backpass.estimators.inputs import (
    array_as_table,
    read_for_predict,
)
from backpass.formula import Design
from backpass.inference import Results
from backpass.inference.aliasing import CollinearityWarning
from backpass.inference.estimates import Account
from backpass.inference.infer import refuse_other_rows, results
from backpass.inference.kept import Known
from backpass.inference.optimum import Optimum, examine, examine_firth
from backpass.inference.penalised import Penalised
from backpass.inference.separation import SeparationWarning
from backpass.inference.table import notes
from backpass.runner import reproducible

if TYPE_CHECKING:
    from backpass.estimators.minimum import Problem
    from backpass.linear_objective import Evaluation
    from backpass.solvers.outcome import Outcome


WARNINGS = {"aliased": CollinearityWarning, "separated": SeparationWarning}


class Statistics:
    """Methods of LogisticRegression; it is mixed in there only."""

    if TYPE_CHECKING:  # what the class it is mixed into has
        _given: Callable[..., Given]
        _with_offset: Callable[..., Given]
        _offset_of: Callable[..., NDArray | None]
    has_offset_: bool
    C: float
    firth: bool
    cost_: float
    class_weight: Any
    n_jobs: int | None
    missing: str | None
    reference: Mapping[str, str] | None
    fit_intercept: bool
    converged_: bool
    l1_ratio: float
    standardize: bool
    objective_: float
    gap_: float
    encoding_: Any
    classes_: NDArray
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    coef_names_: NDArray
    # What a fit sets, as it is on a model from a file.
    _target: str = "y"
    _results: Results | None = None
    _spread: tuple[NDArray[np.float64], int] | None = None

    def inference(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        cov: str = "hessian",
        groups: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Results:
        """Return estimates, errors and tests from the rows of the fit.

        Parameters
        ----------
        X, y, sample_weight, offset : what the fit was given; a dataset comes alone, or with its
            offset, and the table of a formula without y. Weights are frequencies.
        cov : "hessian", the inverse information; "HC0" or "HC1", sandwiches that need no variance
            to be right; "cluster", for rows that depend on each other within groups.
        groups : for "cluster", a label per row.
        """
        self._refuse_no_likelihood()
        if self.has_offset_ != (offset is not None):
            raise ValueError(
                f"the fit had {'an' if self.has_offset_ else 'no'} offset, and inference needs "
                f"what the fit was given: call it with{'' if self.has_offset_ else 'out'} offset=."
            )
        named = isinstance(self.encoding_, Design) and self.encoding_.y
        if y is None and not named and not is_dataset(X):
            raise ValueError("inference needs y, what the fit was given: inference(X, y).")
        if is_dataset(X):
            given = self._with_offset(self._dataset_of_the_fit(X, y, sample_weight), offset)
        else:
            n_left_out = 0
            if isinstance(self.encoding_, Design):
                parts = (X, y, sample_weight, offset, groups)
                X, beside, n_left_out = whole_rows(self.encoding_, *parts)
            else:
                beside = Beside.read(X, y, sample_weight, offset, groups)
            rows, kept = self._rows_of_the_fit(X, beside)
            n_left_out += len(beside.y) - len(kept.y)
            given, groups = self._given(rows, kept, n_left_out), kept.groups
        with reproducible(self.n_jobs):
            problem: Problem = self._problem(given)  # type: ignore[attr-defined]
            u = problem.objective.solvers(self.coef_, self.intercept_)
            optimum = self._optimum(problem, u)
            refuse_other_rows(optimum, self.converged_)
            account = self._account(problem, given)
            return results(account, optimum, cov, groups, self._reader(), self.n_jobs)

    def summary(self) -> Results | Penalised:
        """Return the results kept at the fit: no rows are needed, and no sandwich is offered.

        At finite C they are the coefficients on both scales, and say why there are no errors.
        """
        check_is_fitted(self)
        if np.isfinite(self.C):
            return self._penalised()
        if self._results is None:
            _refuse_wide(self.coef_.size + (self.intercept_.size if self.fit_intercept else 0))
            raise ValueError(
                "this fit kept no curvature: it is a model from a file of format 1; use "
                "inference(X, y), with the rows of the fit."
            )
        return replace(self._results, read=self._reader())

    def _penalised(self) -> Penalised:
        """Lay out the coefficients at finite C."""
        labels = self.classes_.tolist()
        binary = len(labels) == 2
        classes = tuple(labels[1:] if binary else labels)
        names, values = list(map(str, self.coef_names_)), self.coef_
        deviations, stride = self._deviations()
        if self.fit_intercept:
            names = [self._intercept_name(), *names]
            values = np.hstack([self.intercept_[:, None], values])
            deviations = np.concatenate([[np.nan], deviations])
        kind = {0.0: "L2", 1.0: "L1"}.get(self.l1_ratio, "elastic net")
        against = f" = {labels[1]} against {labels[0]}" if binary else ""
        facts = (
            ("penalty", f"{kind}, C = {self.C:g}, {self._penalised_scale()}"),
            ("objective", f"{self.objective_:.6f}, of it {self.cost_:.6f} log-loss"),
            (
                "minimum",
                f"within {self.gap_:.2g}, proven{'' if self.converged_ else '; NOT reached'}",
            ),
        )
        return Penalised(
            f"Logistic regression, penalised: {self._target}{against}",
            tuple(names),
            classes,
            values,
            deviations,
            facts,
            stride,
        )

    def _intercept_name(self) -> str:
        return getattr(self.encoding_, "intercept_name", "(intercept)")

    def _penalised_scale(self) -> str:
        return "on standardised columns" if self.standardize else "on columns as given"

    def _deviations(self) -> tuple[NDArray[np.float64], int]:
        """Return columns' standard deviations, and of every how many rows they are."""
        if self.encoding_ is not None:
            return self.encoding_.scales, 1
        return self._spread or (np.full(self.coef_.shape[1], np.nan), 1)

    def _reader(self) -> Callable[[Any, Any], tuple[Any, NDArray | None]]:
        """Return what turns users' rows and offsets into arrays as the fit saw them."""
        return partial(_rows_and_offset, self)

    def _refuse_no_likelihood(self) -> None:
        check_is_fitted(self)
        if np.isfinite(self.C):
            raise ValueError(
                f"C is {self.C:g}: a penalty pulls estimates towards zero by an amount that is not "
                "known, so they have no standard errors. Fit with C=np.inf for maximum likelihood."
            )

    def _rows_of_the_fit(self, X: Any, beside: Beside) -> tuple[Any, Beside]:
        """Return X as the fit saw it, and what came beside the rows that it kept."""
        if self.missing == "drop" and self.encoding_ is not None:
            X = as_table(X) if is_table(X) else array_as_table(np.asarray(X))
            kept = np.flatnonzero(self.encoding_.complete_rows(X))
            X, beside = X.take(kept), beside.take(kept)
        if self.encoding_ is None:  # any type of number is read in blocks, as at the fit
            asked = {"dtype": "numeric", "ensure_all_finite": False, "reset": False}
            return validate_data(self, X, accept_sparse="csr", **asked), beside
        return read_for_predict(self, X, in_blocks=True), beside

    def _dataset_of_the_fit(self, X: Any, y: Any, sample_weight: Any) -> Given:
        """Read a dataset again; ValueError where it is another one than that of the fit."""
        reader = copy(self)  # reading learns the encoding once more, and sets it
        reference = self._reference  # type: ignore[attr-defined]
        given = read_dataset(reader, X, y, sample_weight, self.missing or "raise", reference)
        same = np.array_equal(reader.classes_, self.classes_)
        if not same or reader.encoding_ != self.encoding_:
            raise ValueError(
                "the dataset is not that of the fit: it has other classes, columns or values. Give "
                "the dataset of the fit, or fit again."
            )
        return given

    def _base(self) -> int:
        """Return the number of the class that contrasts are against."""
        wanted = (self.reference or {}).get(self._target)
        if wanted is None:
            return 0
        labels = [str(label) for label in self.classes_.tolist()]
        if str(wanted) not in labels:
            raise ValueError(
                f"reference asks for the class '{wanted}' of '{self._target}', which does not "
                f"occur; the classes are {', '.join(labels)}."
            )
        return labels.index(str(wanted))

    def _known(self) -> Known:
        """Return what results say of the model itself, whatever the rows."""
        names = [self._intercept_name()] * self.fit_intercept
        terms = self.encoding_.term_names if isinstance(self.encoding_, Design) else {}
        return Known(
            classes=self.classes_.tolist(),
            names=tuple(names + [str(name) for name in self.coef_names_]),
            terms=tuple((term, tuple(of)) for term, of in terms.items()),
            levels=() if self.encoding_ is None else tuple(map(tuple, self.encoding_.level_names)),
            intercept=bool(self.fit_intercept),
        )

    def _account(self, problem: Problem, given: Given) -> Account:
        base, known = self._base(), self._known()
        return Account(
            names=known.names,
            terms=known.terms,
            levels=known.levels,
            classes=known.against(base),
            target=self._target,
            null_value=-problem.null_objective,
            n_rows=problem.objective.total_weight,
            n_dropped=given.n_left_out,
            counted=given.counted,
            reached=self.converged_,
            intercept=known.intercept,
            class_weight=self.class_weight is not None,
            firth=self.firth,
        )

    def _optimum(self, problem: Problem, u: NDArray, here: Evaluation | None = None) -> Optimum:
        _refuse_wide(problem.objective.n_parameters)
        if self.firth:
            return examine_firth(problem.objective, u, self._base())
        return examine(problem.objective, u, self._base(), self.converged_, here)

    def _examine(self, problem: Problem, outcome: Outcome, given: Given) -> None:
        """Keep the results of a fit at C=inf."""
        self._results = None
        if np.isfinite(self.C) or not problem.objective.fits_matrix:
            return
        optimum = self._optimum(problem, outcome.theta, outcome.curved)
        self.cost_ = -optimum.value
        account = self._account(problem, given)
        cov = "HC0" if account.class_weight else "hessian"
        self._results = results(account, optimum, cov).without_rows()

    def _warn_of_estimates(self) -> bool:
        """Warn of columns without an estimate and of infinite ones; tell of the latter."""
        if self._results is None:
            return False
        separation = self._results.separation
        for kind, said in notes(self._results):
            if kind in WARNINGS:
                warnings.warn(said, WARNINGS[kind], stacklevel=5)
        return separation is not None


def _refuse_wide(n_coefficients: int) -> None:
    """Raise ValueError where there are too many coefficients for a covariance."""
    if n_coefficients > MATRIX_UP_TO:
        raise ValueError(
            f"this fit has {n_coefficients:,} coefficients, and errors need the covariance of all, "
            f"which is formed for up to {MATRIX_UP_TO:,}; leave columns out, or join levels of the "
            "largest categories."
        )


def _rows_and_offset(
    model: Any, X: Any, offset: ArrayLike | None
) -> tuple[Any, NDArray[np.float64] | None]:
    rows = read_for_predict(model, X, in_blocks=True)
    return rows, model._offset_of(X, rows.shape[0], offset)
