"""What can be asked of results: tests, intervals, effects, rows, weights, tables, errors."""

from __future__ import annotations

import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pyarrow.csv
import pytest
from scipy.special import expit, softmax
from scipy.stats import chi2, norm

import backpass as bp


def simulated(n_classes=2, n_rows=200, seed=0):
    """Return a frame whose columns have units of their own, and labels."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(40.0, 12.0, n_rows),
            "dose": rng.normal(0.0, 1e-3, n_rows),
            "group": rng.choice(["a", "b", "c"], n_rows),
        }
    )
    logits = np.outer((X["age"] - 40.0) / 12.0, np.arange(n_classes))
    logits[:, -1] += 800.0 * X["dose"] + (X["group"] == "b")
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return X, pd.Series(np.array(["low", "mid", "top", "up"])[y], name="level")


def fitted(n_classes=2, **parameters):
    X, y = simulated(n_classes)
    model = bp.LogisticRegression(C=np.inf, **({"tol": 1e-16} | parameters)).fit(X, y)
    return model, X, y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("base", [0, 1])
def test_the_base_class_changes_contrasts_only(n_classes, base):
    X, y = simulated(n_classes)
    labels = sorted(y.unique())
    model = bp.LogisticRegression(C=np.inf, reference={"level": labels[base]}, tol=1e-16).fit(X, y)
    found = model.inference(X, y)
    order = [labels[base], *(label for label in labels if label != labels[base])]
    assert list(found.account.classes) == order
    logits = np.column_stack([np.zeros(len(X)), model.decision_function(X)])
    logits = logits if n_classes == 2 else logits[:, 1:]
    apart = logits - logits[:, [base]]
    x = np.column_stack([np.ones(len(X)), model.encoding_.transform(X)])
    gamma = found.params.to_numpy().reshape(n_classes - 1, -1)
    np.testing.assert_allclose(x @ gamma.T, np.delete(apart, base, axis=1), rtol=1e-9, atol=1e-9)
    other = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X, y)
    plain = other.inference(X, y)
    assert found.llf == pytest.approx(plain.llf, rel=1e-14)
    if n_classes == 2:
        sign = 1.0 if base == 0 else -1.0
        np.testing.assert_allclose(found.params, sign * plain.params, rtol=1e-10)
        np.testing.assert_allclose(found.bse, plain.bse, rtol=1e-10)
        sandwich, expected = (m.inference(X, y, cov="HC0").bse for m in (model, other))
        np.testing.assert_allclose(sandwich, expected, rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cov", ["hessian", "HC0", "HC1", "cluster"])
def test_weights_are_frequencies(n_classes, cov):
    X, y = simulated(n_classes)
    counts = np.random.default_rng(1).integers(0, 4, len(X))
    groups = np.arange(len(X)) % 23
    again = np.repeat(np.arange(len(X)), counts)
    cluster = cov == "cluster"
    weighted = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X, y, counts)
    repeated = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X.iloc[again], y.iloc[again])
    one = weighted.inference(X, y, counts, cov=cov, groups=groups if cluster else None)
    other = repeated.inference(
        X.iloc[again], y.iloc[again], cov=cov, groups=groups[again] if cluster else None
    )
    np.testing.assert_allclose(one.params, other.params, rtol=1e-9)
    np.testing.assert_allclose(one.cov_params(), other.cov_params(), rtol=1e-8)
    assert one.nobs == other.nobs == counts.sum()
    for name in ("llf", "llnull", "aic", "bic", "prsquared"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)


def test_class_weight_gives_sandwich_errors_and_no_likelihood():
    X, y = simulated()
    model = bp.LogisticRegression(C=np.inf, class_weight={"low": 3.0}, tol=1e-20).fit(X, y)
    found = model.inference(X, y, cov="HC0")
    # by hand: A = inverse of ∑ w π(1-π) x xᵀ, meat ∑ w² r² x xᵀ
    x = np.column_stack([np.ones(len(X)), model.encoding_.transform(X)])
    w, p = np.where(y == "low", 3.0, 1.0), model.predict_proba(X)[:, 1]
    A = np.linalg.inv(x.T @ ((w * p * (1 - p))[:, None] * x))
    s = (w * ((y != "low") - p)).to_numpy()[:, None] * x
    np.testing.assert_allclose(found.cov_params(), A @ s.T @ s @ A, rtol=1e-8)
    assert "class_weight makes another model" in str(found)
    assert str(model.summary()) == str(found)
    for cov in ("hessian", "HC1"):
        with pytest.raises(ValueError, match=f"class_weight cov='{cov}' is not offered"):
            model.inference(X, y, cov=cov)
    with pytest.raises(ValueError, match="no log-likelihood"):
        _ = found.aic
    with pytest.raises(ValueError, match="no log-likelihood"):
        found.lr_test("age")
    with pytest.raises(ValueError, match="no likelihood"):
        found.confint(method="profile")


def test_wald_and_likelihood_ratio_tests_of_a_category():
    model, X, y = fitted(3)
    found = model.inference(X, y)
    smaller = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X[["age", "dose"]], y)
    small = smaller.inference(X[["age", "dose"]], y)
    by_name, by_model = found.lr_test("group"), found.lr_test(small)
    assert by_name.df == by_model.df == 4
    assert by_name.statistic == pytest.approx(2.0 * (found.llf - small.llf), rel=1e-8)
    assert by_model.pvalue == pytest.approx(chi2.sf(by_name.statistic, 4), rel=1e-8)
    wald = found.wald_test("group")
    names = [e for e in found.index if e[1].startswith("group=")]
    b, V = found.params[names], found.cov_params().loc[names, names]
    assert wald.statistic == pytest.approx(b @ np.linalg.inv(V) @ b, rel=1e-10)
    assert wald.df == 4
    # one coefficient: the square of its z
    z = found.tvalues[("mid", "age")]
    assert found.wald_test(("mid", "age")).statistic == pytest.approx(z**2, rel=1e-10)
    # a matrix: a difference is tested, against a value of its own
    R = np.zeros(len(found.index))
    R[list(found.index).index(("mid", "age"))] = 1.0
    R[list(found.index).index(("top", "age"))] = -1.0
    difference = R @ found.params
    error = np.sqrt(R @ found.cov_params().to_numpy() @ R)
    assert found.wald_test(R, 0.01).statistic == pytest.approx(((difference - 0.01) / error) ** 2)
    assert "chi2(4)" in str(wald)


def test_all_slopes_at_once_are_the_test_of_the_header():
    model, X, y = fitted(2)
    found = model.inference(X, y)
    every = found.lr_test(["age", "dose", "group"])
    assert every.statistic == pytest.approx(found.llr, rel=1e-8)
    assert every.df == found.df_model == 4
    assert every.pvalue == pytest.approx(found.llr_pvalue, rel=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("firth", [False, True])
def test_profile_ends_lie_where_the_deviance_has_risen_by_the_quantile(n_classes, firth):
    model, X, y = fitted(n_classes, firth=firth)
    found = model.inference(X, y)
    ends = found.confint(level=0.9, method="profile")
    height = found.optimum.value if not firth else found.optimum.penalised
    from backpass.inference.surface import maximise

    entry = 1
    for column in range(2):
        lead = found._leads()[[entry]]
        at = np.array([ends.iloc[entry, column]])
        top = maximise(found._surface(), found.optimum.beta, lead, at)
        assert 2.0 * (height - top.value) == pytest.approx(chi2.ppf(0.9, 1), rel=1e-5)
        assert top.reached
    assert (ends.iloc[:, 0] < found.params).all() and (found.params < ends.iloc[:, 1]).all()


def test_odds_ratios_are_exponentials():
    model, X, y = fitted()
    found = model.inference(X, y)
    table = found.odds_ratios(level=0.8).drop(
        "dose"
    )  # a unit of dose is a thousand times its range
    params, half = found.params.drop("dose"), norm.ppf(0.9) * found.bse.drop("dose")
    np.testing.assert_allclose(table["odds ratio"], np.exp(params))
    np.testing.assert_allclose(table["[0.1"], np.exp(params - half), rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("at", ["overall", "mean"])
def test_marginal_effects_and_their_errors_are_derivatives(n_classes, at):
    model, X, y = fitted(n_classes)
    found = model.inference(X, y, cov="HC0")
    x = np.column_stack([np.ones(len(X)), model.encoding_.transform(X)])
    x = x if at == "overall" else x.mean(axis=0, keepdims=True)

    def effects(params):
        gamma = np.vstack([np.zeros(x.shape[1]), params.reshape(n_classes - 1, -1)])
        pi = softmax(x @ gamma.T, axis=1)
        slopes = pi[:, :, None] * (gamma - (pi @ gamma)[:, None, :])
        made = slopes.mean(axis=0)[:, 1:]
        return made[1:].ravel() if n_classes == 2 else made.ravel()

    params, V = found.params.to_numpy(), found.cov_params().to_numpy()
    table = found.marginal_effects(at)
    np.testing.assert_allclose(table["dy/dx"], effects(params), rtol=1e-9)
    step = 1e-6 * found.bse.to_numpy()
    jacobian = np.array(
        [(effects(params + e) - effects(params - e)) / (2 * e.sum()) for e in np.diag(step)]
    ).T
    np.testing.assert_allclose(
        table["std err"], np.sqrt(np.diag(jacobian @ V @ jacobian.T)), rtol=1e-6
    )
    if n_classes > 2:  # probabilities sum to one
        np.testing.assert_allclose(table["dy/dx"].groupby(level=1).sum(), 0.0, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_of_probabilities_are_delta_on_the_logit(n_classes):
    model, X, y = fitted(n_classes)
    found = model.inference(X, y)
    few = X.head(5)
    table = found.predict(few)
    x = np.column_stack([np.ones(5), model.encoding_.transform(few)])
    V = found.cov_params().to_numpy()
    params = found.params.to_numpy()

    def logit(params, row, c):
        gamma = np.vstack([np.zeros(x.shape[1]), params.reshape(n_classes - 1, -1)])
        pi = softmax(gamma @ row)
        return np.log(pi[c] / (1.0 - pi[c]))

    for c, label in enumerate(found.account.classes):
        for place, row in enumerate(x):
            step = 1e-6 * found.bse.to_numpy()
            slope = np.array(
                [
                    (logit(params + e, row, c) - logit(params - e, row, c)) / (2 * e.sum())
                    for e in np.diag(step)
                ]
            )
            half = norm.ppf(0.975) * np.sqrt(slope @ V @ slope)
            centre = logit(params, row, c)
            expected = expit([centre, centre - half, centre + half])
            np.testing.assert_allclose(table[label].iloc[place], expected, rtol=1e-6)
    order = [list(model.classes_).index(label) for label in found.account.classes]
    probabilities = table.xs("proba", axis=1, level=1)
    np.testing.assert_allclose(probabilities, model.predict_proba(few)[:, order], rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_influence_is_a_newton_step_without_the_row(n_classes):
    model, X, y = fitted(n_classes)
    found = model.inference(X, y)
    changes = np.vstack([block for _, block in found.influence()])
    scores = np.vstack([block for _, block in found.score_rows()])
    assert changes.shape == scores.shape == (len(X), len(found.params))
    slope = scores.sum(axis=0)  # 0 at the optimum, which a fit is 1e-6 standard errors from
    assert np.sqrt(slope @ found.cov_params().to_numpy() @ slope) <= 1e-6
    information = np.linalg.inv(found.cov_params())
    row = 17
    x = np.append(1.0, model.encoding_.transform(X.iloc[[row]])[0])
    pi = found.predict(X.iloc[[row]]).xs("proba", axis=1, level=1).to_numpy()[0, 1:]
    own = np.kron(np.diag(pi) - np.outer(pi, pi), np.outer(x, x))
    step = -np.linalg.solve(information - own, scores[row])
    np.testing.assert_allclose(changes[row], step, rtol=1e-7)
    cook = found.cooks_distance()
    assert cook[row] == pytest.approx(step @ information @ step / len(step), rel=1e-7)
    assert found.leverage().sum() == pytest.approx(len(step), rel=1e-10)
    # and near what a fit without the row says
    rest = np.delete(np.arange(len(X)), row)
    without = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X.iloc[rest], y.iloc[rest]).summary()
    moved = ((without.params - found.params) / found.bse).to_numpy()
    expected = (step / found.bse).to_numpy()
    np.testing.assert_allclose(moved, expected, atol=0.05 * np.abs(expected).max())


def test_columns_that_combine_others_are_named_and_left_out():
    X, y = simulated(3)
    X = X.assign(years=X["age"] - 18.0, sum=X["age"] + 1e3 * X["dose"])
    with pytest.warns(bp.CollinearityWarning, match="years, sum are linear combinations of the"):
        model = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X, y)
    found = model.inference(X, y)
    plain = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X[["age", "dose", "group"]], y)
    expected = plain.inference(X, y)
    assert found.aliased == ("years", "sum")
    left = [entry for entry in found.index if entry[1] not in found.aliased]
    assert found.params.drop(left).isna().all() and found.bse.drop(left).isna().all()
    np.testing.assert_allclose(found.params[left], expected.params, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.bse[left], expected.bse, rtol=1e-7)
    np.testing.assert_allclose(found.leverage(), expected.leverage(), rtol=1e-7)
    assert (found.n_estimates, found.df_model) == (expected.n_estimates, expected.df_model)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-9)
    assert "NA" in str(found) and "years, sum are linear combinations" in str(found)
    effects = found.marginal_effects()
    assert effects.xs("years", level=1).isna().all().all()
    with pytest.raises(ValueError, match=r"'years'.* has no finite estimate"):
        found.wald_test("years")


def test_sparse_rows_give_the_same_results():
    from scipy import sparse

    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 4)) * (rng.uniform(size=(500, 4)) < 0.4)
    y = (X[:, 0] + rng.logistic(size=500) > 0).astype(int)
    dense = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(X, y).inference(X, y)
    thin = sparse.csr_array(X)
    found = bp.LogisticRegression(C=np.inf, tol=1e-20).fit(thin, y).inference(thin, y)
    np.testing.assert_allclose(found.to_frame(), dense.to_frame(), rtol=1e-8)
    effects = found.marginal_effects()
    np.testing.assert_allclose(effects, dense.marginal_effects(), rtol=1e-8)
    np.testing.assert_allclose(found.predict(thin), dense.predict(X), rtol=1e-8)


def test_without_an_intercept():
    X, y = simulated()
    numbers = X[["age", "dose"]] - X[["age", "dose"]].mean()
    model = bp.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-16).fit(numbers, y)
    found = model.inference(numbers, y)
    assert list(found.params.index) == ["age", "dose"]
    assert found.llnull == pytest.approx(-len(y) * np.log(2.0))
    assert found.n_estimates == found.df_model == 2
    assert list(found.marginal_effects().index) == ["age", "dose"]
    proba = found.predict(numbers)[found.account.classes[1]]["proba"]
    np.testing.assert_allclose(proba, model.predict_proba(numbers)[:, 1], rtol=1e-12)


def test_missing_values_are_dropped_and_counted():
    X, y = simulated()
    X.loc[[3, 8], "age"] = np.nan
    model = bp.LogisticRegression(C=np.inf, missing="drop").fit(X, y)
    groups = np.arange(len(X)) % 20
    found = model.inference(X, y, cov="cluster", groups=groups)
    assert found.nobs == 198 and "198, 2 dropped" in str(found)
    kept = X["age"].notna().to_numpy()
    expected = bp.LogisticRegression(C=np.inf).fit(X[kept], y[kept])
    again = expected.inference(X[kept], y[kept], cov="cluster", groups=groups[kept])
    np.testing.assert_array_equal(found.to_frame(), again.to_frame())
    with pytest.raises(ValueError, match=r"missing in 'age' \(2\)"):
        bp.LogisticRegression(C=np.inf).fit(X, y)


def test_results_of_a_summary_keep_no_rows():
    model, X, y = fitted()
    short, full = model.summary(), model.inference(X, y)
    np.testing.assert_allclose(short.to_frame(), full.to_frame(), rtol=1e-12)
    assert len(pickle.dumps(model)) < 20_000  # 200 rows of X alone are 8 kB, and more when encoded
    again = pickle.loads(pickle.dumps(model)).summary()
    np.testing.assert_array_equal(again.to_frame(), short.to_frame())
    np.testing.assert_allclose(short.predict(X.head()), full.predict(X.head()), rtol=1e-10)
    for ask in ("leverage", "marginal_effects", "score_rows", "cooks_distance", "influence"):
        with pytest.raises(ValueError, match=rf"{ask} reads the rows again"):
            getattr(short, ask)()
    with pytest.raises(ValueError, match=r"profile.* reads the rows again"):
        short.confint(method="profile")


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70_000, 4))
    y = (X[:, :3] + rng.gumbel(size=(70_000, 3))).argmax(axis=1)
    frames = []
    for n_jobs in (1, 2):
        model = bp.LogisticRegression(C=np.inf, n_jobs=n_jobs).fit(X, y)
        found = model.inference(X, y, cov="HC0")
        frames.append((found.to_frame(), found.marginal_effects(), found.lr_test("x1").statistic))
    for one, other in zip(*frames, strict=True):
        np.testing.assert_array_equal(one, other)


class Cells(HTMLParser):
    """Collects the text of a page's cells, and that every element closes."""

    def __init__(self):
        super().__init__()
        self.open, self.cells = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.cells.append(data)


