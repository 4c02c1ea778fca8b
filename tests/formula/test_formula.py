"""Formulas: R's columns and names, the same at predict and from files, and no code ever run."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from tests.inference.data import read

import backpass as bp
from backpass.data.document import DocumentError
from backpass.data.table import as_table
from backpass.formula import Design, parse_formula

pytest.importorskip("formulaic")

RNG = np.random.default_rng(4)
N = 60
TABLE = pd.DataFrame(
    {
        "y": RNG.integers(0, 2, N),
        "age": RNG.uniform(20.0, 60.0, N),
        "lwt": RNG.uniform(90.0, 200.0, N),
        "race": RNG.integers(1, 4, N),
        "sex": np.where(RNG.random(N) < 0.5, "m", "f"),
        "smoke": RNG.random(N) < 0.5,
        "dose": pd.Categorical(np.where(RNG.random(N) < 0.5, "lo", "hi"), ["lo", "hi"]),
    }
)


def design(formula, table=TABLE, missing="raise", reference=None, intercept=None):
    parsed = parse_formula(formula, list(table.columns))
    ones = parsed.intercept if intercept is None else intercept
    return Design.learn(parsed, as_table(table), missing, reference or {}, ones)


# What colnames(model.matrix(...)) gives, R 4: variables in the order of the formula, terms by
# degree, the first factor of an interaction fastest, and all levels where a margin is absent.
R_NAMES = {
    "y ~ C(race) + age:lwt": "C(race)2 C(race)3 age:lwt",
    "y ~ sex*C(race)": "sexm C(race)2 C(race)3 sexm:C(race)2 sexm:C(race)3",
    "y ~ lwt + age + age:lwt": "lwt age lwt:age",
    "y ~ sex + dose - 1": "sexf sexm dosehi",
    "y ~ 0 + age + dose": "age doselo dosehi",
    "y ~ sex:age": "sexf:age sexm:age",
    "y ~ sex/age": "sexm sexf:age sexm:age",
    "y ~ sex + sex:dose": "sexm sexf:dosehi sexm:dosehi",
    "y ~ sex:dose": "sexf:doselo sexm:doselo sexf:dosehi sexm:dosehi",
    "y ~ (age + lwt + sex)^2 - age:sex": "age lwt sexm age:lwt lwt:sexm",
    "y ~ smoke + I(age>30)": "smokeTRUE I(age > 30)TRUE",
    "y ~ . - race - lwt": "age sexm smokeTRUE dosehi",
    "log(age) ~ sqrt(lwt) + scale(lwt)": "sqrt(lwt) scale(lwt)",
}


@pytest.mark.parametrize("formula", R_NAMES)
def test_columns_are_named_as_in_r(formula):
    assert " ".join(design(formula).coef_names) == R_NAMES[formula]


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("y ~ I(age^2)", "I(age^2)"),
        ("y ~ I(age ** 2)", "I(age^2)"),
        ("y ~ I((2*age)^2 + 1)", "I((2 * age)^2 + 1)"),
        ("y ~ I(age/lwt - 1)", "I(age/lwt - 1)"),
        ("y ~ log(lwt+1)", "log(lwt + 1)"),
        ("y ~ relevel(dose, ref='hi')", 'relevel(dose, ref = "hi")lo'),
        ("y ~ C(dose, contr.treatment('hi'))", 'C(dose, contr.treatment("hi"))lo'),
    ],
)
def test_functions_are_written_as_r_writes_them(formula, name):
    assert design(formula).coef_names == [name]


def test_values_are_what_the_formula_says():
    made = design("y ~ age:sex + I((2*age)^2 + 1) + log(lwt) - 1").transform(TABLE)
    age, male = TABLE["age"].to_numpy(), (TABLE["sex"] == "m").to_numpy()
    expected = [(2 * age) ** 2 + 1, np.log(TABLE["lwt"]), age * ~male, age * male]
    np.testing.assert_allclose(made, np.column_stack(expected), rtol=1e-14)


def test_stateful_functions_keep_what_they_learned():
    one = design("y ~ scale(age) + center(lwt) + poly(age, 3)")
    made = one.transform(TABLE)
    age = TABLE["age"].to_numpy()
    np.testing.assert_allclose(made[:, 0], (age - age.mean()) / age.std(ddof=1), rtol=1e-12)
    np.testing.assert_allclose(made[:, 1], TABLE["lwt"] - TABLE["lwt"].mean(), rtol=1e-12)
    # R's poly: orthonormal, orthogonal to 1, leading coefficients positive
    np.testing.assert_allclose(made[:, 2:].T @ made[:, 2:], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(made[:, 2:].sum(axis=0), 0.0, atol=1e-12)
    powers = np.column_stack([age**k for k in range(4)])
    q, r = np.linalg.qr(powers)
    np.testing.assert_allclose(made[:, 2:], (q * np.sign(np.diag(r)))[:, 1:], atol=1e-9)
    np.testing.assert_allclose(one.transform(TABLE.head(2)), made[:2], rtol=1e-12)


def test_a_fit_is_that_to_the_columns_written_out():
    formula = "y ~ C(race) + age:lwt + smoke"
    fit = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(TABLE, formula=formula)
    X = design(formula).transform(TABLE)
    plain = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X, TABLE["y"])
    np.testing.assert_array_equal(fit.coef_, plain.coef_)
    found = fit.inference(TABLE)
    assert found.params.index[0] == "(Intercept)" and found.account.target == "y"
    assert str(fit.summary()) == str(found)
    assert found.lr_test("C(race)").df == 2 and found.wald_test("age:lwt").df == 1
    shuffled = TABLE[TABLE.columns[::-1]]
    np.testing.assert_array_equal(fit.predict_proba(shuffled), plain.predict_proba(X))
    assert found.marginal_effects().index.tolist() == fit.coef_names_.tolist()


def test_birthwt_as_r_fits_it():
    """Hosmer & Lemeshow (1989), table 2.2; factor(race) of 1, 2, 3 as the data have it."""
    data = read("birthwt/birthwt.csv")
    fit = bp.LogisticRegression(C=np.inf, tol=1e-14)
    found = fit.fit(data, formula="low ~ age + lwt + factor(race) + ftv").inference(data)
    published = [1.2953, -0.0238, -0.0142, 1.0039, 0.4331, -0.0493]
    np.testing.assert_allclose(found.params, published, atol=1e-4)
    assert found.params.index[3:5].tolist() == ["factor(race)2", "factor(race)3"]


LAUNCHES = "challenger_orings/orings.csv"
PUBLISHED = {  # calls of R as they were printed, the names that R gave, and its estimates
    "titanic/TitanicSurvival.csv": (
        "survived ~ age + sex + passengerClass",
        "(Intercept) age sexmale passengerClass2nd passengerClass3rd",
        [3.522074, -0.034393, -2.497845, -1.280570, -2.289661],
    ),
    "hsbdemo/hsbdemo.csv": (
        "prog ~ ses + write",
        "(Intercept) sesmiddle seshigh write",
        [2.852186, -0.533291, -1.162832, -0.057928, 5.218200, 0.291393, -0.982670, -0.113603],
    ),
    "ucla_admissions/binary.csv": (
        "admit ~ gre + gpa + rank",
        "(Intercept) gre gpa rank2 rank3 rank4",
        [-3.989979, 0.002264, 0.804038, -0.675443, -1.340204, -1.551464],
    ),
    "pima_ripley/pima_tr.csv": (
        "type ~ .",
        "(Intercept) npreg glu bp skin bmi ped age",
        [-9.773062, 0.103183, 0.032117, -0.004768, -0.001917, 0.083624, 1.820410, 0.041184],
    ),
    "saheart/SAheart.csv": (
        "chd ~ sbp + tobacco + ldl + famhist + obesity + alcohol + age",
        "(Intercept) sbp tobacco ldl famhistPresent obesity alcohol age",
        [-4.1295997, 0.0057607, 0.0795256, 0.1847793, 0.9391855, -0.0345434, 0.0006065, 0.0425412],
    ),
    "horseshoe_crab/CrabSatellites.csv": (
        "satellites > 0 ~ width",
        "(Intercept) width",
        [-12.350818, 0.497231],
    ),
    LAUNCHES: (
        "Total >= 1 ~ Temperature",
        "(Intercept) Temperature",
        [15.0429, -0.2322],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_estimates_are_those_that_r_printed(name):
    formula, names, estimates = PUBLISHED[name]
    data, options = read(name).drop(columns="rownames", errors="ignore"), {}
    if "rank" in data:
        data["rank"] = data["rank"].astype("category")
    if "ses" in data:
        data["ses"] = pd.Categorical(data["ses"], ["low", "middle", "high"])
        options["reference"] = {"prog": "academic"}
    fit = bp.LogisticRegression(C=np.inf, tol=1e-14, missing="drop", **options)
    found = fit.fit(data, formula=formula).summary()
    assert found.params.index.get_level_values(-1).unique().tolist() == names.split()
    digits = 1e-4 if name == LAUNCHES else 1.5e-6
    np.testing.assert_allclose(found.params, estimates, atol=digits)


def test_a_comparison_may_be_the_left_side():
    data = read(LAUNCHES)
    fit = bp.LogisticRegression(C=np.inf).fit(data, formula="Total >= 1 ~ Temperature")
    assert str(fit.summary()).startswith(
        "Logistic regression, maximum likelihood: Total >= 1 = True against False"
    )
    assert fit.score(data) == fit.score(data, data["Total"] >= 1)
    counts = bp.LogisticRegression(C=np.inf, tol=1e-14)
    found = counts.fit(data, formula="cbind(Total, 6 - Total) ~ Temperature").summary()
    np.testing.assert_allclose(found.params, [11.66299, -0.21623], atol=1.5e-5)


def test_counts_and_offsets_of_a_formula():
    """cbind() has R's order, successes first; offset() is computed at predict, too."""
    table = TABLE.assign(won=RNG.integers(0, 5, N), lost=RNG.integers(1, 5, N))
    fit = bp.LogisticRegression(C=np.inf, tol=1e-16)
    fit.fit(table, formula="cbind(won, lost) ~ age + offset(log(lwt))")
    plain = bp.LogisticRegression(C=np.inf, tol=1e-16)
    offset = np.log(table["lwt"])
    plain.fit(table[["age"]], table[["lost", "won"]], offset=offset)
    np.testing.assert_allclose(fit.coef_, plain.coef_, rtol=1e-12)
    expected = plain.predict_proba(table[["age"]], offset=offset)
    np.testing.assert_allclose(fit.predict_proba(table), expected, rtol=1e-12)
    more = fit.decision_function(table, offset=np.ones(N)) - fit.decision_function(table)
    np.testing.assert_allclose(more, 1.0, rtol=1e-12)
    shown = fit.inference(table).predict(table.head(3))[1, "proba"]
    np.testing.assert_allclose(shown, expected[:3, 1], rtol=1e-12)


