"""What scikit-learn's MLPClassifier tells of its layers, asked of a network and θ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from backpass.estimators.outputs import BINARY
from backpass.estimators.stack import stack_parameters
from backpass.network import Network


class StackAttributes:
    """Attributes of MLPClassifier that are computed where they are asked for."""

    network: Network | Callable[[int, int], Network] | None
    network_: Network
    theta_: NDArray[np.float64]
    classes_: NDArray
    _multilabel: bool

    @property
    def coefs_(self) -> list[NDArray[np.float64]]:
        """Weights per layer, (n_in, n_out) as in scikit-learn."""
        return self._stack_parameters("coefs_")[0]

    @property
    def intercepts_(self) -> list[NDArray[np.float64]]:
        """Biases per layer, (n_out,)."""
        return self._stack_parameters("intercepts_")[1]

    def _stack_parameters(self, asked: str) -> tuple[list[NDArray], list[NDArray]]:
        if not hasattr(self, "theta_"):
            raise AttributeError(f"{asked} is there after fit.")
        if self.network is not None:
            raise AttributeError(
                f"{asked} is not defined for a network of your own; use model.network_.parameters("
                "model.theta_)."
            )
        return stack_parameters(self.network_, self.theta_)

    @property
    def n_layers_(self) -> int:
        """Number of layers of units, the input and the outputs included."""
        return len(self.coefs_) + 1

    @property
    def n_outputs_(self) -> int:
        """Number of values that enter the loss."""
        check_is_fitted(self, "theta_")
        binary = len(self.classes_) == 2 and isinstance(self.network_.loss, BINARY)
        return 1 if binary and not self._multilabel else len(self.classes_)

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the last logits: "logistic" or "softmax"."""
        check_is_fitted(self, "theta_")
        return "logistic" if isinstance(self.network_.loss, BINARY) else "softmax"
