"""LogisticRegressionCV: against scikit-learn, by brute force, its rules, its errors."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegressionCV as Peer
from sklearn.metrics import get_scorer, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, RepeatedStratifiedKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

import backpass as bp

MODERATE = np.logspace(-3.0, 1.0, 5)  # no probability of these fits rounds to 0


def scaled(loader):
    X, y = loader(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def mixed(n_rows=400, seed=0):
    """Return a frame with a number, a rare level, missing values in both kinds, and classes."""
    rng = np.random.default_rng(seed)
    age, town = rng.normal(50.0, 10.0, n_rows), rng.choice(["Ulm", "Bonn", "Hof"], n_rows)
    logits = (age - 50.0) / 10.0 + (town == "Ulm") - 0.5
    y = np.where(logits + rng.logistic(size=n_rows) > 0.0, "yes", "no")
    frame = pd.DataFrame({"age": age, "town": town})
    frame.loc[7, "town"] = "Ems"  # in one split a level that was never fitted to
    frame.loc[rng.choice(n_rows, 30, replace=False), "age"] = np.nan
    return frame, pd.Series(y, name="bought")


def peer(Cs, scoring, **options):
    """Return scikit-learn's, with the parameters that its version has."""
    known = signature(Peer).parameters
    # By "newton-cholesky" 1.7 gives softmax other scores than the same fits made one by one have.
    solver = "newton-cg"
    if "use_legacy_attributes" in known:
        options |= {"use_legacy_attributes": False, "l1_ratios": (0.0,)}
        solver = "newton-cholesky"
    return Peer(Cs=Cs, scoring=scoring, solver=solver, tol=1e-10, max_iter=1000, **options)


def peer_scores(fitted, n_splits):
    scores = fitted.scores_
    return (next(iter(scores.values())) if isinstance(scores, dict) else scores).reshape(
        n_splits, -1
    )


@pytest.mark.parametrize("loader", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", None, "neg_brier_score"])
def test_scores_and_choice_are_scikit_learns(loader, scoring):
    X, y = scaled(loader)
    ours = bp.LogisticRegressionCV(MODERATE, scoring=scoring, tol=1e-14).fit(X, y)
    theirs = peer(MODERATE, scoring).fit(X, y)
    np.testing.assert_allclose(ours.scores_[:, 0], peer_scores(theirs, 5), atol=1e-6)
    assert np.ravel(theirs.C_)[0] == ours.C_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)


def test_weights_are_scikit_learns():
    X, y = scaled(load_iris)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    ours = bp.LogisticRegressionCV(MODERATE, cv=3, tol=1e-14).fit(X, y, sample_weight=weight)
    theirs = peer(MODERATE, "neg_log_loss", cv=3).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.scores_[:, 0], peer_scores(theirs, 3), atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("options", [{}, {"standardize": True, "class_weight": "balanced"}])
