"""`gap_` against optima in 50 digits, on a thousand random problems: never below the true gap.

Among them: weighted rows, columns scaled by 10^±4, collinear columns, separable classes, three
classes, L1. A fit is stopped early on purpose, at a random tolerance, so that gaps of all sizes
are compared.
"""

import warnings

import mpmath as mp
import numpy as np
import pytest

import backpass as bp

DIGITS = 50


class Problem:
    """∑ w loss + l2/2 ‖W‖² in 50 digits; parameters are k rows (weights, intercept), k - 1 free.

    Class 0 is the baseline of two classes. For more classes all have parameters; the curvature is
    singular along the common shift of the intercepts, which is held at 0 for the first class.
    """

    def __init__(self, X, y, weight, C):
        self.rows = [[mp.mpf(float(v)) for v in row] + [mp.mpf(1)] for row in X]
        self.y, self.k = y, max(int(y.max()) + 1, 2)
        self.weight = [mp.mpf(float(w)) for w in weight]
        self.l2 = mp.mpf(0) if np.isinf(C) else mp.mpf(1) / mp.mpf(C)
        self.d = X.shape[1]
        self.outputs = 1 if self.k == 2 else self.k

    def parameters(self, model):
        """Return a model's parameters, one list of d + 1 numbers per output."""
        return [
            [mp.mpf(float(v)) for v in (*coef, b)]
            for coef, b in zip(model.coef_, model.intercept_, strict=True)
        ]

    def value_gradient_curvature(self, theta, derivatives=True):
        size, p = self.outputs * (self.d + 1), self.d + 1
        value = self.l2 / 2 * mp.fsum(v * v for row in theta for v in row[:-1])
        grad, H = mp.zeros(size, 1), mp.zeros(size)
        for x, label, w in zip(self.rows, self.y, self.weight, strict=True):
            z = [mp.fdot(row, x) for row in theta]
            z = [mp.mpf(0), *z] if self.outputs == 1 else z
            top = max(z)
            powers = [mp.exp(v - top) for v in z]
            total = mp.fsum(powers)
            value += w * (mp.log(total) + top - z[label])
            if not derivatives:
                continue
            pi = [v / total for v in powers][-self.outputs :]
            own = label - (self.k - self.outputs)
            for a in range(self.outputs):
                delta = w * (pi[a] - (a == own))
                for i in range(p):
                    grad[a * p + i] += delta * x[i]
                for b in range(self.outputs):
                    bend = w * pi[a] * ((a == b) - pi[b])
                    for i in range(p):
                        for j in range(p):
                            H[a * p + i, b * p + j] += bend * x[i] * x[j]
        for a in range(self.outputs if derivatives else 0):
            for i in range(self.d):
                grad[a * p + i] += self.l2 * theta[a][i]
                H[a * p + i, a * p + i] += self.l2
        return value, grad, H

    def minimum(self, start):
        """Return the minimum by Newton steps from a start that is close in float64."""
        theta, p = start, self.d + 1
        for _ in range(12):
            value, grad, H = self.value_gradient_curvature(theta)
            if max(abs(g) for g in grad) < mp.mpf(10) ** (-DIGITS // 2 - 3):
                return value
            if self.outputs > 1:
                H[self.d, self.d] += 1  # the shift of the intercepts
            step = mp.lu_solve(H, grad)
            theta = [
                [v - step[a * p + i] for i, v in enumerate(row)] for a, row in enumerate(theta)
            ]
        raise AssertionError("the 50-digit minimum was not found")


def draw(seed):
    """Return X, y, weights and C of a random problem, and whether its classes are separable."""
    rng = np.random.default_rng([7, seed])
    kind = ("plain", "weighted", "scaled", "collinear", "separable", "three classes")[seed % 6]
    n_rows, d = int(rng.integers(10, 18)), int(rng.integers(1, 4))
    X = rng.normal(size=(n_rows, d))
    logit = 1.5 * X[:, 0] + rng.logistic(size=n_rows)
    y = (logit > 0.0).astype(int)
    weight, C = np.ones(n_rows), 10.0 ** rng.uniform(-2, 3)
    if kind == "weighted":
        weight = rng.integers(0, 4, n_rows) * rng.uniform(0.1, 3.0, n_rows)
        weight[:4] += 0.1
    elif kind == "scaled":
        X = X * 10.0 ** rng.uniform(-4, 4, d) + rng.normal(size=d)
    elif kind == "collinear":
        X = np.column_stack([X, X @ rng.normal(size=d)])
    elif kind == "separable":
        y = (X[:, 0] > np.median(X[:, 0])).astype(int)
        C = np.inf if seed % 12 < 6 else 1e4
    elif kind == "three classes":
        y = np.clip(np.round(X[:, 0] + rng.normal(size=n_rows)), -1, 1).astype(int) + 1
    n_classes = 3 if kind == "three classes" else 2
    y[:n_classes] = np.arange(n_classes)  # no class is empty
    if kind == "separable":
        X[0, 0], X[1, 0] = X[:, 0].min() - 1.0, X[:, 0].max() + 1.0
    return X, y, weight, C


def check(seed):
    """Fit a problem loosely, and return its bound, true gap and objective."""
    X, y, weight, C = draw(seed)
    tol = 10.0 ** np.random.default_rng([8, seed]).uniform(-9, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separable problems warn, and shall
        model = bp.LogisticRegression(C=C, tol=tol, max_iter=200).fit(X, y, sample_weight=weight)
        best = bp.LogisticRegression(C=C, tol=1e-14).fit(X, y, sample_weight=weight)
    with mp.workdps(DIGITS):
        problem = Problem(X, y, weight, C)
        value, _, _ = problem.value_gradient_curvature(problem.parameters(model), False)
        # complete separation: the infimum of the cost is 0, and nothing attains it
        least = mp.mpf(0) if np.isinf(C) else problem.minimum(problem.parameters(best))
        return model, float(value - least), float(value)


@pytest.mark.parametrize("hundred", range(10))
def test_the_gap_is_never_below_the_true_one(hundred):
    sharp = 0
    for seed in range(100 * hundred, 100 * hundred + 100):
        model, true, value = check(seed)
        # plus rounding: coef_ is the solver's point rounded once more, and a cost near 0 is a
        # sum of logarithms near 0
        rounding = 1e-15 * value + 1e-12 * true
        assert model.gap_ >= true - rounding, f"problem {seed}"
        assert model.objective_ == pytest.approx(value, rel=1e-12), f"problem {seed}"
        if model.converged_ and np.isfinite(model.C):
            assert model.gap_ <= model.tol * model.null_objective_
            sharp += model.gap_ <= 2.0 * true + 1e-12 * value
    assert sharp >= 60  # bounds within twice the truth, where the curvature gave them