def test_rows_with_missing_values_are_left_out_where_asked():
    table = TABLE.astype({"y": float})
    table.loc[:3, "age"], table.loc[5, "y"] = np.nan, np.nan
    table.loc[7, "lwt"] = np.nan  # no part of the formula
    with pytest.raises(ValueError, match=r"missing in 'age' \(4\), 'y' \(1\) of 60 rows.*'drop'"):
        bp.LogisticRegression(C=np.inf).fit(table, formula="y ~ age")
    weight = RNG.integers(1, 3, N)
    dropping = bp.LogisticRegression(C=np.inf, missing="drop")
    dropping.fit(table, sample_weight=weight, formula="y ~ age")
    whole = table["age"].notna() & table["y"].notna()
    plain = bp.LogisticRegression(C=np.inf).fit(
        table.loc[whole, ["age"]], table.loc[whole, "y"], weight[whole]
    )
    np.testing.assert_allclose(dropping.coef_, plain.coef_, rtol=1e-12)
    assert dropping.inference(table, sample_weight=weight).account.n_dropped == 5
    with pytest.raises(
        ValueError, match=r"missing in 'age' \(4\) of 60 rows. Leave such rows out."
    ):
        dropping.predict(table)


def test_files_keep_a_formula_as_structure(tmp_path):
    formula = "y ~ C(race, contr.treatment('2')):scale(age) + poly(lwt, 2) + smoke + I(sex == 'm')"
    fit = bp.LogisticRegression(C=np.inf).fit(TABLE, formula=formula + " + offset(log(age))")
    bp.save(fit, tmp_path / "m.safetensors")
    loaded = bp.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(TABLE), fit.predict_proba(TABLE))
    assert loaded.encoding_.coef_names == fit.encoding_.coef_names