def test_tables_show_the_same_numbers_in_every_form():
    X, y = simulated(3)
    X = X.rename(columns={"age": "age_<&>"})
    X["pay"] = 7e4 + 3e4 * np.sin(np.arange(len(X)))  # errors of 1e-5 need more decimals
    model = bp.LogisticRegression(C=np.inf).fit(X, y)
    found = model.summary()
    text = str(found)
    page = Cells()
    page.feed(found._repr_html_())
    assert not page.open
    latex = found.to_latex()
    assert r"age\_\textless{}\&\textgreater{}" in latex
    for (label, name), row in found.to_frame().iterrows():
        (line,) = [
            line for line in text[text.index(f"\n{label} ") :].splitlines() if line.startswith(name)
        ][:1]
        cells = line[len(name) :].split()
        np.testing.assert_allclose(float(cells[0]), row["coef"], atol=2e-3 * row["std err"])
        np.testing.assert_allclose(float(cells[1]), row["std err"], rtol=2e-3)
        for cell in cells:
            assert cell in page.cells
            assert f"${cell}$" in latex
    assert "Multinomial logistic regression, maximum likelihood: level against low" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_penalised_fit_shows_both_scales_and_why_no_errors():
    X, y = simulated()
    model = bp.LogisticRegression(C=0.5, standardize=True).fit(X[["age", "dose"]], y)
    found = model.summary()
    frame = found.to_frame()
    np.testing.assert_allclose(frame["coef"], [*model.intercept_, *model.coef_[0]])
    deviations = X[["age", "dose"]].std(ddof=0)
    np.testing.assert_allclose(frame["per std. dev."][1:], model.coef_[0] * deviations)
    for form in (str(found), found._repr_html_()):
        assert "No standard errors" in form and "C=np.inf" in form
    assert f"{model.coef_[0, 0]:.5g}" in found.to_latex()
    with pytest.raises(ValueError, match=r"C is 0\.5: a penalty pulls estimates .* C=np\.inf"):
        model.inference(X[["age", "dose"]], y)


