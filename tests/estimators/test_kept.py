"""What `summary()` says of a model from a file is what it said of the fitted one."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import backpass as bp
from backpass.inference.estimates import Account
from backpass.inference.kept import ACCOUNT


def drawn(n_classes=2, n=120):
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "age": rng.normal(40.0, 9.0, n),
            "place": rng.choice(["east", "north", "west"], n),
            "member": rng.random(n) < 0.4,
        }
    )
    age = table[["age"]].to_numpy() - 40.0
    score = rng.normal(size=(n, n_classes)) + 0.03 * age * np.arange(n_classes)
    return table, pd.Series(np.array(["a", "b", "c"])[score.argmax(axis=1)], name="choice")


def numbers(table):
    return table[["age", "member"]].to_numpy(float)


def with_alias(table):
    return table.assign(twice=2.0 * table["age"] + 1.0)


def separated(table, y):
    return table.assign(tells=(y == "b") & (np.arange(len(y)) % 3 == 0))


def case(name):
    """Return a model, X and y to fit, and rows to predict."""
    mle = bp.LogisticRegression(C=np.inf)
    table, y = drawn()
    if name == "table":
        return mle, table, y
    if name == "aliased":
        return mle, with_alias(table), y
    if name == "separated":
        return mle, separated(table, y), y
    if name == "completely separated":
        return mle, table.assign(tells=(y == "b").astype(float)), y
    if name == "array":
        return mle, numbers(table), y
    if name == "without an intercept":
        return bp.LogisticRegression(C=np.inf, fit_intercept=False), numbers(table), y
    if name == "Firth":
        return bp.LogisticRegression(C=np.inf, firth=True), separated(table, y), y
    if name == "class weights":
        return bp.LogisticRegression(C=np.inf, class_weight={"a": 2.0}), table, y
    if name == "other baselines":
        reference = {"place": "west", "choice": "b"}
        return bp.LogisticRegression(C=np.inf, reference=reference), table, y
    if name == "penalised table":
        return bp.LogisticRegression(standardize=True), table, y
    if name == "penalised array":
        return bp.LogisticRegression(C=0.5, l1_ratio=0.5), numbers(table), y
    three, choice = drawn(3)
    if name == "three classes":
        return mle, three, choice
    if name == "three classes, separated":
        return mle, separated(three, choice), choice
    return bp.LogisticRegression(), three, choice


CASES = [
    "table",
    "array",
    "without an intercept",
    "aliased",
    "separated",
    "completely separated",
    "Firth",
    "class weights",
    "other baselines",
    "three classes",
    "three classes, separated",
    "penalised table",
    "penalised array",
    "penalised, three classes",
]


def fitted(name):
    model, X, y = case(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bp.SeparationWarning)
        warnings.simplefilter("ignore", bp.CollinearityWarning)
        return model.fit(X, y), X


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize("name", CASES)
def test_the_table_of_a_loaded_model_is_that_of_the_fitted_one(name, path):
    model, _ = fitted(name)
    bp.save(model, path)
    again = bp.load(path)
    assert str(again.summary()) == str(model.summary())
    pd.testing.assert_frame_equal(again.summary().to_frame(), model.summary().to_frame())
    assert again.summary()._repr_html_() == model.summary()._repr_html_()
    # and a file of a loaded model is the file
    other = path.with_name("again.safetensors")
    bp.save(again, other)
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["array", "aliased", "other baselines", "three classes"])
def test_what_else_the_short_summary_can_tell(name, path):
    model, X = fitted(name)
    bp.save(model, path)
    short, again = model.summary(), bp.load(path).summary()
    pd.testing.assert_frame_equal(again.cov_params(), short.cov_params())
    pd.testing.assert_frame_equal(again.odds_ratios(0.9), short.odds_ratios(0.9))
    pd.testing.assert_frame_equal(again.predict(X[:5]), short.predict(X[:5]))
    last = short.index[-1] if name != "aliased" else short.index[1]
    assert again.wald_test([last]) == short.wald_test([last])
    assert (again.llf, again.aic, again.bic) == (short.llf, short.aic, short.bic)
    with pytest.raises(ValueError, match="reads the rows again"):
        again.leverage()


def test_a_loaded_model_still_infers_from_its_rows(path):
    model, X, y = case("table")
    bp.save(model.fit(X, y), path)
    again = bp.load(path).inference(X, y, cov="HC1")
    assert str(again) == str(model.inference(X, y, cov="HC1"))


def test_everything_of_the_account_is_kept_or_known_of_the_model():
    known = {"names", "terms", "levels", "classes", "intercept"}
    assert set(ACCOUNT) | known == {*Account.__dataclass_fields__}


def contents(path):
    with safe_open(path, "numpy") as file:
        return load_file(path), json.loads(file.metadata()["backpass"])


def put(where, value):
    def change(arrays, document):
        *parents, last = where
        for key in parents:
            document = document[key]
        document[last] = value

    return change


def array(name, value):
    def change(arrays, document):
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value, float)

    return change


RESULTS = ("statistics", "results")
SPOILT = {
    "no results for arrays": (put(RESULTS, None), "has arrays of no use: \\['beta'"),
    "no statistics for arrays": (put(("statistics",), None), "none for its arrays"),
    "a strange array": (array("shell", [1.0]), "has arrays of no use: \\['shell'\\]"),
    "an array too few": (array("results.beta", None), "has arrays \\{.*for this model they are"),
    "a huge shape": (array("results.covariance", np.ones((2, 2))), "for this model they are"),
    "a class too many": (put((*RESULTS, "base"), 2), "base is 2; there are 2 classes"),
    "columns out of order": (put((*RESULTS, "kept"), [1, 0]), "kept does not name"),
    "columns beyond": (put((*RESULTS, "kept"), [0, 99]), "kept does not name some of 5 columns"),
    "no columns": (put((*RESULTS, "kept"), []), "kept does not name"),
    "a scale of 0": (array("results.view", np.zeros((2, 4))), "a scale that is not above 0"),
    "covariance": (put((*RESULTS, "cov_type"), "os.system"), "cov_type is 'os.system'"),
    "a number": (put((*RESULTS, "value"), "-1"), "value is '-1'; expected a finite number"),
    "separation": (
        put((*RESULTS, "separation"), {"complete": True, "n_rows": 1, "better_base": None}),
        "for this model they are .*signs",
    ),
    "deviations": (array("deviations", [1.0]), "deviations are not one for each column"),
    "stride": (put(("statistics", "stride"), -1), "stride is -1"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_statistics_are_refused(name, path):
    change, message = SPOILT[name]
    model, _ = fitted("table")
    bp.save(model, path)
    arrays, document = contents(path)
    change(arrays, document)
    save_file(arrays, path, {"backpass": json.dumps(document)})
    with pytest.raises(bp.ModelFileError, match=message):
        bp.load(path)


def test_signs_that_are_none_are_refused(path):
    model, _ = fitted("separated")
    bp.save(model, path)
    arrays, document = contents(path)
    arrays["results.signs"][0, 1] = 0.5
    save_file(arrays, path, {"backpass": json.dumps(document)})
    with pytest.raises(bp.ModelFileError, match="signs are not -1, 0 or 1"):
        bp.load(path)


def test_a_file_of_format_1_says_why_it_has_no_errors(path):
    model, _ = fitted("table")
    bp.save(model, path)
    arrays, document = contents(path)
    for key in ("statistics", "made_with"):
        del document[key]
    document["format"] = 1
    save_file({"theta": arrays["theta"]}, path, {"backpass": json.dumps(document)})
    again = bp.load(path)
    with pytest.raises(ValueError, match="a model from a file of format 1"):
        again.summary()


def test_a_fit_by_a_formula_keeps_its_names_and_terms(path):
    pytest.importorskip("formulaic")
    table, y = drawn()
    formula = "choice ~ C(place) + age:member"
    model = bp.LogisticRegression(C=np.inf).fit(table.assign(choice=y), formula=formula)
    bp.save(model, path)
    again = bp.load(path).summary()
    assert str(again) == str(model.summary())
    assert again.wald_test("C(place)") == model.summary().wald_test("C(place)")
