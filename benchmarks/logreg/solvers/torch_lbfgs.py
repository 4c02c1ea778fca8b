"""torch.optim.LBFGS with strong Wolfe line search: full batch, float64, gradient by autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..objective import Coefficients
from .base import Solver, growing


class TorchLBFGS(Solver):
    """(∑ losses + ‖w‖²/2C) / n, its own stopping tolerances off, so the cap on iterations decides.

    Divided by n because the first step is 1/‖gradient‖₁ at most; the sum needs twice the time.
    """

    name = "torch LBFGS"
    packages = ("torch",)
    knob = "max_iter"
    ladder = growing(3, 50_000)
    strict = 2_000.0

    def prepare(self, X: Any, y: NDArray, C: float, weight: NDArray | None = None) -> None:
        import torch

        super().prepare(X, y, C, weight)
        if sp.issparse(X):
            self.rows = torch.sparse_csr_tensor(
                torch.from_numpy(X.indptr),
                torch.from_numpy(X.indices),
                torch.from_numpy(X.data),
                X.shape,
            )
        else:
            self.rows = torch.from_numpy(np.ascontiguousarray(X))
        self.n_outputs = 1 if y.max() == 1 else int(y.max()) + 1
        self.labels = torch.from_numpy(y.astype(np.float64 if self.n_outputs == 1 else np.int64))
        self.weights = None if weight is None else torch.from_numpy(weight)
        self.total = float(len(y) if weight is None else weight.sum())

    def fit(self, rung: float) -> None:
        import torch

        W = torch.zeros(self.n_outputs, self.X.shape[1], dtype=torch.float64, requires_grad=True)
        b = torch.zeros(self.n_outputs, dtype=torch.float64, requires_grad=True)
        cap = int(rung)
        optimiser = torch.optim.LBFGS(
            [W, b],
            max_iter=cap,
            max_eval=25 * cap,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
        self.passes = 0.0

        def closure():
            optimiser.zero_grad()
            cost = self._cost(self.rows @ W.T + b)
            if np.isfinite(self.C):
                cost = cost + (W * W).sum() / (2.0 * self.C)
            cost = cost / self.total
            cost.backward()
            self.passes += 1.0
            return cost

        optimiser.step(closure)
        self.found = W, b

    def _cost(self, logits):
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        reduction = "sum" if self.weights is None else "none"
        if self.n_outputs == 1:
            losses = binary_cross_entropy_with_logits(
                logits[:, 0], self.labels, reduction=reduction
            )
        else:
            losses = cross_entropy(logits, self.labels, reduction=reduction)
        return losses if self.weights is None else self.weights @ losses

    def coefficients(self) -> Coefficients:
        W, b = self.found
        return Coefficients(W.detach().numpy().copy(), b.detach().numpy().copy())


SOLVER = TorchLBFGS()