def hostile(change):
    plain = json.loads(json.dumps(design("y ~ C(race)*log(age) + scale(lwt)").to_document()))
    change(plain)
    return plain


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["factors"][1].update(node=["__import__", ["constant", "os"]]),
        lambda d: d["factors"][1].update(node=["eval", ["constant", "1"]]),
        lambda d: d["factors"][1].update(node=["column", 3]),
        lambda d: d["factors"][1].update(node="log(age)"),
        lambda d: d["factors"][1].update(node=["log", ["column", "age"], ["column", "age"]]),
        lambda d: d["factors"][2].update(node=["scale", ["column", "lwt"], 1.0, 0.0]),
        lambda d: d["factors"][0].update(baseline="9"),
        lambda d: d["factors"][0].update(kind="code"),
        lambda d: d["terms"].append([[7, False]]),
        lambda d: d["terms"].append([[0, True]] * 200),
        lambda d: d["kinds"].append(["other", "number"]),
        lambda d: d.update(more="1"),
    ],
)
def test_a_hostile_file_is_refused(change):
    with pytest.raises(DocumentError):
        Design.from_document(hostile(change))


def test_an_expression_as_deep_as_a_stack_is_refused():
    def nested(plain):
        node = ["column", "age"]
        for _ in range(500):
            node = ["log", node]
        plain["factors"][1]["node"] = node

    with pytest.raises(DocumentError, match="is no expression"):
        Design.from_document(hostile(nested))


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y ~ __import__('os').system('true')", "is not understood"),
        ("y ~ open('x')", r"'open\(\"x\"\)' is not understood. Terms are columns, C\(column\)"),
        ("y ~ np.log(age)", "is not understood. .* functions log, log2"),
        ("y ~ age.__class__(lwt)", "is not understood"),
        ("y ~ [x for x in age]", "is not understood"),
        ("y ~ age +", "is not understood"),
        ("y ~ agee", "names 'agee', which the table does not have; it has 'y', 'age'"),
        ("y ~ 1", "names no column to fit with"),
        ("y + age ~ lwt", r"left side has several terms; two counts are cbind\(s, f\)"),
        ("y ~ log(age - 40)", r"record \d+: log\(age - 40\) of the formula is (nan|-inf)"),
        ("y ~ log(sex)", "holds text"),
        ("y ~ C(dose, contr.treatment('no'))", "baseline 'no' does not occur; .* 'lo', 'hi'"),
        ("y ~ C(dose, contr.sum)", "the coding of levels is contr.treatment"),
        ("y ~ poly(age, 0)", r"it is poly\(column, degree\), the degree 1 or more"),
        ("y ~ poly(age, 2, raw=True)", r"it is poly\(column, degree\)"),
        ("y ~ I('a')", r'I\("a"\) names no column'),
        ("y ~ age | sex", "it has several parts"),
        ("y ~ age + (1|sex)", r"\(... \| group\) is a random effect, .* not supported"),
        ("y ~ I(" + "-" * 60 + "age)", "nested more than 50 levels deep"),
        ("y ~ offset(age):lwt", "stands alone"),
        ("y ~ age - 1", "has no intercept, but fit_intercept is True"),
        ("relevel(sex, 'm') ~ age", "relevel.*: what y is compared with is said by reference="),
        ("~ age", "no left side, and y is not given"),
    ],
)
def test_formulas_that_are_none(formula, said):
    with pytest.raises(ValueError, match=said):
        bp.LogisticRegression(C=np.inf).fit(TABLE, formula=formula)