def test_wrong_questions_are_answered_with_what_to_do():
    model, X, y = fitted()
    found = model.inference(X, y)
    with pytest.raises(ValueError, match="X, y, sample_weight and offset are not those"):
        model.inference(X.iloc[:100], y.iloc[:100])
    with pytest.raises(ValueError, match="is not one of the classes"):
        model.inference(X, y.replace("low", "none"))
    with pytest.raises(ValueError, match="cov is 'HC3'; it is one of 'hessian', 'HC0'"):
        model.inference(X, y, cov="HC3")
    with pytest.raises(ValueError, match="cov='cluster' needs groups"):
        model.inference(X, y, cov="cluster")
    with pytest.raises(ValueError, match="groups need cov='cluster'"):
        model.inference(X, y, groups=np.zeros(len(X)))
    with pytest.raises(ValueError, match="needs two groups or more; groups hold 1"):
        model.inference(X, y, cov="cluster", groups=np.zeros(len(X)))
    with pytest.raises(ValueError, match="method is 'exact'; it is 'wald' or 'profile'"):
        found.confint(method="exact")
    with pytest.raises(ValueError, match=r"level is 95; it is a number between 0 and 1"):
        found.confint(95)
    with pytest.raises(ValueError, match="at is 'median'; it is 'overall' or 'mean'"):
        found.marginal_effects("median")
    with pytest.raises(ValueError, match=r"no coefficient is called 'agee'; there are .*'age'"):
        found.wald_test("agee")
    with pytest.raises(
        ValueError, match="the matrix has 2 columns; it needs one for each of the 5"
    ):
        found.wald_test(np.eye(2))
    with pytest.raises(ValueError, match="the other model is not a smaller one"):
        found.lr_test(found)
    with pytest.raises(ValueError, match="the class 'none' of 'level', which does not occur"):
        bp.LogisticRegression(C=np.inf, reference={"level": "none"}).fit(X, y)


