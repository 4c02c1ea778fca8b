"""Firth's bias reduction: the likelihood with Jeffreys' prior, whose maximum always exists.

The prior is |I(β)|^½. Its logarithm pulls row i's logits by ∂/∂z ½ log|I| = S (½ diag(V) - V π):
π the row's probabilities, S = diag(π) - π πᵀ, and V_ab = x̃ᵀ (I⁻¹)_ab x̃ of its leverage. For two
classes that is h (½ - π), h the leverage, as in Firth (1993); for more it follows from the third
derivatives of a softmax (Kosmidis & Firth 2011), over contrasts, and no base class is preferred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from backpass.inference.aliasing import find_aliases
from backpass.inference.likelihood import Likelihood
from backpass.inference.seen import Seen
from backpass.inference.surface import Top, maximise
from backpass.linear_objective import LinearObjective

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class FirthSurface:
    """log l(β) + ½ log |I(β)|, with I by the coefficients of the given columns; two passes."""

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood
        _, logarithm = np.linalg.slogdet(likelihood.scale.matrix)
        self._shift = likelihood.n_contrasts * float(logarithm)

    def evaluate(self, beta: Matrix) -> tuple[float, Vector, Matrix]:
        """Return the value, its gradient and the information at β."""
        value, gradient, information = self.likelihood.evaluate(beta)
        unit = np.sqrt(np.maximum(np.diag(information), 1e-300))
        try:
            factor = cho_factor(information / np.outer(unit, unit), lower=True)
        except LinAlgError:
            raise FloatingPointError("the information is singular") from None
        logarithm = 2.0 * float(np.log(np.diag(factor[0])).sum() + np.log(unit).sum())
        inverse = cho_solve(factor, np.eye(len(unit))) / np.outer(unit, unit)

        def part(seen: Seen) -> tuple[NDArray, ...]:
            pull = prior_pull(seen, inverse) * seen.weight[:, None]
            return (pull.T @ seen.wide,)

        (prior,) = self.likelihood.visit(beta, part, self.likelihood.form_floats)
        penalised = value + 0.5 * logarithm - self._shift
        return penalised, gradient + prior.reshape(-1), information


def prior_pull(seen: Seen, inverse: Matrix) -> Matrix:
    """Return ∂/∂z of ½ log |I| by each row's logits, (n, m)."""
    V, pi, S = seen.forms(inverse), seen.proba[:, 1:], seen.bend
    half = 0.5 * np.einsum("iaa->ia", V) - np.einsum("iab,ib->ia", V, pi)
    return np.einsum("iab,ib->ia", S, half)


def fit(objective: LinearObjective, start: Vector) -> tuple[Vector, Top]:
    """Maximise from the objective's u; return its u there, and the point itself.

    Columns that combine others get the coefficient 0: with them the information is singular.
    """
    likelihood = Likelihood(objective)
    aliases = find_aliases(likelihood)
    beta = likelihood.contrasts(start)
    if aliases.aliased.size:
        likelihood, beta = likelihood.keeping(aliases.kept), aliases.moved(beta)
    nothing = np.zeros((0, likelihood.n_parameters))
    top = maximise(FirthSurface(likelihood), beta, nothing, np.zeros(0))
    return likelihood.objective_place(top.beta), top
