"""Classes that a linear rule tells apart: the likelihood then has no maximum, estimates run off.

Row i of class y allows a direction b if x̃ᵢᵀ(b_y - b_c) >= 0 for every other class c. Along a
direction that every row allows the likelihood never falls, and if some row's inequality is strict,
it rises for ever. So the question is one about the cone of the inequalities, and a linear program
answers it: max ∑ t over pairs (i, c), 0 <= t <= 1, with t <= x̃ᵢᵀ(b_y - b_c). At its solution t is 1
at exactly the pairs that some allowed direction separates, all of them at once, since b may be as
long as it likes and allowed directions may be added.

A coefficient is finite if and only if it is 0 in every direction that the pairs that are not
separated leave free. Source: Albert & Anderson (1984); Konis (2007).

The program sees some pairs only, those nearest to being violated. Then one visit of all rows
checks its direction in float64, and names pairs that it must see too. So a data set of any size is
decided in a few visits, and what is reported was checked on every row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import svd
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

from backpass.inference.likelihood import Likelihood
from backpass.inference.seen import Seen

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
PAIRS_AT_ONCE = 2000  # that a program sees at first, and that each visit may add
PAIRS_A_PARAMETER = 20  # at first, where that is more
ZERO = 1e-9  # of a pair's margin over the lengths of x̃ and b; rounding leaves some 1e-14
TOLERANCE = 1e-7  # of the program
FAR = 10.0 * TOLERANCE  # how far a coefficient has to go, of a direction in [-1, 1], to count
MOST_DIRECTIONS = 50  # that may be free where signs are looked for


class SeparationWarning(ConvergenceWarning):
    """Classes are separated: maximum-likelihood estimates are infinite."""


@dataclass(frozen=True)
class Separation:
    """What is separated, and which way.

    free: orthonormal basis of the directions that no determined pair opposes, (m·p, ·).
    direction: (m, p) of x̃, an allowed one that separates every pair that can be.
    signs: (m, p) of the given columns, intercept first: 0 for a finite coefficient, ±1 for one at
    ±infinity, nan where allowed directions have both signs.
    complete: whether all pairs are separated. n_rows: how many rows have a separated pair, and
    rows: which; empty where results are kept without rows.
    better_base: the place of a base class against which more contrasts are finite; None for none.
    """

    free: Matrix
    direction: Matrix
    signs: Matrix
    complete: bool
    n_rows: int
    rows: NDArray[np.intp]
    better_base: int | None = None


@dataclass(frozen=True)
class Pairs:
    """Pairs (row, other class) as inequalities a · b >= 0, a of unit length, (n, m·p)."""

    row: NDArray[np.intp]
    other: NDArray[np.intp]
    a: Matrix

    def joined(self, more: Pairs) -> Pairs:
        return Pairs(
            np.concatenate([self.row, more.row]),
            np.concatenate([self.other, more.other]),
            np.vstack([self.a, more.a]),
        )


def find_separation(likelihood: Likelihood, beta: Matrix) -> Separation | None:
    """Decide whether classes are separated; β: where a fit ended, a hint. None if they are not."""
    pairs = _hardest(likelihood, beta)
    while True:
        direction = _program(pairs)
        separated = pairs.a @ direction > 0.5
        free = _null_space(pairs.a[~separated], likelihood.n_parameters)
        if not free.shape[1]:
            return None
        # What the program left of the pairs that it could not separate is its tolerance, 1e-7.
        direction = free @ (free.T @ direction) if separated.any() else np.zeros(len(direction))
        found = _check(likelihood, pairs, direction, free)
        if found.needed is None:
            break
        pairs = pairs.joined(found.needed)
    if not found.rows.size:
        return None
    signs = _signs(likelihood, pairs, direction, free)
    shape = (likelihood.n_contrasts, likelihood.n_columns)
    better = _better_base(free.reshape(*shape, -1))
    count = len(found.rows)
    return Separation(
        free, direction.reshape(shape), signs, found.complete, count, found.rows, better
    )


def _program(pairs: Pairs) -> Vector:
    """Return the direction that separates most pairs, (m·p,), by the linear program."""
    n, size = pairs.a.shape
    cost = np.concatenate([np.zeros(size), -np.ones(n)])
    left = sparse.hstack([sparse.csr_matrix(-pairs.a), sparse.eye_array(n)], format="csr")
    bounds = np.vstack([np.tile([-np.inf, np.inf], (size, 1)), np.tile([0.0, 1.0], (n, 1))])
    answer = linprog(cost, A_ub=left, b_ub=np.zeros(n), bounds=bounds, method="highs")
    if answer.x is None:
        raise ArithmeticError(
            f"the linear program that looks for separated classes ended with: {answer.message} "
            "Use a finite C, or firth=True."
        )
    return answer.x[:size]


def _null_space(a: Matrix, size: int) -> Matrix:
    """Return an orthonormal basis, (size, ·), of the directions b with a · b = 0 for all rows."""
    if not len(a):
        return np.eye(size)
    _, values, right = svd(np.linalg.qr(a, mode="r"), full_matrices=True)
    values = np.concatenate([values, np.zeros(size - len(values))])
    return right[values <= max(len(a), size) * 2e-15 * values[0]].T


@dataclass(frozen=True)
class Check:
    """What a visit of all rows found. needed: pairs that the program has to see, None for none."""

    needed: Pairs | None
    rows: NDArray[np.intp]
    complete: bool


def _check(
    likelihood: Likelihood, pairs: Pairs, direction: Vector, free: Matrix, zero: float = ZERO
) -> Check:
    """Hold a direction against every row.

    A pair has to be seen if it is violated, or if it is not separated and yet opposes a direction
    that the pairs seen leave free: some allowed direction may separate it.
    """
    shape = (likelihood.n_contrasts, likelihood.n_columns)
    b, length = direction.reshape(shape), max(float(np.linalg.norm(direction)), 1e-300)
    known = set(zip(pairs.row.tolist(), pairs.other.tolist(), strict=True))
    rows, found, worst, complete = [], [], [], True
    for seen in likelihood.stream(np.zeros(shape)):
        margin, norms = margins(seen, b), _norms(seen)
        counted = seen.counted
        level = zero * length * norms
        above = counted & (margin > level)
        rows.append(seen.places.start + np.flatnonzero(above.any(axis=1)))
        complete &= bool(above.sum() == counted.sum())
        badness = np.where(counted & (margin < -level), 1.0 - margin / (length * norms), 0.0)
        flat = counted & ~above & (margin >= -level)
        if flat.any():
            opposed = np.zeros(margin.shape)
            for v in free.T:
                opposed = np.maximum(opposed, np.abs(margins(seen, v.reshape(shape))))
            badness = np.where(flat & (opposed > 1e-7 * norms), opposed / norms, badness)
        place, other = np.nonzero(badness)
        new = [
            (seen.places.start + int(i), int(c)) not in known
            for i, c in zip(place, other, strict=True)
        ]
        place, other = place[new], other[new]
        most = np.argsort(-badness[place, other], kind="stable")[:PAIRS_AT_ONCE]
        if most.size:
            found.append(_written_out(seen, place[most], other[most]))
            worst.append(badness[place[most], other[most]])
    if not found:
        return Check(None, np.concatenate(rows), complete)
    every = found[0]
    for more in found[1:]:
        every = every.joined(more)
    most = np.argsort(-np.concatenate(worst), kind="stable")[:PAIRS_AT_ONCE]
    return Check(Pairs(every.row[most], every.other[most], every.a[most]), np.empty(0, int), False)


def _hardest(likelihood: Likelihood, beta: Matrix) -> Pairs:
    """Return the pairs nearest to being violated at β, and some of all rows."""
    total = likelihood.n_rows * likelihood.n_contrasts
    most = max(PAIRS_AT_ONCE, PAIRS_A_PARAMETER * likelihood.n_parameters)
    made: Pairs | None = None
    n_blocks = max(-(-total // most), 1)
    for seen in likelihood.stream(beta):
        counted = seen.counted
        margin = np.where(counted, margins(seen, beta), np.inf)
        place, other = np.nonzero(counted)
        if n_blocks > 1:
            share = max(most * len(place) // total, 1)
            hard = np.argsort(margin[place, other], kind="stable")[: share // 2 + 1]
            spread = np.arange(0, len(place), max(2 * len(place) // share, 1))
            chosen = np.union1d(hard, spread)
            place, other = place[chosen], other[chosen]
        here = _written_out(seen, place, other)
        made = here if made is None else made.joined(here)
    assert made is not None
    return made


def margins(seen: Seen, b: Matrix) -> Matrix:
    """Return x̃ᵀ(b_y - b_c) for every row and class c, (n, k)."""
    logits = np.zeros_like(seen.proba)
    logits[:, 1:] = seen.wide @ b.T
    return np.take_along_axis(logits, seen.own, axis=1) - logits


def _norms(seen: Seen) -> Matrix:
    """Return the length of every pair's inequality, (n, k)."""
    length = np.linalg.norm(seen.wide, axis=1)[:, None]
    both = (seen.own > 0) & (np.arange(seen.proba.shape[1]) > 0)
    return np.where(both, np.sqrt(2.0), 1.0) * np.where(length > 0.0, length, 1.0)


