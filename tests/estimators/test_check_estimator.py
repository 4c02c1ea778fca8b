"""scikit-learn's own checks of an estimator: all of them, no expected failures."""

import warnings

import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import estimator_checks_generator

import backpass as bp

CHECKS = [
    pytest.param(model, check, id=f"{type(model).__name__}-{place}-{check.func.__name__}")
    for estimator in (bp.LogisticRegression(), bp.LogisticRegressionCV(), bp.MLPClassifier())
    for place, (model, check) in enumerate(estimator_checks_generator(estimator, legacy=True))
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sklearn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check(estimator)
