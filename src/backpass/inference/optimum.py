"""Where the likelihood is largest, and what is known there: the information, and what is amiss.

Three things may be amiss: columns that combine others, which are taken out; classes that are
separated, so that some estimates are infinite; an optimum that was not reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backpass.factor import Factor
from backpass.inference.aliasing import Aliases, find_aliases
from backpass.inference.firth import FirthSurface
from backpass.inference.likelihood import Likelihood
from backpass.inference.separation import Separation, find_separation
from backpass.inference.surface import maximise
from backpass.linear_objective import Evaluation, LinearObjective
from backpass.solvers.certificate import self_concordance_gap

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """β, (m, p), with the log-likelihood there, its gradient, and A, the inverse information.

    Where classes are separated, A is of the directions that the rows determine: right for the
    finite coefficients, without meaning for the others. penalised: the log-likelihood with Firth's
    prior, and penalised_null that of its maximum without columns; the gradient is of it, too.
    """

    likelihood: Likelihood
    beta: Matrix
    value: float
    gradient: Vector
    information: Matrix
    inverse: Matrix
    aliases: Aliases | None = None
    separation: Separation | None = None
    penalised: float | None = None
    penalised_null: float = np.nan

    @property
    def decrement(self) -> float:
        """Return the Newton decrement: how far off β is, in standard errors."""
        squared = float(self.gradient @ self.inverse @ self.gradient)
        return float(np.sqrt(max(squared, 0.0)))

    def without_rows(self) -> Optimum:
        """Return the same without hold of the data."""
        return replace(self, likelihood=self.likelihood.without_rows())


def examine(
    objective: LinearObjective, u: Vector, base: int, exists: bool, here: Evaluation | None = None
) -> Optimum:
    """Find out all about the optimum near u. exists: whether one is proven to exist.

    here: an evaluation at u with its curvature, where there is one.
    """
    if here is None:
        here = objective.evaluate(u, curvature=True)
    likelihood = Likelihood(objective, base)
    beta = likelihood.contrasts(u)
    value, gradient, information = likelihood.of_evaluation(here)
    aliases = None
    factor = Factor(information)
    if not factor.full_rank:
        aliases = find_aliases(likelihood)
        if aliases.aliased.size:
            likelihood, beta = likelihood.keeping(aliases.kept), aliases.moved(beta)
            value, gradient, information = likelihood.of_evaluation(here)
            factor = Factor(information)
        else:
            aliases = None
    separation = None
    if not (exists or _exists(objective, here)):
        separation = find_separation(likelihood, beta)
    inverse = factor.inverse() if separation is None else _determined(information, separation)
    return Optimum(likelihood, beta, value, gradient, information, inverse, aliases, separation)


def examine_firth(objective: LinearObjective, u: Vector, base: int) -> Optimum:
    """Find out all about the maximum with Jeffreys' prior near u; it always exists."""
    likelihood, aliases = Likelihood(objective, base), None
    beta = likelihood.contrasts(u)
    found = find_aliases(likelihood)
    if found.aliased.size:
        aliases, likelihood, beta = found, likelihood.keeping(found.kept), found.moved(beta)
    surface = FirthSurface(likelihood)
    penalised, gradient, information = surface.evaluate(beta)
    value = likelihood.evaluate(beta)[0]
    slopes = likelihood.slopes()
    null = maximise(surface, np.zeros_like(beta), slopes, np.zeros(len(slopes))).value
    inverse = Factor(information).inverse()
    return Optimum(
        likelihood,
        beta,
        value,
        gradient,
        information,
        inverse,
        aliases,
        penalised=penalised,
        penalised_null=null,
    )


def _exists(objective: LinearObjective, here: Evaluation) -> bool:
    """Tell whether a curvature proves that the likelihood has a maximum."""
    with np.errstate(all="ignore"):  # at a singular curvature the bound is infinite or nan
        bound, _ = self_concordance_gap(objective, here, here, objective.factor(here))
    return bool(np.isfinite(bound))


def _determined(information: Matrix, separation: Separation) -> Matrix:
    """Invert the information on the directions that no separation leaves free.

    Along the free ones the limit of the information is 0; at the last iterate it is a remnant of
    1e-14, whose inverse would drown all else. It is projected out, and the mean of the diagonal put
    there, which changes no finite coefficient's entry.
    """
    free = separation.free
    within = np.eye(len(information)) - free @ free.T
    filled = within @ information @ within + np.diag(information).mean() * (free @ free.T)
    return Factor(filled).inverse()