def _written_out(seen: Seen, place: NDArray[np.intp], other: NDArray[np.intp]) -> Pairs:
    p = seen.wide.shape[1]
    a = np.zeros((len(place), seen.proba.shape[1], p))
    x = seen.wide[place] / _norms(seen)[place, other][:, None]
    rows = np.arange(len(place))
    a[rows, seen.own[place, other]] = x
    a[rows, other] = -x
    return Pairs(seen.places.start + place, other, a[:, 1:].reshape(len(place), -1))


def _signs(likelihood: Likelihood, pairs: Pairs, direction: Vector, free: Matrix) -> Matrix:
    """Return where each coefficient of the given columns goes: 0, ±1, or nan for either way."""
    m, p = likelihood.n_contrasts, likelihood.n_columns
    T = likelihood.scale.matrix
    leads = np.kron(np.eye(m), T / np.linalg.norm(T, axis=1, keepdims=True))
    moves = leads @ free
    length = np.linalg.norm(moves, axis=1)
    fixed = length <= TOLERANCE
    signs = np.zeros(m * p)
    if free.shape[1] == 1:  # the signs of one direction are those of all
        signs[~fixed] = np.sign(leads @ direction)[~fixed]
    elif free.shape[1] > MOST_DIRECTIONS:
        signs[~fixed] = np.nan
    else:
        ways = moves[~fixed] / length[~fixed, None]
        signs[~fixed] = _signs_in_cone(likelihood, pairs, free.T @ direction, free, ways)
    return signs.reshape(m, p)


