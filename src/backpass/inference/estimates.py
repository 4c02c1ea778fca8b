"""Estimates with their errors, and the fit as a whole, by statsmodels' names.

What needs the rows again, or tests a hypothesis of the reader's, is in `results.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from backpass.inference import table
from backpass.inference.optimum import Optimum

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Printed(str):
    """A text whose lines are lines at a prompt too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Account:
    """What is known about the fit beside numbers.

    names: coefficients of one contrast, intercept first. classes: labels, the base class first.
    target: what the labels are called, or "y". null_value: log-likelihood of the model without
    columns. n_dropped: rows left out for missing values. reached: whether the optimum was.
    terms: (term, its coefficients) of a formula. levels: names of coefficients that are levels of
    one category, for each category. counted: whether y held counts, so that rows are trials.
    """

    names: tuple[str, ...]
    classes: tuple[Any, ...]
    target: str
    null_value: float
    n_rows: float
    n_dropped: int = 0
    reached: bool = True
    intercept: bool = True
    class_weight: bool = False
    firth: bool = False
    terms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    counted: bool = False


@dataclass(frozen=True)
class Estimates:
    """Estimates of maximum likelihood with their errors.

    Attributes
    ----------
    params, bse, tvalues, pvalues : Series, one entry per coefficient, intercept first. Indexed by
        name, and for three classes or more by (class, name): log-odds against the base class.
        NA for a column that others make up, ±inf where classes are separated.
    llf, llnull : log-likelihood, of the model and of that without columns.
    llr, llr_pvalue : likelihood-ratio test of all columns, with df_model degrees.
    aic, bic, prsquared : information criteria, and McFadden's 1 - llf / llnull.
    nobs : ∑ weight; weights are frequencies. n_estimates, and df_model without the intercepts.
    df_resid : nobs - n_estimates.
    separation : None, or what is separated. aliased : names of columns that combine others.
    cov_type : "hessian", "HC0", "HC1" or "cluster".
    """

    account: Account
    optimum: Optimum
    cov_type: str
    covariance: Matrix = field(repr=False)  # of the kept coefficients as given, each by its unit
    n_groups: int | None = None

    # Estimates.

    @property
    def index(self) -> pd.Index:
        """Names of coefficients: (class, name) for three classes or more."""
        import pandas as pd

        names, classes = self.account.names, self.account.classes
        if len(classes) == 2:
            return pd.Index(names, name=None)
        return pd.MultiIndex.from_product([classes[1:], names], names=[self.account.target, None])

    @property
    def params(self) -> pd.Series:
        """Estimates: log-odds per unit of the column, against the base class."""
        likelihood = self.optimum.likelihood
        found = likelihood.scale.given(self.optimum.beta)
        if self.optimum.separation is not None:
            signs = self.optimum.separation.signs
            found = np.where(signs == 0.0, found, np.where(signs > 0.0, np.inf, -np.inf))
            found[np.isnan(signs)] = np.nan
        return self._series(found, "coef")

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        found = self._units() * np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return self._series(found, "std err", finite=True)

    @property
    def tvalues(self) -> pd.Series:
        """Return estimates by their standard errors."""
        return (self.params / self.bse).rename("z")

    zvalues = tvalues

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the normal distribution."""
        z = self.tvalues
        return (2.0 * stats.norm.sf(np.abs(z)) + 0.0 * z).rename("P>|z|")

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the estimates; NA where there is none."""
        import pandas as pd

        places = self._kept_places()
        size = len(self.account.names) * self.optimum.likelihood.n_contrasts
        full = np.full((size, size), np.nan)
        known, unit = self._known(), self._units()
        with np.errstate(over="ignore"):
            whole = self.covariance * unit * unit[:, None]
        full[np.ix_(places[known], places[known])] = whole[np.ix_(known, known)]
        return pd.DataFrame(full, index=self.index, columns=self.index)

    def wald_interval(self, level: float) -> pd.DataFrame:
        """Return estimate ± z · std err."""
        half = stats.norm.ppf(0.5 + level / 2.0) * self.bse
        return self._interval(np.column_stack([self.params - half, self.params + half]), level)

    def _frame(
        self, value: Any, error: Any, index: pd.Index, name: str, level: float
    ) -> pd.DataFrame:
        """Lay estimates out with their errors, tests and intervals."""
        import pandas as pd

        value, error = np.asarray(value), np.asarray(error)
        z = value / error
        half = stats.norm.ppf(0.5 + level / 2.0) * error
        p = np.where(np.isnan(z), np.nan, 2.0 * stats.norm.sf(np.abs(z)))
        columns = {name: value, "std err": error, "z": z, "P>|z|": p}
        ends = np.column_stack([value - half, value + half])
        return pd.DataFrame(columns, index=index).join(self._interval(ends, level, index))

    def _interval(self, ends: Matrix, level: float, index: pd.Index | None = None) -> pd.DataFrame:
        import pandas as pd

        heads = [f"[{(1.0 - level) / 2.0:.4g}", f"{(1.0 + level) / 2.0:.4g}]"]
        return pd.DataFrame(ends, index=self.index if index is None else index, columns=heads)

    # The fit as a whole.

    @property
    def nobs(self) -> float:
        """Return ∑ weight."""
        return self.account.n_rows

    @property
    def n_estimates(self) -> int:
        """Count the estimates, intercepts too."""
        return self.optimum.likelihood.n_parameters

    @property
    def df_model(self) -> int:
        """Count the estimates that are no intercepts."""
        return self.n_estimates - self.optimum.likelihood.n_contrasts * int(self.account.intercept)

    @property
    def df_resid(self) -> float:
        """Return nobs less the number of estimates."""
        return self.nobs - self.n_estimates

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        self._refuse_class_weight("a log-likelihood")
        return self.optimum.value

    @property
    def llnull(self) -> float:
        """Log-likelihood of the model without columns."""
        self._refuse_class_weight("a log-likelihood")
        return self.account.null_value

    @property
    def llr(self) -> float:
        """Return twice the gain in log-likelihood over the model without columns.

        With Firth's prior both are of the penalised likelihood, by the prior of all columns.
        """
        if self.optimum.penalised is not None:
            return max(2.0 * (self.optimum.penalised - self.optimum.penalised_null), 0.0)
        return max(2.0 * (self.llf - self.llnull), 0.0)

    @property
    def llr_pvalue(self) -> float:
        """P-value of llr by χ² with df_model degrees."""
        return float(stats.chi2.sf(self.llr, self.df_model)) if self.df_model else np.nan

    @property
    def prsquared(self) -> float:
        """McFadden's pseudo-R²."""
        return 1.0 - self.llf / self.llnull

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return -2.0 * self.llf + 2.0 * self.n_estimates

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with n = ∑ weight."""
        return -2.0 * self.llf + np.log(self.nobs) * self.n_estimates

    @property
    def separation(self) -> Any:
        """What is separated; None where all estimates are finite."""
        return self.optimum.separation

    @property
    def aliased(self) -> tuple[str, ...]:
        """Names of columns that combine others, and so have no estimate."""
        kept = self.optimum.likelihood.scale.places
        return tuple(n for place, n in enumerate(self.account.names) if place not in kept)

    # How it is shown.

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return the table of coefficients."""
        return self._frame(self.params, self.bse, self.index, "coef", level)

    def summary(self, level: float = 0.95) -> str:
        """Return the printed form, a text that a prompt shows as it is printed."""
        return Printed(table.as_text(self, level))

    def __str__(self) -> str:
        return self.summary()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return table.as_html(self)

    def to_latex(self, level: float = 0.95) -> str:
        """Return the table of coefficients as LaTeX, for the package booktabs."""
        return table.as_latex(self, level)

    # Inside.

    def _kept_places(self) -> NDArray[np.intp]:
        """Return where the kept coefficients stand among all, class by class."""
        places = self.optimum.likelihood.scale.places
        starts = np.arange(self.optimum.likelihood.n_contrasts) * len(self.account.names)
        return (starts[:, None] + places).reshape(-1)

    def _units(self) -> Vector:
        """Return the unit of every kept coefficient, class by class."""
        return np.tile(self.optimum.likelihood.scale.unit, self.optimum.likelihood.n_contrasts)

    def _known(self) -> NDArray[np.bool_]:
        """Mark the kept coefficients whose estimates are finite."""
        if self.optimum.separation is None:
            return np.ones(self.optimum.likelihood.n_parameters, dtype=bool)
        return self.optimum.separation.signs.reshape(-1) == 0.0

    def _series(self, kept: NDArray, name: str, finite: bool = False) -> pd.Series:
        """Return values of the kept coefficients as a Series of all."""
        import pandas as pd

        values = np.full(len(self.account.names) * self.optimum.likelihood.n_contrasts, np.nan)
        flat = kept.reshape(-1)
        values[self._kept_places()] = np.where(self._known(), flat, np.nan) if finite else flat
        return pd.Series(values, index=self.index, name=name)

    def _refuse_class_weight(self, what: str) -> None:
        if self.account.class_weight:
            raise ValueError(
                f"with class_weight there is no {what[2:]}: weights that depend on the class make "
                "another model. Fit with class_weight=None."
            )