def test_every_fit_of_a_split_is_the_one_made_by_hand(l1_ratio, options):
    """A warm start and a path change nothing: each fit is certified like one made alone."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, :6]
    Cs = [1e-3, 0.1, 10.0]
    splits = list(KFold(3, shuffle=True, random_state=1).split(X))
    found = bp.LogisticRegressionCV(
        Cs, cv=splits, l1_ratios=[l1_ratio], tol=1e-10, max_iter=5000, **options
    ).fit(X, y)
    for place, (fit, score) in enumerate(splits):
        for turn, C in enumerate(Cs):
            alone = bp.LogisticRegression(C, l1_ratio, tol=1e-10, max_iter=5000, **options)
            alone.fit(X[fit], y[fit])
            wanted = -log_loss(y[score], alone.predict_proba(X[score]))
            assert found.scores_[place, 0, turn] == pytest.approx(wanted, abs=1e-5)  # √gap
            np.testing.assert_allclose(
                found.coefs_paths_[place, 0, turn],
                np.column_stack([alone.coef_, alone.intercept_]),
                rtol=1e-3,
                atol=1e-5,
            )


def test_the_model_is_that_of_a_fit_at_the_chosen_strength_to_the_last_bit():
    X, y = load_iris(return_X_y=True)
    found = bp.LogisticRegressionCV(standardize=True).fit(X, y)
    alone = bp.LogisticRegression(found.C_, standardize=True).fit(X, y)
    np.testing.assert_array_equal(found.coef_, alone.coef_)
    np.testing.assert_array_equal(found.predict_proba(X), alone.predict_proba(X))
    assert found.gap_ == alone.gap_ and found.converged_
    assert str(found.summary()) == str(alone.summary())


def test_a_warm_path_reads_the_rows_less_often_than_fits_alone():
    X, y = load_digits(return_X_y=True)
    X, Cs = X[:, 10:40], np.logspace(-4.0, 0.0, 9)
    found = bp.LogisticRegressionCV(Cs, cv=2, refit=False).fit(X, y)
    halves = list(StratifiedKFold(2).split(X, y))
    alone = sum(
        bp.LogisticRegression(C).fit(X[fit], y[fit]).passes_ * len(fit)
        for C in Cs
        for fit, _ in halves
    )
    scored = len(Cs)  # each row once a strength
    assert found.passes_ - scored < 0.8 * alone / len(y)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array, np.asfortranarray])
def test_storage_does_not_matter(make):
    X, y = scaled(load_iris)
    found = bp.LogisticRegressionCV(MODERATE, tol=1e-14).fit(make(X), y)
    wanted = bp.LogisticRegressionCV(MODERATE, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-7)
    assert found.C_ == wanted.C_


def test_bits_do_not_depend_on_threads():
    X, y = scaled(load_breast_cancer)
    one = bp.LogisticRegressionCV(MODERATE, l1_ratios=[0.0, 0.5], n_jobs=1).fit(X, y)
    four = bp.LogisticRegressionCV(MODERATE, l1_ratios=[0.0, 0.5], n_jobs=4).fit(X, y)
    np.testing.assert_array_equal(one.scores_, four.scores_)
    np.testing.assert_array_equal(one.coefs_paths_, four.coefs_paths_)


@pytest.mark.filterwarnings("ignore::backpass.data.unseen.UnseenWarning")  # of the fits by hand
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_are_learned_from_the_rows_fitted_to_alone(library):
    X, y = mixed()
    place = StratifiedKFold(4).split(X, y)
    given = X
    if library == "polars":
        given = pytest.importorskip("polars").from_pandas(X)
    if library == "pyarrow":
        given = pytest.importorskip("pyarrow").Table.from_pandas(X, preserve_index=False)
    found = bp.LogisticRegressionCV([0.01, 1.0], cv=4, standardize=True, tol=1e-12).fit(given, y)
    names = [str(name) for name in found.coef_names_]
    for split, (fit, score) in enumerate(place):
        alone = bp.LogisticRegression(1.0, standardize=True, tol=1e-12)
        alone.fit(X.iloc[fit], y.iloc[fit])
        wanted = -log_loss(y.iloc[score], alone.predict_proba(X.iloc[score]))
        assert found.scores_[split, 0, 1] == pytest.approx(wanted, abs=1e-6)  # √gap
        own = list(alone.coef_names_)
        ems = found.coefs_paths_[split, 0, 1, 0, names.index("town=Ems")]
        assert np.isnan(ems) == ("town=Ems" not in own)
    assert np.isnan(found.coefs_paths_).any() and np.isfinite(found.coef_).all()


def test_a_missing_value_that_is_only_in_the_rows_left_out_is_scored():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.iloc[3, 0] = np.nan
    found = bp.LogisticRegressionCV(MODERATE).fit(X, y)
    assert np.isfinite(found.scores_).all() and found.best_estimator_.missing is None
    dropped = bp.LogisticRegressionCV(MODERATE, missing="drop", cv=np.arange(150) % 5).fit(X, y)
    kept = np.arange(150) != 3
    wanted = bp.LogisticRegressionCV(MODERATE, cv=(np.arange(150) % 5)[kept]).fit(X[kept], y[kept])
    np.testing.assert_allclose(dropped.scores_, wanted.scores_, rtol=1e-12)


def test_the_one_standard_error_rule_takes_the_strongest_penalty_within_it():
    X, y = scaled(load_breast_cancer)
    Cs = np.geomspace(1e-3, 10.0, 13)
    best = bp.LogisticRegressionCV(Cs, l1_ratios=[0.0, 1.0]).fit(X, y)
    simple = bp.LogisticRegressionCV(Cs, l1_ratios=[0.0, 1.0], rule="1se").fit(X, y)
    mean = best.scores_.mean(axis=0)
    error = best.scores_.std(axis=0, ddof=1) / np.sqrt(5)
    ratio, turn = np.unravel_index(mean.argmax(), mean.shape)
    enough = mean[ratio] >= mean.max() - error[ratio, turn]
    assert (best.C_, best.l1_ratio_) == (best.Cs_[turn], best.l1_ratios_[ratio])
    assert (simple.C_, simple.l1_ratio_) == (best.Cs_[enough.argmax()], best.l1_ratio_)
    assert simple.C_ < best.C_ and simple.best_index_ == best.best_index_


def test_results_are_laid_out_as_grid_searchs():
    X, y = scaled(load_iris)
    found = bp.LogisticRegressionCV([10.0, 0.1], l1_ratios=[0.0, 0.5], cv=3).fit(X, y)
    results = found.cv_results_
    assert found.Cs_.tolist() == [0.1, 10.0]
    assert results["params"][1] == {"C": 10.0, "l1_ratio": 0.0}
    scores = np.array([results[f"split{place}_test_score"] for place in range(3)])
    np.testing.assert_array_equal(scores.reshape(3, 2, 2), found.scores_)
    np.testing.assert_allclose(results["mean_test_score"], scores.mean(axis=0))
    np.testing.assert_allclose(results["std_test_score"], scores.std(axis=0))
    assert sorted(results["rank_test_score"]) == [1, 2, 3, 4]
    assert results["rank_test_score"][found.best_index_] == 1
    assert results["converged"].all() and (results["gap"] <= found.tol).all()
    assert found.passes_ == pytest.approx(results["passes"].sum() + found.best_estimator_.passes_)
    assert found.n_iter_.shape == (3, 2, 2)


def test_all_ways_to_say_how_rows_are_divided_agree():
    X, y = scaled(load_iris)
    splits = list(StratifiedKFold(3).split(X, y))
    fold_of_row = np.empty(len(y), dtype=int)
    for place, (_, score) in enumerate(splits):
        fold_of_row[score] = place
    masks = [(fold_of_row != place, fold_of_row == place) for place in range(3)]
    ways = [3, StratifiedKFold(3), splits, iter(splits), masks, fold_of_row]
    found = [bp.LogisticRegressionCV(MODERATE, cv=way).fit(X, y).scores_ for way in ways]
    for scores in found[1:]:
        np.testing.assert_array_equal(scores, found[0])
    assert bp.LogisticRegressionCV(MODERATE, cv=None).fit(X, y).scores_.shape == (5, 1, 5)
    repeated = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    assert bp.LogisticRegressionCV(MODERATE, cv=repeated).fit(X, y).scores_.shape == (6, 1, 5)


def test_groups_go_to_the_splitter():
    X, y = scaled(load_iris)
    groups = np.arange(len(y)) % 7
    found = bp.LogisticRegressionCV(MODERATE, cv=GroupKFold(3)).fit(X, y, groups=groups)
    splits = list(GroupKFold(3).split(X, y, groups))
    wanted = bp.LogisticRegressionCV(MODERATE, cv=splits).fit(X, y)
    np.testing.assert_array_equal(found.scores_, wanted.scores_)


def test_a_scorer_sees_rows_as_they_were_given():
    X, y = mixed()
    seen = []

    def scorer(model, rows, labels):
        seen.append((type(rows), list(rows.columns), labels.name))
        return get_scorer("accuracy")(model, rows, labels)

    bp.LogisticRegressionCV([1.0], cv=2, scoring=scorer, n_jobs=1).fit(X, y)
    assert seen == [(pd.DataFrame, ["age", "town"], "bought")] * 2


def test_offsets_are_divided_with_the_rows():
    rng = np.random.default_rng(0)
    X, offset = rng.normal(size=(200, 3)), rng.normal(size=200)
    y = (X[:, 0] + offset + rng.logistic(size=200) > 0.0).astype(int)
    splits = list(KFold(2).split(X))
    found = bp.LogisticRegressionCV([0.1], cv=splits, tol=1e-13).fit(X, y, offset=offset)
    for place, (fit, score) in enumerate(splits):
        alone = bp.LogisticRegression(0.1, tol=1e-13).fit(X[fit], y[fit], offset=offset[fit])
        wanted = -log_loss(y[score], alone.predict_proba(X[score], offset[score]))
        assert found.scores_[place, 0, 0] == pytest.approx(wanted, abs=1e-7)
    with pytest.raises(ValueError, match="fitted with an offset"):
        found.score(X, y)
    assert found.score(X, y, offset=offset) > found.score(X, y, offset=0 * offset)


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", "neg_brier_score"])
def test_scorers_that_know_no_offset_are_told_it(scoring):
    rng = np.random.default_rng(1)
    X, offset = rng.normal(size=(200, 3)), 2.0 * rng.normal(size=200)
    y = (X[:, 0] + offset + rng.logistic(size=200) > 0.0).astype(int)
    splits = list(KFold(2).split(X))
    found = bp.LogisticRegressionCV([0.1], cv=splits, scoring=scoring, tol=1e-13)
    found.fit(X, y, offset=offset)
    measure = {
        "roc_auc": lambda y, proba: roc_auc_score(y, proba),
        "accuracy": lambda y, proba: np.mean((proba > 0.5) == y),
        "neg_brier_score": lambda y, proba: -np.mean((proba - y) ** 2),
    }[scoring]
    for place, (fit, score) in enumerate(splits):
        alone = bp.LogisticRegression(0.1, tol=1e-13).fit(X[fit], y[fit], offset=offset[fit])
        proba = alone.predict_proba(X[score], offset[score])[:, 1]
        assert found.scores_[place, 0, 0] == pytest.approx(measure(y[score], proba), abs=1e-7)
    proba = found.predict_proba(X, offset)[:, 1]
    assert found.score(X, y, offset=offset) == pytest.approx(measure(y, proba), abs=1e-12)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc"])
@pytest.mark.parametrize("weighted", [False, True])
def test_counts_are_scored_by_their_trials(scoring, weighted):
    rng = np.random.default_rng(2)
    n = 40
    X, counts = rng.normal(size=(n, 2)), rng.integers(0, 4, size=(n, 2))
    weight = rng.integers(1, 4, n).astype(float) if weighted else None
    times = counts if weight is None else counts * weight[:, None]
    parameters = {"Cs": [0.1, np.inf], "scoring": scoring, "tol": 1e-13}
    found = bp.LogisticRegressionCV(cv=4, **parameters).fit(X, counts, weight)
    folds = np.arange(n) // 10  # a number of folds cuts rows of counts in their order
    single = bp.LogisticRegressionCV(cv=np.tile(folds, 2), **parameters)
    single.fit(np.vstack([X, X]), np.repeat([0, 1], n), times.T.ravel().astype(float))
    np.testing.assert_allclose(found.scores_, single.scores_, atol=1e-7)
    np.testing.assert_allclose(found.coef_, single.coef_, atol=1e-6)
    said = found.score(X, counts, weight)
    expected = single.score(np.vstack([X, X]), np.repeat([0, 1], n), times.T.ravel().astype(float))
    assert said == pytest.approx(expected, abs=1e-7)


def test_counts_of_which_a_split_has_one_kind_only():
    counts = np.array([[1, 0]] * 4 + [[0, 1]] * 4)
    with pytest.raises(ValueError, match="cv, split 0: no row of class 0 is among those fitted"):
        bp.LogisticRegressionCV([1.0], cv=2).fit(np.arange(8.0)[:, None], counts)


@pytest.mark.parametrize("beside", [False, True])
def test_a_formula_is_learned_from_the_rows_fitted_to_alone(beside):
    pytest.importorskip("formulaic")
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"a": rng.normal(size=90) + np.arange(90) / 30, "o": rng.normal(size=90)})
    table["town"] = rng.choice(["Bonn", "Ulm"], 90)
    table["won"] = np.where(table["a"] + rng.logistic(size=90) > 1.5, "yes", "no")
    right, y = "~ scale(a) * town + offset(o)", table["won"] if beside else None
    formula = right if beside else "won " + right
    splits = list(KFold(3).split(table))
    options = {"tol": 1e-13, "reference": {"town": "Ulm"}}  # which a formula reads at any C
    found = bp.LogisticRegressionCV([0.1, np.inf], cv=splits, **options)
    found.fit(table, y, formula=formula)
    assert found.coef_names_.tolist() == ["scale(a)", "townBonn", "scale(a):townBonn"]
    for place, (fit, score) in enumerate(splits):
        for turn, C in enumerate([0.1, np.inf]):
            alone = bp.LogisticRegression(C, **options)
            alone.fit(table.iloc[fit], None if y is None else y.iloc[fit], formula=formula)
            wanted = -log_loss(
                table["won"].iloc[score],
                alone.predict_proba(table.iloc[score]),
                labels=["no", "yes"],
            )
            assert found.scores_[place, 0, turn] == pytest.approx(wanted, abs=1e-6)
    assert found.score(table, y) == pytest.approx(
        -log_loss(table["won"], found.predict_proba(table)), abs=1e-12
    )


def test_a_formula_leaves_rows_out_of_fits_and_scores():
    pytest.importorskip("formulaic")
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"a": rng.normal(size=60), "won": rng.choice(["yes", "no"], 60)})
    table.loc[[0, 7], "a"], table.loc[[5, 59], "won"] = np.nan, None
    options = {"Cs": [0.1], "missing": "drop", "tol": 1e-13}
    folds = np.arange(60) % 3
    found = bp.LogisticRegressionCV(cv=folds, **options).fit(table, formula="won ~ a")
    whole = table.notna().all(axis=1).to_numpy()
    alone = bp.LogisticRegressionCV(cv=folds[whole], **options)
    alone.fit(table[whole], formula="won ~ a")
    np.testing.assert_allclose(found.scores_, alone.scores_, atol=1e-12)
    np.testing.assert_array_equal(found.coef_, alone.coef_)


def test_baselines_hold_where_there_is_no_penalty():
    frame, labels = mixed()
    frame = frame.dropna().drop(index=7)
    labels = labels[frame.index]
    reference = {"town": "Ulm", "bought": labels.iloc[0]}
    found = bp.LogisticRegressionCV([1.0, np.inf], cv=2, reference=reference).fit(frame, labels)
    alone = bp.LogisticRegression(np.inf, reference=reference).fit(frame, labels)
    plain = bp.LogisticRegression(1.0).fit(frame, labels)
    for C, model in ((1.0, plain), (np.inf, alone)):
        again = bp.LogisticRegressionCV([1.0, np.inf], cv=2, reference=reference)
        again.scoring = lambda model, X, y, C=C: float(model.C == C)
        again.fit(frame, labels)
        assert again.C_ == C and again.coef_names_.tolist() == model.coef_names_.tolist()
        assert str(again.summary()) == str(model.summary())
    assert "town=Ulm" in plain.coef_names_ and "town=Ulm" not in alone.coef_names_
    assert set(found.scores_.shape) == {2, 1}
    with pytest.raises(bp.DataError, match="level 'Rome', which does not occur"):
        bp.LogisticRegressionCV([1.0, np.inf], reference={"town": "Rome"}).fit(frame, labels)
    with pytest.raises(ValueError, match=r"reference is .* but C is 2: under a penalty"):
        bp.LogisticRegressionCV([1.0, 2.0], reference=reference).fit(frame, labels)


def test_the_only_row_of_a_class_is_always_fitted_to():
    X, y = scaled(load_iris)
    y = y.copy()
    y[17] = 9
    found = bp.LogisticRegressionCV([0.1], cv=3).fit(X, y)
    assert found.classes_.tolist() == [0, 1, 2, 9]
    assert found.coefs_paths_.shape == (3, 1, 1, 4, 5)


def test_maximum_likelihood_may_be_a_candidate():
    X, y = scaled(load_breast_cancer)
    found = bp.LogisticRegressionCV([np.inf, 1.0], cv=3).fit(X[:, :2], y)
    assert found.Cs_.tolist() == [1.0, np.inf] and found.cv_results_["converged"].all()
    frame, labels = mixed()
    frame = frame.dropna().drop(index=7)
    best = bp.LogisticRegressionCV([np.inf], cv=2).fit(frame, labels[frame.index])
    assert "town=Bonn" not in best.coef_names_  # a baseline
    assert best.summary().to_frame().shape == (4, 6)


def test_refit_false_only_compares():
    X, y = scaled(load_iris)
    found = bp.LogisticRegressionCV(MODERATE, refit=False).fit(X, y)
    assert found.C_ == bp.LogisticRegressionCV(MODERATE).fit(X, y).C_
    with pytest.raises(NotFittedError, match="refit=False chose C="):
        found.predict(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        bp.LogisticRegressionCV().predict(X)


def test_a_fit_that_does_not_converge_is_told_of():
    X, y = scaled(load_breast_cancer)
    with pytest.warns(ConvergenceWarning, match="fits to parts of the rows did not converge"):
        found = bp.LogisticRegressionCV([0.1, 1e4], max_iter=2, tol=1e-12, refit=False).fit(X, y)
    assert not found.cv_results_["converged"].all()


def test_a_confident_mistake_costs_what_it_costs():
    """scikit-learn's log-loss knows no probability below 2e-16; a logit of -80 costs 80."""
    x = np.concatenate([np.linspace(-1.0, 1.0, 40), [-80.0, 80.0]])[:, None]
    y = (x[:, 0] > 0.0).astype(int)
    y[-2:] = [1, 0]
    split = [(np.arange(40), np.array([40, 41]))]
    found = bp.LogisticRegressionCV([1.0], cv=split).fit(x, y)
    alone = bp.LogisticRegression(1.0).fit(x[:40], y[:40])
    cost = np.logaddexp(0.0, [1.0, -1.0] * -alone.decision_function(x[40:]))
    assert cost.min() > 40.0
    assert found.scores_[0, 0, 0] == pytest.approx(-cost.mean(), rel=1e-12)


