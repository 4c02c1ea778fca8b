"""What `LogisticRegression.inference` returns: estimates, and all that can be asked about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from backpass.inference import effects, influence
from backpass.inference.estimates import Estimates
from backpass.inference.firth import FirthSurface
from backpass.inference.profile import end
from backpass.inference.surface import Surface, maximise
from backpass.runner import reproducible

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
PREDICTED_AT_ONCE = 4096  # rows


@dataclass(frozen=True)
class Test:
    """A test's statistic, its degrees of freedom by χ², and its p-value."""

    kind: str
    statistic: float
    df: int
    pvalue: float

    def __str__(self) -> str:
        return f"{self.kind}: chi2({self.df}) = {self.statistic:.4f}, p = {self.pvalue:.4g}"


@dataclass(frozen=True, repr=False)  # a prompt shows the table
class Results(Estimates):
    __doc__ = Estimates.__doc__
    read: Callable[[Any, Any], Any] | None = field(default=None, repr=False, compare=False)
    n_jobs: int | None = -1

    # Intervals and tests.

    def confint(self, level: float = 0.95, method: str = "wald") -> pd.DataFrame:
        """Return intervals of the estimates, one row each, in two columns.

        method: "wald", estimate ± z · std err, or "profile", where twice the log-likelihood has
        fallen by the quantile of χ²₁ with all other coefficients fitted anew. A profile interval
        needs no symmetry, and has a finite end also where the estimate is infinite.
        """
        _check_level(level)
        if method == "wald":
            return self.wald_interval(level)
        if method != "profile":
            raise ValueError(f"method is {method!r}; it is 'wald' or 'profile'.")
        if self.account.class_weight:
            self._refuse_class_weight("a likelihood")
        self._refuse_no_rows("confint(method='profile')")
        ends = np.full((len(self.index), 2), np.nan)
        with reproducible(self.n_jobs):
            for entry, place in enumerate(self._kept_places()):
                ends[place] = self._profile(entry, level)
        return self._interval(ends, level)

    conf_int = confint

    def _profile(self, entry: int, level: float) -> tuple[float, float]:
        """Return the profile interval of one kept coefficient."""
        optimum = self.optimum
        sign = 0.0
        if optimum.separation is not None:
            sign = optimum.separation.signs.reshape(-1)[entry]
            if np.isnan(sign):
                return np.nan, np.nan
        unit = self._units()[entry]
        lead = self._leads()[entry] / unit
        width = np.sqrt(self.covariance[entry, entry]) if sign == 0.0 else 1.0 / self._seen(entry)
        height = optimum.value if optimum.penalised is None else optimum.penalised
        fall = float(stats.norm.ppf(0.5 + level / 2.0))

        def side(way: float) -> float:
            if sign == way:
                return way * np.inf
            return unit * end(self._surface(), optimum.beta, height, lead, way, fall, width)

        return side(-1.0), side(1.0)

    def wald_test(self, what: Any, value: ArrayLike = 0.0) -> Test:
        """Test whether coefficients are jointly `value`, by their covariance.

        what: a name or names of coefficients ("age", ("general", "write") for a softmax, "race" for
        all levels of a category, "C(race):age" for a formula's term), or a matrix R of one column
        per coefficient: R params = value.
        """
        R = self._combinations(what)
        params = self.params.to_numpy()[self._kept_places()]
        params = np.where(self._known(), params, 0.0)  # R has none of the infinite ones
        unit = self._units()
        off = R @ params - np.broadcast_to(np.asarray(value, dtype=float), len(R))
        scaled = R * unit
        inverse = np.linalg.pinv(scaled @ self.covariance @ scaled.T, hermitian=True)
        df = int(np.linalg.matrix_rank(scaled / np.linalg.norm(scaled, axis=1, keepdims=True)))
        statistic = float(off @ inverse @ off)
        return Test("Wald", statistic, df, float(stats.chi2.sf(statistic, df)))

    def lr_test(self, smaller: Results | Any) -> Test:
        """Test against a smaller model by twice the difference of log-likelihoods.

        smaller: results of a model with fewer columns on the same rows, or the names of
        coefficients that are 0 there, which is then fitted here. An infinite estimate can be
        tested so too: the likelihood that it rises to is finite.
        """
        self._refuse_class_weight("a log-likelihood")
        if isinstance(smaller, Results):
            return self._lr_of_two(smaller)
        R = self._combinations(smaller, infinite=True)
        self._refuse_no_rows("lr_test by names")
        optimum = self.optimum
        leads = R @ self._leads() / np.linalg.norm(R @ self._leads(), axis=1, keepdims=True)
        with reproducible(self.n_jobs):
            top = maximise(self._surface(), optimum.beta, leads, np.zeros(len(leads)))
        height = optimum.value if optimum.penalised is None else optimum.penalised
        statistic = max(2.0 * (height - top.value), 0.0)
        df = int(np.linalg.matrix_rank(leads))
        return Test("likelihood ratio", statistic, df, float(stats.chi2.sf(statistic, df)))

    def _lr_of_two(self, smaller: Results) -> Test:
        if self.optimum.penalised is not None or smaller.optimum.penalised is not None:
            raise ValueError(
                "with firth=True the prior depends on the columns, so two fits do not compare; "
                "name the coefficients that are 0 in the smaller model: lr_test(['age', 'lwt'])."
            )
        df = self.n_estimates - smaller.n_estimates
        same = np.isclose(self.llnull, smaller.llnull, rtol=1e-9) and self.nobs == smaller.nobs
        if not same or df <= 0 or smaller.llf > self.llf + 1e-6:
            raise ValueError(
                f"the other model is not a smaller one on the same rows: it has {smaller.nobs:g} "
                f"rows, {smaller.n_estimates} estimates and log-likelihood {smaller.llf:.6g}, this "
                f"one {self.nobs:g}, {self.n_estimates} and {self.llf:.6g}."
            )
        statistic = max(2.0 * (self.llf - smaller.llf), 0.0)
        return Test("likelihood ratio", statistic, df, float(stats.chi2.sf(statistic, df)))

    # What estimates mean.

    def odds_ratios(self, level: float = 0.95, method: str = "wald") -> pd.DataFrame:
        """Return exp(estimate) with its interval: by what a unit multiplies the odds."""
        import pandas as pd

        with np.errstate(over="ignore"):
            ends = np.exp(self.confint(level, method))
            return pd.concat([np.exp(self.params).rename("odds ratio"), ends], axis=1)

    def marginal_effects(
        self, at: str = "overall", level: float = 0.95, dummy: bool = False
    ) -> pd.DataFrame:
        """Return what a unit of each column adds to probabilities, with delta-method errors.

        at: "overall", averaged over the rows, or "mean", at the mean row. Two classes: of the
        probability of the second; more: of every class, indexed by (class, name).
        dummy: for columns of 0 and 1 the change from 0 to 1 in place of the slope; for a level of a
        category the change from the baseline to it.
        """
        import pandas as pd

        _check_level(level)
        self._refuse_infinite("marginal effects")
        self._refuse_no_rows("marginal_effects")
        with reproducible(self.n_jobs):
            effect, error = effects.marginal_effects(self.optimum, self.covariance, at)
            if dummy and (changes := self._changes()):
                places = [change.place for change in changes]
                effect[:, places], error[:, places] = effects.discrete_changes(
                    self.optimum, self.covariance, at, changes
                )
        classes = list(self.account.classes)
        names = np.array(self.account.names, dtype=object)
        slopes = slice(int(self.account.intercept), None)
        full = np.full((2, len(classes), len(names)), np.nan)
        full[:, :, self.optimum.likelihood.scale.places] = effect, error
        full = full[:, :, slopes]
        index: pd.Index = pd.Index(names[slopes])
        if len(classes) == 2:
            full = full[:, 1:]
        else:
            index = pd.MultiIndex.from_product(
                [classes, names[slopes]], names=[self.account.target, None]
            )
        value, std = full.reshape(2, -1)
        return self._frame(value, std, index, "dy/dx", level)

    def predict(self, X: Any, level: float = 0.95, offset: ArrayLike | None = None) -> pd.DataFrame:
        """Return the probability of every class for rows X, with intervals: (class, column).

        Intervals are of the probability itself, not of an outcome: delta method on its logit.
        offset: of these rows, where the fit had one.
        """
        import pandas as pd

        _check_level(level)
        self._refuse_infinite("intervals of probabilities")
        if self.read is None:
            raise ValueError("these results know no columns; use model.inference(X, y).predict(X).")
        x, added = self.read(X, offset)
        half = float(stats.norm.ppf(0.5 + level / 2.0))
        found = np.empty((x.shape[0], len(self.account.classes), 3))
        for start in range(0, x.shape[0], PREDICTED_AT_ONCE):
            places = slice(start, start + PREDICTED_AT_ONCE)
            few, z = self._design(x[places]), None if added is None else added[places]
            found[places] = np.stack(
                effects.predicted(self.optimum, self.covariance, few, half, z), axis=2
            )
        heads = ["proba", f"[{(1.0 - level) / 2.0:.4g}", f"{(1.0 + level) / 2.0:.4g}]"]
        columns = pd.MultiIndex.from_product([list(self.account.classes), heads])
        return pd.DataFrame(found.reshape(len(found), -1), columns=columns)

    # Rows.

    def score_rows(self) -> Iterator[tuple[slice, Matrix]]:
        """Yield (rows, their weighted scores) in blocks; columns as in params, NA left out."""
        self._refuse_no_rows("score_rows")
        return influence.score_rows(self.optimum)

    def leverage(self) -> Vector:
        """Return every row's leverage, (n,); they sum to the number of estimates."""
        self._refuse_no_rows("leverage")
        with reproducible(self.n_jobs):
            return influence.leverage(self.optimum)

    def cooks_distance(self) -> Vector:
        """Return how far, (n,), the estimates move without each row, as Cook measured it."""
        self._refuse_no_rows("cooks_distance")
        with reproducible(self.n_jobs):
            return influence.cooks_distance(self.optimum)

    def influence(self) -> Iterator[tuple[slice, Matrix]]:
        """Yield (rows, changes of the estimates without each) in blocks; one Newton step."""
        self._refuse_no_rows("influence")
        return influence.influence(self.optimum)

    # Inside.

    def _changes(self) -> list[effects.Change]:
        """List the columns of 0 and 1, by place among the kept ones, intercept included."""
        likelihood = self.optimum.likelihood
        kept = [self.account.names[place] for place in likelihood.scale.places]
        together = {name: set(names) - {name} for names in self.account.levels for name in names}
        binary = likelihood.zero_or_one()
        return [
            effects.Change(place, tuple(kept.index(n) for n in together.get(name, ()) if n in kept))
            for place, name in enumerate(kept)
            if name in together or binary[place]
        ]

    def without_rows(self) -> Results:
        """Return the same without hold of the data, to be kept with a model."""
        return replace(self, optimum=self.optimum.without_rows())

    def _design(self, x: Any) -> Matrix:
        """Return the kept columns of some rows, a 1 first where there is an intercept."""
        x = x.toarray() if hasattr(x, "toarray") else np.asarray(x, dtype=np.float64)
        if self.account.intercept:
            x = np.hstack([np.ones((len(x), 1)), x])
        return x[:, self.optimum.likelihood.scale.places]

    def _surface(self) -> Surface:
        likelihood = self.optimum.likelihood
        return likelihood if self.optimum.penalised is None else FirthSurface(likelihood)

    def _leads(self) -> Matrix:
        """Return the kept coefficients as combinations of β, (m·p, m·p)."""
        likelihood = self.optimum.likelihood
        return np.kron(np.eye(likelihood.n_contrasts), likelihood.scale.matrix)

    def _seen(self, entry: int) -> float:
        return float(np.linalg.norm(self._leads()[entry] / self._units()[entry]))

    def _combinations(self, what: Any, infinite: bool = False) -> Matrix:
        """Return R over the kept coefficients, (q, m·p); infinite: whether estimates may be."""
        kept = self._kept_places()
        if isinstance(what, np.ndarray | list) and np.asarray(what).dtype.kind in "fiu":
            R = np.atleast_2d(np.asarray(what, dtype=float))
            if R.shape[1] != len(self.index):
                raise ValueError(
                    f"the matrix has {R.shape[1]} columns; it needs one for each of the "
                    f"{len(self.index)} coefficients, intercepts too."
                )
            chosen = np.flatnonzero((R != 0.0).any(axis=0))
        else:
            names = [what] if isinstance(what, str | tuple) else _listed(what)
            chosen = np.array([place for name in names for place in self._named(name)])
            R = np.eye(len(self.index))[chosen]
        known = kept if infinite else kept[self._known()]
        if not np.isin(chosen, known).all():
            bad = self.index[chosen[~np.isin(chosen, known)][0]]
            lr = "" if infinite or bad not in self.index[kept] else " by Wald's test; use lr_test"
            raise ValueError(f"{bad!r} has no finite estimate here, so it cannot be tested{lr}.")
        return R[:, kept]

    def _named(self, name: Any) -> Sequence[int]:
        """Return the places of a coefficient, of all levels of a category, or in every class."""
        entries = [e if isinstance(e, tuple) else (None, e) for e in self.index]
        label, plain = name if isinstance(name, tuple) else (None, name)
        of_class = [place for place, (c, _) in enumerate(entries) if label is None or c == label]
        exact = [place for place in of_class if entries[place][1] == plain]
        of_terms = dict(self.account.terms)
        of_term = of_terms.get(plain, ())
        levels = [
            place
            for place in of_class
            if entries[place][1] in of_term or entries[place][1].startswith(f"{plain}=")
        ]
        if not exact and not levels:
            raise ValueError(
                f"no coefficient is called {name!r}; there are "
                f"{', '.join(map(repr, dict.fromkeys((*self.account.names, *of_terms))))}."
            )
        return exact or levels

    def _refuse_no_rows(self, what: str) -> None:
        if not self.optimum.likelihood.has_rows:
            raise ValueError(
                f"{what} reads the rows again, and summary() keeps none; use "
                "model.inference(X, y), with the rows of the fit."
            )

    def _refuse_infinite(self, what: str) -> None:
        if self.separation is not None:
            raise ValueError(
                f"classes are separated and estimates infinite, so there are no {what}. Fit with "
                "firth=True, or leave out the columns that separate."
            )


def _listed(what: Any) -> list[Any]:
    try:
        return list(what)
    except TypeError:
        raise TypeError(
            f"{type(what).__name__} names no coefficients; give their names, or for a test against "
            "a smaller fit its results: lr_test(smaller.summary())."
        ) from None


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it is a number between 0 and 1, such as 0.95.")