def test_a_dataset_gives_the_bits_of_its_table(tmp_path):
    X, y = simulated(3)
    path = tmp_path / "rows.csv"
    X.assign(level=y).to_csv(path, index=False)
    X = pyarrow.csv.read_csv(path).to_pandas()  # exact, as older pandas is not
    y = X.pop("level")
    dataset = bp.open_dataset(path, target="level")
    streamed = bp.LogisticRegression(C=np.inf).fit(dataset)
    found = streamed.inference(dataset, cov="HC0")
    model = bp.LogisticRegression(C=np.inf).fit(X, y)
    expected = model.inference(X, y, cov="HC0")
    np.testing.assert_array_equal(found.to_frame(), expected.to_frame())
    np.testing.assert_array_equal(found.leverage(), expected.leverage())
    np.testing.assert_array_equal(found.marginal_effects(), expected.marginal_effects())
    assert str(found) == str(expected)
    X.assign(level=y, dose=X["dose"] + 1.0).to_csv(path, index=False)
    with pytest.raises(ValueError, match="the dataset is not that of the fit"):
        streamed.inference(bp.open_dataset(path, target="level"))


@pytest.mark.parametrize("kind", [np.int16, np.float32, bool])
def test_rows_of_any_type_of_number(kind):
    rng = np.random.default_rng(7)
    X = rng.integers(0, 2, size=(300, 3))
    y = (X[:, 0] + rng.logistic(size=300) > 0).astype(int)
    expected = bp.LogisticRegression(C=np.inf).fit(X.astype(float), y).summary()
    typed = np.asfortranarray(X.astype(kind))
    found = bp.LogisticRegression(C=np.inf).fit(typed, y).inference(typed, y)
    np.testing.assert_allclose(found.to_frame(), expected.to_frame(), rtol=1e-9)


