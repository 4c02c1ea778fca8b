"""Fits that statsmodels and backpass both do, and statsmodels' answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COVARIANCES = ("hessian", "HC0", "cluster")  # its HC1 of a Logit is HC0


@dataclass(frozen=True)
class Case:
    """Rows without the column of ones, classes by number, and a group per row."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    groups: NDArray[np.int64]


def simulated(n_classes: int, seed: int) -> Case:
    """Draw rows whose columns have units of their own and correlate."""
    rng = np.random.default_rng(seed)
    n, d = 400, 4
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * [1.0, 20.0, 0.05, 1.0]
    X += [0.0, 100.0, 0.0, -3.0]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    logits = Z @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))
    return Case(X, logits.argmax(axis=1), rng.integers(30, size=n))


def shift(case: Case) -> NDArray[np.float64]:
    """Return an offset per row."""
    return np.cos(np.arange(len(case.y)))


def counted(case: Case) -> NDArray[np.int64]:
    """Return counts per row, (n_rows, 2), failures first: the label, and some of both beside it."""
    more = np.arange(len(case.y))
    return np.column_stack([1 - case.y + more % 3, case.y + more % 2])


def cases() -> dict[str, Case]:
    """Return data sets that ship with statsmodels, and simulated ones."""
    from statsmodels.datasets import anes96, spector

    spector_data, anes = spector.load_pandas(), anes96.load_pandas()
    X = anes.exog[["logpopul", "selfLR", "age", "educ", "income"]].to_numpy(float)
    return {
        "spector": Case(
            spector_data.exog.to_numpy(float),
            spector_data.endog.to_numpy(int),
            np.arange(len(spector_data.endog)) % 7,
        ),
        "anes96": Case(X, anes.endog.to_numpy(int), np.arange(len(X)) % 41),
        "two classes": simulated(2, 1),
        "four classes": simulated(4, 2),
    }


def answers(case: Case) -> dict[str, NDArray[np.float64]]:
    """Return what statsmodels says, contrasts class by class, the constant first."""
    import statsmodels.api as sm

    exog = sm.add_constant(case.X)
    binary = case.y.max() == 1
    model = (sm.Logit if binary else sm.MNLogit)(case.y, exog)
    found: dict[str, Any] = {}
    for cov in COVARIANCES:
        options: dict[str, Any] = {"cov_type": "nonrobust" if cov == "hessian" else cov}
        if cov == "cluster":
            options["cov_kwds"] = {"groups": case.groups}
        fit = model.fit(disp=0, method="newton", maxiter=200, tol=1e-9, **options)
        found[f"bse {cov}"] = np.ravel(fit.bse.T)
    fit = model.fit(disp=0, method="newton", maxiter=200, tol=1e-9)
    found["params"] = np.ravel(fit.params.T)
    found["fit"] = np.array([fit.llf, fit.aic, fit.bic])
    for at in ("overall", "mean"):
        effects = fit.get_margeff(at=at)
        found[f"effects {at}"] = np.ravel(effects.margeff.T)
        found[f"effects' errors {at}"] = np.ravel(effects.margeff_se.T)
    if binary:
        for at in ("overall", "mean"):
            effects = fit.get_margeff(at=at, dummy=True)  # MNLogit's ends with an error
            found[f"changes {at}"] = np.ravel(effects.margeff.T)
            found[f"changes' errors {at}"] = np.ravel(effects.margeff_se.T)
        family, offset = sm.families.Binomial(), shift(case)
        shifted = sm.GLM(case.y, exog, family=family, offset=offset).fit(tol=1e-15, maxiter=200)
        found["with offset"] = np.concatenate([shifted.params, shifted.bse, [shifted.llf]])
        counts = counted(case)
        grouped = sm.GLM(counts[:, ::-1], exog, family=family).fit(tol=1e-15, maxiter=200)
        found["of counts"] = np.concatenate([grouped.params, grouped.bse])
        influence = fit.get_influence()
        found["cook"] = influence.cooks_distance[0]
        found["leverage"] = influence.hat_matrix_diag
        found["scores"] = model.score_obs(fit.params)
        predicted = fit.get_prediction(exog).summary_frame()
        found["predicted"] = predicted[["predicted", "ci_lower", "ci_upper"]].to_numpy()
    return found


def ours(case: Case) -> dict[str, NDArray[np.float64]]:
    """Return what backpass says, laid out in the same way."""
    import backpass as bp

    model = bp.LogisticRegression(C=np.inf, tol=1e-22).fit(case.X, case.y)
    found: dict[str, Any] = {}
    for cov in COVARIANCES:
        groups = case.groups if cov == "cluster" else None
        found[f"bse {cov}"] = model.inference(case.X, case.y, cov=cov, groups=groups).bse
    results = model.inference(case.X, case.y)
    found["params"] = results.params
    found["fit"] = [results.llf, results.aic, results.bic]
    for at in ("overall", "mean"):
        effects = results.marginal_effects(at)
        found[f"effects {at}"] = effects["dy/dx"]
        found[f"effects' errors {at}"] = effects["std err"]
    if case.y.max() == 1:
        for at in ("overall", "mean"):
            effects = results.marginal_effects(at, dummy=True)
            found[f"changes {at}"] = effects["dy/dx"]
            found[f"changes' errors {at}"] = effects["std err"]
        known = {"offset": shift(case)}
        fit = bp.LogisticRegression(C=np.inf, tol=1e-22).fit(case.X, case.y, **known)
        shifted = fit.inference(case.X, case.y, **known)
        found["with offset"] = np.concatenate([shifted.params, shifted.bse, [shifted.llf]])
        counts = counted(case)
        fit = bp.LogisticRegression(C=np.inf, tol=1e-22).fit(case.X, counts)
        grouped = fit.inference(case.X, counts)
        found["of counts"] = np.concatenate([grouped.params, grouped.bse])
        found["cook"] = results.cooks_distance()
        found["leverage"] = results.leverage()
        found["scores"] = np.vstack([scores for _, scores in results.score_rows()])
        found["predicted"] = results.predict(case.X)[1]
    return {key: np.asarray(value, dtype=float) for key, value in found.items()}
