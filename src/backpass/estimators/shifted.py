"""A fitted model with the offset of some rows: it predicts them for who knows of no offset."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin


class Shifted(ClassifierMixin, BaseEstimator):
    """What a scorer is given in place of the model where rows have an offset.

    scikit-learn's scorers call predict_proba(X) with these rows and no more. All else is the
    model's own.
    """

    def __init__(self, model: Any, offset: NDArray) -> None:
        self.model = model
        self.offset = offset

    def decision_function(self, X: Any) -> NDArray:
        """Return logits with the offset."""
        return self.model.decision_function(X, self.offset)

    def predict(self, X: Any) -> NDArray:
        """Predict classes with the offset."""
        return self.model.predict(X, self.offset)

    def predict_proba(self, X: Any) -> NDArray:
        """Predict probabilities with the offset."""
        return self.model.predict_proba(X, self.offset)

    def predict_log_proba(self, X: Any) -> NDArray:
        """Predict log-probabilities with the offset."""
        return self.model.predict_log_proba(X, self.offset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["model"], name)