def test_blocks_do_not_grow_with_the_number_of_classes():
    """Of 30 classes a row's forms take 27 kB: all rows of one block at once would take 0.8 GB."""
    import tracemalloc

    rng = np.random.default_rng(8)
    X = rng.normal(size=(30_000, 2))
    y = (0.3 * X[:, :1] * np.arange(30) / 30 + rng.gumbel(size=(30_000, 30))).argmax(axis=1)
    model = bp.LogisticRegression(C=np.inf, n_jobs=1).fit(X, y)
    found = model.inference(X, y)
    tracemalloc.start()
    leverage = found.leverage()
    effects = found.marginal_effects()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120 * 2**20
    assert leverage.sum() == pytest.approx(29 * 3, rel=1e-8)
    np.testing.assert_allclose(effects["dy/dx"].groupby(level=1).sum(), 0.0, atol=1e-9)


def test_changes_of_a_softmax_are_differences_of_predictions():
    """Of every class, with errors by differences over the coefficients; levels exclude others."""
    rng = np.random.default_rng(12)
    n = 400
    table = pd.DataFrame(
        {
            "age": rng.normal(50.0, 10.0, n),
            "smoke": rng.integers(0, 2, n),
            "town": np.array(["Ely", "Bath", "York"])[rng.integers(0, 3, n)],
        }
    )
    logits = np.outer(table["age"] - 50.0, [0.0, 0.03, -0.02]) + rng.gumbel(size=(n, 3))
    logits[:, 1] += table["smoke"] + (table["town"] == "York")
    y = pd.Series(logits.argmax(axis=1), name="kind")
    results = bp.LogisticRegression(C=np.inf, tol=1e-18).fit(table, y).inference(table, y)
    found = results.marginal_effects(dummy=True)
    plain = results.marginal_effects()
    pd.testing.assert_frame_equal(
        found.xs("age", level=1), plain.xs("age", level=1)
    )  # no column of 0 and 1

    def design(smoke, town):
        of_town = [np.full(n, town == name) for name in ("Ely", "York")]
        return np.column_stack([np.ones(n), table["age"], np.full(n, smoke), *of_town])

    def changes(gamma):
        def shares(x):
            z = np.hstack([np.zeros((n, 1)), x @ gamma.reshape(2, 5).T])
            p = np.exp(z - z.max(axis=1, keepdims=True))
            return (p / p.sum(axis=1, keepdims=True)).mean(axis=0)

        given = design(0, "Bath")
        given[:, 3:] = np.column_stack([table["town"] == "Ely", table["town"] == "York"])
        smokes = given.copy()
        smokes[:, 2], given[:, 2] = 1.0, 0.0
        of_smoke = shares(smokes) - shares(given)
        base, ely, york = (design(0, town) for town in ("Bath", "Ely", "York"))
        for x in (base, ely, york):
            x[:, 2] = table["smoke"]
        return np.stack([of_smoke, shares(ely) - shares(base), shares(york) - shares(base)], axis=1)

    gamma = results.params.to_numpy()
    names = ["smoke", "town=Ely", "town=York"]
    expected = changes(gamma)
    shown = found["dy/dx"].unstack()[names].to_numpy()
    np.testing.assert_allclose(shown, expected, rtol=1e-9, atol=1e-13)
    step = 1e-6 * results.bse.to_numpy()
    slopes = np.stack(
        [
            (changes(gamma + h * e) - changes(gamma - h * e)) / (2.0 * h)
            for h, e in zip(step, np.eye(10), strict=True)
        ],
        axis=-1,
    )
    variance = np.einsum("cqi,ij,cqj->cq", slopes, results.cov_params().to_numpy(), slopes)
    errors = found["std err"].unstack()[names].to_numpy()
    np.testing.assert_allclose(errors, np.sqrt(variance), rtol=1e-6)
    np.testing.assert_allclose(found["dy/dx"].unstack().sum(axis=0), 0.0, atol=1e-13)


