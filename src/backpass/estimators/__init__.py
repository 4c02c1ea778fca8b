"""Estimators: scikit-learn's interface to networks; they check labels, build, fit and report.

Each is imported when it is first asked for: a regression need not wait for the trainer's imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "LogisticRegression": "logistic",
    "LogisticRegressionCV": "logistic_cv",
    "MLPClassifier": "mlp",
}
__all__ = ["LogisticRegression", "LogisticRegressionCV", "MLPClassifier"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'backpass.estimators' has no attribute '{name}'")
    return getattr(import_module(f"backpass.estimators.{_HOMES[name]}"), name)


if TYPE_CHECKING:
    from backpass.estimators.logistic import LogisticRegression
    from backpass.estimators.logistic_cv import LogisticRegressionCV
    from backpass.estimators.mlp import MLPClassifier
