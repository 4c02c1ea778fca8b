"""What both classifiers share: a fitted network, asked for classes and probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from backpass.data.rows import Block
from backpass.estimators.inputs import dense, read_for_predict
from backpass.estimators.outputs import fewer_inputs
from backpass.network import Network
from backpass.trace import Trace


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with fitted `network_`, `theta_`, `classes_`, `encoding_` (None for arrays)."""

    network_: Network
    theta_: NDArray[np.float64]
    classes_: NDArray
    encoding_: Any

    def predict(self, X: Any) -> NDArray:
        """Predict the class of every row.

        Parameters
        ----------
        X : array, CSR matrix or table, (n_rows, n_features)

        Returns
        -------
        (n_rows,) array of class labels; multilabel: (n_rows, n_labels) of 0 and 1.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_log_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict probabilities, (n_rows, n_classes) in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict log-probabilities, from logits: right also where a probability is 0 or 1."""
        raise NotImplementedError

    def log_proba_of_block(self, block: Block) -> NDArray[np.float64]:
        """Predict log-probabilities of rows that are encoded already, in a block of any storage."""
        raise NotImplementedError

    def trace(self, X: Any, y: ArrayLike) -> Trace:
        """Run these rows forward and backward through the fitted network and keep every z and δ."""
        check_is_fitted(self)
        rows = read_for_predict(self, X)
        return self._traced(self.network_, self.theta_, rows, y, self._input_names())

    def _traced(
        self,
        network: Network,
        theta: NDArray[np.float64],
        rows: NDArray | sparse.csr_array,
        y: ArrayLike,
        names: tuple[str, ...] | None,
    ) -> Trace:
        """Trace rows as the network takes them. names: of their columns.

        Of free text the trace has the words that occur in these rows: all other inputs are 0, and
        so are their gradients. A note says how many are left out.
        """
        notes: tuple[str, ...] = ()
        if not isinstance(rows, np.ndarray):
            assert names is not None
            first, last = self.encoding_.mixed_columns.n_columns, len(self.encoding_.coef_names)
            absent = np.setdiff1d(np.arange(first, last), rows.indices)
            kept = np.setdiff1d(np.arange(len(names)), absent)
            network, theta = fewer_inputs(network, theta, kept)
            # SciPy 1.12 cuts columns only where both index arrays have one type, as made here.
            cut = sparse.csr_array((rows.data, rows.indices, rows.indptr), rows.shape)[:, kept]
            names, rows = tuple(names[place] for place in kept), dense(cut)
            notes = (
                f"{len(absent):,} words that do not occur in these rows are left out: their inputs "
                "are 0, and so are their gradients.",
            )
        trace = network.trace(theta, rows, self._targets(np.asarray(y)))
        labels = tuple(str(label) for label in self.classes_)
        notes = (*trace.notes, *notes)
        return replace(trace, feature_names=names, class_names=labels, notes=notes)

    def _input_names(self) -> tuple[str, ...] | None:
        """Name the columns that the network takes; None where X was an array."""
        names = getattr(self, "feature_names_in_", None)
        if self.encoding_ is not None:
            names = self.encoding_.coef_names
        return None if names is None else tuple(str(name) for name in names)

    def _targets(self, y: NDArray) -> NDArray:
        """Return labels as numbers 0 to n_classes - 1; ValueError for one not seen in the fit."""
        numbers = np.searchsorted(self.classes_, y)
        numbers = np.minimum(numbers, len(self.classes_) - 1)
        strange = self.classes_[numbers] != y
        if strange.any():
            row = int(strange.argmax())
            raise ValueError(
                f"y, row {row}: {y.tolist()[row]!r} is not one of the classes "
                f"{self.classes_.tolist()}."
            )
        return numbers

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