def test_a_prompt_shows_tables_and_what_was_asked_wrongly():
    model, X, y = fitted()
    results = model.inference(X, y)
    assert repr(results) == str(results) == repr(results.summary())
    assert repr(model.summary()) == str(model.summary()) == str(results)
    smaller = bp.LogisticRegression(C=np.inf, tol=1e-16).fit(X[["age"]], y)
    with pytest.raises(TypeError, match=r"for a test against a smaller fit its results: lr_test\("):
        results.lr_test(smaller)
    assert results.lr_test(smaller.summary()).df == 3
    with pytest.raises(ValueError, match=r"inference needs y, what the fit was given"):
        model.inference(X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_infinite_estimate_is_tested_by_what_the_likelihood_rises_to(n_classes):
    X, y = simulated(n_classes)
    X["rare"] = ((y == "low") & (X["age"] < 30.0)).astype(float)  # of one class alone
    with pytest.warns(bp.SeparationWarning, match="rare"):
        model = bp.LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    results = model.inference(X, y)
    smaller = bp.LogisticRegression(C=np.inf, tol=1e-12).fit(X.drop(columns="rare"), y).summary()
    found, expected = results.lr_test("rare"), results.lr_test(smaller)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-7)
    assert found.df == expected.df == n_classes - 1
    with pytest.raises(ValueError, match=r"no finite estimate .* by Wald's test; use lr_test"):
        results.wald_test("rare")
    name = "age" if n_classes == 2 else ("mid", "age")
    place = list(results.index).index(name)
    row = [float(at == place) for at in range(len(results.index))]
    z = results.tvalues[name]
    for what in (name, row, [row]):
        assert results.wald_test(what).statistic == pytest.approx(z**2, rel=1e-9)


def test_a_row_of_the_fit_without_a_group_is_told_of():
    X, y = simulated()
    X.loc[3, "age"] = np.nan
    model = bp.LogisticRegression(C=np.inf, missing="drop").fit(X, y)
    groups = np.arange(200.0) // 4
    groups[3] = np.nan  # of a row that was left out
    assert model.inference(X, y, cov="cluster", groups=groups).n_groups == 50
    groups[[8, 9]] = np.nan
    with pytest.raises(ValueError, match="groups has no label in 2 of the 199 rows"):
        model.inference(X, y, cov="cluster", groups=groups)