def _better_base(free: NDArray[np.float64]) -> int | None:
    """Return the class against which most contrasts are finite, if more than against the base."""
    whole = np.concatenate([np.zeros_like(free[:1]), free])
    apart = np.abs(whole[:, None] - whole[None, :]).max(axis=(2, 3))
    finite = (apart <= 1e-7).sum(axis=1)
    best = int(finite.argmax())
    return best if finite[best] > finite[0] else None


def _signs_in_cone(
    likelihood: Likelihood, pairs: Pairs, known: Vector, free: Matrix, ways: Matrix
) -> Vector:
    """Return the sign that each of `ways` · c has in all allowed directions free · c, nan for both.

    An allowed direction is 0 on every pair that is not separated, so it is a combination of the few
    free ones, and the program that finds how far ways · c can go has as few unknowns. It sees some
    pairs, so what it finds is held against all rows. Each direction found settles what it can of
    all coefficients; `known` is the first.
    """
    nothing = np.zeros((likelihood.n_parameters, 0))
    cone = _distinct(pairs.a @ free)
    reach = ways @ known / max(float(np.abs(known).max()), 1e-300)
    seen = {1.0: reach > FAR, -1.0: reach < -FAR}
    for place, lead in enumerate(ways):
        for way in (1.0, -1.0):
            while not seen[way][place]:
                zeros = np.zeros(len(cone))
                answer = linprog(-way * lead, A_ub=-cone, b_ub=zeros, bounds=(-1.0, 1.0))
                if answer.x is None:
                    seen[way][place] = True  # not known to be impossible
                    break
                if way * lead @ answer.x <= FAR:
                    break
                there = _check(likelihood, pairs, free @ answer.x, nothing, FAR)
                if there.needed is not None:
                    pairs = pairs.joined(there.needed)
                    cone = _distinct(pairs.a @ free)
                    continue
                reach = ways @ answer.x
                seen = {1.0: seen[1.0] | (reach > FAR), -1.0: seen[-1.0] | (reach < -FAR)}
    up, down = seen[1.0], seen[-1.0]
    return np.where(up == down, np.nan, np.where(up, 1.0, -1.0))


def _distinct(rows: Matrix) -> Matrix:
    """Return each direction among the rows once, at unit length; many rows are alike."""
    length = np.linalg.norm(rows, axis=1)
    some = length > TOLERANCE
    return np.unique(np.round(rows[some] / length[some, None], 12) + 0.0, axis=0)