def test_what_contradicts_a_formula_is_refused():
    def fit(X=TABLE, y=None, formula="y ~ dose", **parameters):
        return bp.LogisticRegression(**({"C": np.inf} | parameters)).fit(X, y, formula=formula)

    with pytest.raises(ValueError, match="has a left side, and y is given too"):
        fit(y=TABLE["y"])
    with pytest.raises(ValueError, match=r"so X is a table .* it is ndarray"):
        fit(TABLE[["age"]].to_numpy())
    with pytest.raises(ValueError, match="with one it is 'raise' or 'drop'"):
        fit(missing="indicator")
    with pytest.raises(ValueError, match="column 'age': reference names it, but it is no category"):
        fit(reference={"age": "hi"})
    assert fit(reference={"dose": "hi"}).coef_names_.tolist() == ["doselo"]
    assert fit(formula="~ dose", y=TABLE["y"]).coef_names_.tolist() == ["dosehi"]
    with pytest.raises(ValueError, match="'dose': holds 'mid' in 60 rows, which the fit did not"):
        fit().predict(TABLE.assign(dose="mid"))
    fit(C=1.0, standardize=True, reference={"dose": "hi"})  # contrasts mean something here


def test_the_command_line_measures_and_predicts_by_a_formula(tmp_path, capsys):
    from backpass.cli import main

    formula = "y ~ age + sex:C(race) + smoke + relevel(dose, ref = 'hi')"
    bp.save(bp.LogisticRegression().fit(TABLE, formula=formula), tmp_path / "m.safetensors")
    model, data = str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv")
    gaps = TABLE.astype({"age": float, "sex": object})
    gaps.loc[4, "age"], gaps.loc[[5, 6], "sex"] = np.nan, "other"
    gaps.to_csv(data, index=False)
    assert main(["evaluate", model, data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = TABLE.drop(index=[4, 5, 6])
    fit = bp.load(model)
    expected = log_loss(kept["y"], fit.predict_proba(kept))
    assert found["n_rows"] == 57 and "3 rows with missing or unseen" in found["warnings"][0]
    assert found["log_loss"] == pytest.approx(expected, rel=1e-9)
    assert found["accuracy"] == pytest.approx(fit.score(kept), rel=1e-12)
    TABLE.to_csv(data, index=False)
    assert main(["predict", model, data, "--out", str(tmp_path / "p.csv")]) == 0
    predicted = pd.read_csv(tmp_path / "p.csv")["prediction"]
    np.testing.assert_array_equal(predicted, fit.predict(TABLE))
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="fitted with a formula, whose functions are not exported"):
        bp.to_onnx(fit)


def test_a_formula_in_a_search():
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(bp.LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)
    search.fit(TABLE, TABLE["y"], formula="~ scale(age) + dose")
    assert search.best_estimator_.coef_names_.tolist() == ["scale(age)", "dosehi"]
    own = bp.LogisticRegressionCV([0.1, 1.0], cv=3).fit(TABLE, formula="y ~ scale(age) + dose")
    assert own.coef_names_.tolist() == ["scale(age)", "dosehi"]


def test_names_that_are_no_words_are_quoted_as_in_r():
    table = TABLE.rename(columns={"y": "the y", "age": "my age", "lwt": "l.w"})
    table = table[["the y", "my age", "l.w", "dose"]]
    for formula in ("`the y` ~ .", "`the y` ~ `my age` + l.w + dose"):
        fit = bp.LogisticRegression(C=np.inf).fit(table, formula=formula)
        assert fit.coef_names_.tolist() == ["`my age`", "l.w", "dosehi"]
        assert fit.inference(table).account.target == "the y"
    logs = design("`the y` ~ log(`my age`):dose + I(`my age`^2)", table)
    assert logs.coef_names == ["I(`my age`^2)", "log(`my age`):doselo", "log(`my age`):dosehi"]


def test_tables_with_other_columns_and_rows_with_new_levels():
    fit = bp.LogisticRegression().fit(TABLE, formula="y ~ age + sex")
    expected = fit.predict_proba(TABLE)
    fewer = TABLE[["sex", "age"]].assign(more=1)  # no y, other order, a column more
    np.testing.assert_array_equal(fit.predict_proba(fewer), expected)
    with pytest.raises(bp.DataError, match="names 'age', which the table does not have"):
        fit.predict(TABLE.drop(columns="age"))
    with pytest.raises(bp.DataError, match="names 'y', which the table does not have"):
        fit.score(fewer)
    new = TABLE.assign(sex=["x", "y", *TABLE["sex"][2:]])
    with pytest.raises(bp.DataError, match=r"column 'sex': holds 'x', 'y' in 2 rows"):
        fit.predict(new)
    assert fit.encoding_.usable_rows(new).tolist() == [False, False] + [True] * (N - 2)
    rare = TABLE.assign(sex=["x", *TABLE["sex"][1:]])  # fitted to in two splits, left out in one
    search = bp.LogisticRegressionCV([1.0], cv=np.arange(N) % 3, missing="drop", tol=1e-12)
    scores = search.fit(rare, formula="y ~ age + sex").scores_.ravel()
    other = np.arange(N) % 3 > 0
    alone = bp.LogisticRegression(tol=1e-12).fit(rare[other], formula="y ~ age + sex")
    known = rare[~other].iloc[1:]
    assert scores[0] == pytest.approx(-log_loss(known["y"], alone.predict_proba(known)), abs=1e-6)
