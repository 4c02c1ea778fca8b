"""Logistic regression whose penalty is chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from backpass.estimators.choice import (
    best,
    coefficients,
    gathered,
    results,
    strongest_within_one_error,
)
from backpass.estimators.crossing import Path, cross_validate
from backpass.estimators.cv_parameters import check_parameters, shares, strengths
from backpass.estimators.datasets import is_dataset
from backpass.estimators.folds import Pair, divide
from backpass.estimators.logistic import LogisticRegression
from backpass.estimators.logistic_parameters import check_parameters as check_single
from backpass.estimators.path_plot import draw
from backpass.estimators.portions import portion_of
from backpass.estimators.routing import Routed
from backpass.estimators.stored_portion import stored_portion


class LogisticRegressionCV(Routed, LogisticRegression):
    """Logistic regression with C (and l1_ratio) chosen by the score on rows left out.

    In every split the fits go along a path from the strongest penalty to the weakest, each starting
    where the last one ended. The model that predicts is then fitted to all rows, and is the one
    that `LogisticRegression(C=C_, l1_ratio=l1_ratio_)` gives, to the last bit.

    Parameters
    ----------
    Cs : inverse strengths to try, or how many of them from 1e-4 to 1e4, evenly spaced in log C.
    l1_ratios : shares of the L1 penalty to try.
    cv : number of folds (stratified, in the order of the rows), a splitter, pairs of (rows to fit
        to, rows to score), or an array (n_rows,) with the fold of every row, -1 for none.
    scoring : name of a scikit-learn scorer or a function (model, X, y) -> float, larger is better.
        "neg_log_loss" is computed from logits: exact also where a probability rounds to 0. A
        dataset in files knows "neg_log_loss", "accuracy", "roc_auc" and "neg_brier_score".
    rule : "best", the C of the best mean score (of equals the strongest penalty); or "1se", the
        strongest penalty whose mean score is within one standard error of the best.
    refit : fit to all rows at the end; False only compares.
    fit_intercept, standardize, class_weight, missing, reference, tol, max_iter, solver,
    random_state, verbose : as in `LogisticRegression`, for every fit. "balanced" weighs by the
        classes of the rows fitted to.
    n_jobs : threads, over splits first; -1 for all cores this process may use.

    Attributes
    ----------
    C_, l1_ratio_ : what was chosen, one number each.
    Cs_, l1_ratios_ : what was tried, Cs_ rising: (n_Cs,), (n_l1_ratios,).
    scores_, n_iter_ : of every fit, (n_splits, n_l1_ratios, n_Cs).
    coefs_paths_ : of every fit, (n_splits, n_l1_ratios, n_Cs, n_outputs, n_columns + 1), the
        intercept last; nan for a column (a level, say) that the rows of a split did not have. Not
        there with refit=False.
    cv_results_ : as GridSearchCV's, a column per candidate (C, l1_ratio): params, param_C,
        param_l1_ratio, split0_test_score ..., mean_test_score, std_test_score, rank_test_score;
        beside them se_test_score, the standard error of the mean, passes, the passes over all rows
        that the candidate took, gap, the largest certified gap of its fits as a share of the null
        objective, and converged, whether all of its fits were.
    best_index_, best_1se_index_ : the candidates that the two rules choose.
    best_estimator_ : the fitted LogisticRegression. Its attributes are those of this model too.
    passes_ : passes over all rows, of all fits and scores together.

    See Also
    --------
    plot_path : the scores against C.
    """

    best_estimator_: LogisticRegression

    def __init__(
        self,
        Cs: int | ArrayLike = 10,
        cv: Any = 5,
        scoring: Any = "neg_log_loss",
        l1_ratios: Sequence[float] = (0.0,),
        rule: str = "best",
        refit: bool = True,
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        missing: str | None = None,
        reference: Mapping[str, str] | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        solver: str = "auto",
        n_jobs: int | None = -1,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.l1_ratios = l1_ratios
        self.rule = rule
        self.refit = refit
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.missing = missing
        self.reference = reference
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
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
        **params: Any,
    ) -> LogisticRegressionCV:
        """Choose by cross-validation, then fit to all rows.

        Parameters
        ----------
        X, y, sample_weight, offset, formula : as in `LogisticRegression.fit`. Weights and offsets
            count in fits and in scores. Rows of counts are divided as they are, in their order for
            a number of folds, and scored by trials. What a formula learns of columns (levels,
            means of `scale`) it learns in every split from the rows fitted to.
        params : groups=, a label per row, for splitters that ask for it. With scikit-learn's
            metadata routing, whatever splitter and scorer request.

        Raises ValueError where a split has no rows of a class to fit to, or a score is nan.
        """
        check_parameters(self)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        split_params, score_params = self._routed(sample_weight, params)
        scoring = self.scoring if is_dataset(X) else self._own_scorer()
        model = self._single(strengths(self.Cs)[-1], shares(self.l1_ratios)[0])
        check_single(model)
        beside = (y, sample_weight, offset, formula)
        given = model._read(X, *beside)  # errors of the data come before all work
        self._take(model)
        portion: Any
        if is_dataset(X):
            portion = stored_portion(X, offset, scoring)
        else:
            design = None if formula is None else model.encoding_
            portion = portion_of(X, y, sample_weight, offset, score_params, design)
        splits = self._divided(portion, split_params)
        if given.n_left_out:
            splits = portion.without_incomplete(splits, model)
        paths = self._cross_validated(portion, splits, scoring)
        if self.refit:
            read_at, C = model.C, self.C_
            model.set_params(C=C, l1_ratio=self.l1_ratio_)
            if np.isfinite(read_at) != np.isfinite(C):  # without a penalty there are baselines
                if formula is None:
                    model.set_params(reference=None)
                given = model._read(X, *beside)
            model._fit_given(given)
            self._take_over(model, paths)
        return self

    def _divided(self, portion: Any, split_params: Mapping[str, Any]) -> Sequence[Pair]:
        """Return the splits; ValueError where they cannot tell what they are asked for."""
        if len(portion.classes()) < len(self.classes_):
            lost = set(self.classes_.tolist()) - set(portion.classes().tolist())
            raise ValueError(
                f"sample_weight is 0 in every row of class {lost.pop()!r}, so no split can be "
                "fitted to that class; leave its rows out."
            )
        splits = divide(self.cv, portion.X, portion.labels(), split_params)
        if self.rule == "1se" and len(splits) < 2:
            raise ValueError("rule='1se' needs the spread of scores over two splits or more.")
        return splits

    def _single(self, C: float, l1_ratio: float) -> LogisticRegression:
        """Return a LogisticRegression of these parameters."""
        own = self.get_params(deep=False)
        shared = {name: own[name] for name in LogisticRegression().get_params() if name in own}
        return LogisticRegression(**{**shared, "C": C, "l1_ratio": l1_ratio})

    def _cross_validated(
        self, portion: Any, splits: Sequence[Pair], scoring: Any
    ) -> list[list[Path]]:
        """Fit and score in every split; set what was tried, and which of it is chosen."""
        Cs, l1_ratios = strengths(self.Cs), shares(self.l1_ratios)
        made = partial(self._single, Cs[-1], l1_ratios[0])
        paths = cross_validate(made, Cs, l1_ratios, portion, splits, scoring, self.n_jobs)
        self.Cs_, self.l1_ratios_ = np.array(Cs), np.array(l1_ratios)
        self.scores_, self.n_iter_ = gathered(paths, "scores"), gathered(paths, "n_iter")
        found = results(paths, Cs, l1_ratios, portion.n_rows)
        self.cv_results_ = found
        self.best_index_, self.best_1se_index_ = best(found), strongest_within_one_error(found)
        place = self.best_1se_index_ if self.rule == "1se" else self.best_index_
        self.C_ = float(found["param_C"][place])
        self.l1_ratio_ = float(found["param_l1_ratio"][place])
        self.passes_ = float(found["passes"].sum())
        self._warn_of_paths(int((~gathered(paths, "converged")).sum()))
        return paths

    def _warn_of_paths(self, n_short: int) -> None:
        """Warn once, of all fits to parts of the rows that did not converge."""
        if n_short:
            found = self.cv_results_
            C = float(found["param_C"][int((~found["converged"]).argmax())])
            warnings.warn(
                f"{n_short} of {self.scores_.size} fits to parts of the rows did not converge, the "
                f"first at C={C:g}; cv_results_ tells which, and how far they are: raise max_iter, "
                "or leave out the C at which classes are told apart without error.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _take(self, model: LogisticRegression) -> None:
        """Set what reading and fitting have set on a model."""
        params = model.get_params(deep=False)
        for name, value in vars(model).items():
            if name not in params:
                setattr(self, name, value)

    def _take_over(self, model: LogisticRegression, paths: list[list[Path]]) -> None:
        """Make the model fitted to all rows, with all it has set, this one's."""
        n_iter, passes = self.n_iter_, self.passes_
        self._take(model)
        self.best_estimator_ = model
        self.n_iter_, self.passes_ = n_iter, passes + model.passes_
        self.coefs_paths_ = coefficients(paths, [str(name) for name in model.coef_names_])

    def summary(self) -> Any:
        """Return the coefficients of the chosen model, as `LogisticRegression.summary` does."""
        check_is_fitted(self)
        return self.best_estimator_.summary()

    def inference(self, *args: Any, **options: Any) -> Any:
        """Return what `LogisticRegression.inference` does: results if C_ is inf, else why not."""
        check_is_fitted(self)
        return self.best_estimator_.inference(*args, **options)

    def plot_path(self, ax: Any = None) -> Any:
        """Draw mean scores and their standard errors against C; return the matplotlib axes.

        A line per l1_ratio; marked are the C of the best mean score and the strongest penalty
        within a standard error of it. ax: axes to draw on, None for new ones. Needs matplotlib.
        """
        if "cv_results_" not in vars(self):
            check_is_fitted(self)
        return draw(self, ax)

    def __sklearn_is_fitted__(self) -> bool:
        if "C_" in vars(self) and "coef_" not in vars(self):
            raise NotFittedError(
                f"refit=False chose C={self.C_:g} and fitted no model to all rows; use refit=True, "
                "or LogisticRegression with this C."
            )
        return "coef_" in vars(self)
