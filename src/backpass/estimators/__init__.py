"""Estimators: scikit-learn's interface to networks; they check labels, build, fit and report."""

from backpass.estimators.logistic import LogisticRegression
from backpass.estimators.mlp import MLPClassifier

__all__ = ["LogisticRegression", "MLPClassifier"]
