"""What a fitted LogisticRegression says of rows: logits first, and all else from them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from backpass.data.rows import Block
from backpass.estimators.base import NetworkClassifier
from backpass.estimators.beside import COUNTED, are_counts, read_counts, read_offset, trials
from backpass.estimators.inputs import check_lengths, is_plain, read_for_predict
from backpass.estimators.minimum import own_network
from backpass.formula import Design
from backpass.trace import Trace


class Predictions(NetworkClassifier):
    """Methods of LogisticRegression. offset: what is added to the logits, see `fit`.

    A model that was fitted with one refuses to predict without: offset=0 says that none is meant.
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    has_offset_: bool = False

    def decision_function(self, X: Any, offset: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return logits: (n_rows,) for two classes, of the second; (n_rows, n_classes) for more."""
        if "coef_" not in self.__dict__:  # the check itself takes as long as a row's prediction
            check_is_fitted(self)
        rows = X if is_plain(self, X) else read_for_predict(self, X, in_blocks=True)
        return self._logits(rows, self._offset_of(X, rows.shape[0], offset))

    def _logits(self, rows: Any, added: NDArray | None = None) -> NDArray[np.float64]:
        """Return the logits of an array, a CSR matrix, rows or a block of them, plus an offset."""
        logits = rows @ self.coef_.T + self.intercept_
        if added is not None:
            logits += added
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: Any, offset: ArrayLike | None = None) -> NDArray:
        """Predict the class of every row of X, (n_rows, n_features); returns (n_rows,) labels."""
        check_is_fitted(self)
        return self.classes_[self.predict_log_proba(X, offset).argmax(axis=1)]

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> NDArray[np.float64]:
        """Predict probabilities, (n_rows, n_classes) in the order of `classes_`."""
        logits = self.decision_function(X, offset)
        if logits.ndim > 1:
            return softmax(logits, axis=1)
        both = np.empty((len(logits), 2))
        expit(-logits, out=both[:, 0])
        expit(logits, out=both[:, 1])
        return both

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> NDArray[np.float64]:
        """Predict log-probabilities, from logits: right also where a probability is 0 or 1."""
        return _log_proba(self.decision_function(X, offset))

    def log_proba_of_block(self, block: Block, added: NDArray | None = None) -> NDArray[np.float64]:
        """Predict log-probabilities of rows that are encoded already; added: to their logits."""
        if (self.has_offset_ and added is None) or isinstance(self.encoding_, Design):
            raise ValueError(
                "the model was fitted with an offset or a formula, for which encoded rows have no "
                "place; predict from the table."
            )
        return _log_proba(self._logits(block, added))

    def score(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """Return the share of rows that are predicted right, by weight; of counts, of trials.

        y: labels or counts; None where a formula's left side says what they are.
        """
        labels, predicted = known_y(self, X, y), self.predict(X, offset)
        if isinstance(labels, np.ndarray) and are_counts(labels):
            check_lengths(predicted, labels, sample_weight)
            rows, labels, sample_weight = trials(labels, sample_weight)
            predicted = predicted[rows]
        return float(accuracy_score(labels, predicted, sample_weight=sample_weight))

    def trace(self, X: Any, y: ArrayLike, offset: ArrayLike | None = None) -> Trace:
        """Run these rows forward and backward through the fitted network and keep every z and δ.

        An offset is shown as what it is: a column whose coefficient is 1.
        """
        check_is_fitted(self)
        rows = read_for_predict(self, X)
        added = self._offset_of(X, rows.shape[0], offset)
        if added is None:
            return self._traced(self.network_, self.theta_, rows, y, self._input_names())
        k, d = self.coef_.shape
        bias = len(self.theta_) > k * d
        network = own_network(d + k, k, bias)
        parts = {"0.weight": np.hstack([self.coef_, np.eye(k)])}
        theta = network.flatten(parts | ({"0.bias": self.intercept_} if bias else {}))
        names = self._input_names() or tuple(f"x{j}" for j in range(d))
        of = ["offset"] if k == 1 else [f"offset of {label}" for label in self.classes_]
        both = partial(sparse.hstack, format="csr") if sparse.issparse(rows) else np.hstack
        return self._traced(network, theta, both([rows, added]), y, (*names, *of))

    def _offset_of(self, X: Any, n_rows: int, offset: ArrayLike | None) -> NDArray | None:
        """Return what is added to the logits, (n_rows, n_outputs); None for nothing.

        It is the offset of the formula, which X holds, and that of the call.
        """
        if offset is None and self.has_offset_:
            raise ValueError(
                "the model was fitted with an offset, on which its predictions depend; give "
                "offset=, one per row, or offset=0 to predict without."
            )
        own = self.encoding_.offset(X) if isinstance(self.encoding_, Design) else None
        if own is not None:
            offset = own if offset is None else own + np.asarray(offset, dtype=np.float64)
        return None if offset is None else read_offset(offset, n_rows, len(self.classes_))


def known_y(model: Any, X: Any, y: Any) -> Any:
    """Return y as it was given, counts as numbers, or what a formula's left side says of X."""
    design = model.encoding_
    if y is None and isinstance(design, Design) and design.y:
        y = design.labels(X)
    if y is None:
        raise ValueError("score needs y, the labels of the rows of X.")
    counted = np.array_equal(model.classes_, COUNTED) and are_counts(y)
    return read_counts(y, both=False) if counted else y


def _log_proba(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    if logits.ndim > 1:
        return log_softmax(logits, axis=1)
    both = np.empty((len(logits), 2))
    log_expit(-logits, out=both[:, 0])
    log_expit(logits, out=both[:, 1])
    return both