def test_the_path_is_drawn():
    X, y = scaled(load_breast_cancer)
    found = bp.LogisticRegressionCV([0.01, 0.1, 1.0, np.inf], rule="1se").fit(X[:, :8], y)
    axes = found.plot_path(Figure().subplots())
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [0.01, 0.1, 1.0, 10.0]  # C=inf a decade after the last
    np.testing.assert_array_equal(line.get_ydata(), found.cv_results_["mean_test_score"])
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(f"C = {found.C_:.3g}" in text for text in said)
    assert "∞" in axes.get_xlabel()


def test_it_is_cloned_and_saved(tmp_path):
    X, y = mixed()
    found = clone(bp.LogisticRegressionCV([0.1, 1.0], cv=2)).fit(X, y)
    bp.save(found, tmp_path / "m.safetensors")
    again = bp.load(tmp_path / "m.safetensors")
    assert again.C == found.C_
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    with pytest.raises(bp.ModelFileError, match="not fitted"):
        bp.save(bp.LogisticRegressionCV(), tmp_path / "n.safetensors")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"Cs": 0}, "Cs is 0; it is how many to try"),
        ({"Cs": []}, "Cs is empty"),
        ({"Cs": [1.0, -1.0]}, r"Cs has -1.0; each is a positive number"),
        ({"Cs": "many"}, "Cs is 'many'"),
        ({"l1_ratios": [2.0]}, "l1_ratios has 2.0; each is a number from 0 to 1"),
        ({"l1_ratios": 0.5}, "l1_ratios is 0.5; it is a list"),
        ({"rule": "2se"}, "rule is '2se'; it is 'best', or '1se'"),
        ({"cv": 1}, "cv is 1; a number of folds is 2 or more"),
        ({"cv": 60}, "cv=60 folds need a class of at least as many rows, but the largest has 50"),
        ({"cv": "loo"}, "cv is 'loo'; it is a number of folds"),
        ({"cv": 0.2}, "cv is 0.2; it is a number of folds"),
        ({"cv": np.zeros(3, int)}, "cv is an array of 3 numbers, but there are 150 rows"),
        ({"cv": []}, "cv gives no split"),
        ({"cv": [([0, 1], [])]}, "cv, split 0: there are no rows to score"),
        ({"cv": [([0, 150], [1])]}, "cv, split 0: row 150 is asked for, but there are 150 rows"),
        ({"cv": KFold(3)}, "cv, split 0: no row of class 0 is among those fitted to"),
        ({"rule": "1se", "cv": [(np.arange(150), [1])]}, "rule='1se' needs the spread"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"scoring": lambda model, X, y: np.nan}, "is nan, so nothing can be chosen"),
    ],
)
def test_wrong_parameters(parameters, says):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=says):
        bp.LogisticRegressionCV(**parameters).fit(X, y)


def test_wrong_data():
    X, y = load_iris(return_X_y=True)
    model = bp.LogisticRegressionCV(cv=3)
    with pytest.raises(ValueError, match="sample_weight is 0 in every row of class 2"):
        model.fit(X, y, sample_weight=(y < 2).astype(float))
    with pytest.raises(ValueError, match="cv, split 0: the rows to score have no weight"):
        weight = (np.arange(150) % 3 > 0).astype(float)
        bp.LogisticRegressionCV(cv=np.arange(150) % 3).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(TypeError, match="fit got 'offsets'"):
        model.fit(X, y, offsets=1)
    with pytest.raises(ValueError, match="groups= is for a splitter that reads it"):
        model.fit(X, y, groups=np.arange(150))
