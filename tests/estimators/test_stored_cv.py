"""LogisticRegressionCV on datasets in files: the numbers of the same rows in memory, no copies."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

import backpass as bp
from backpass.data.selection import PIECE, Selection
from backpass.data.store import ArrayWriter
from backpass.estimators.folds import NumberedFolds, stratified

Cs = [0.01, 1.0]


def table(n_rows=500, seed=0):
    """Return a frame of numbers and categories with missing values, weights, and three classes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, 2)).round(3)
    town = rng.choice(["Ulm", "Bonn", "Hof"], n_rows)
    logits = np.column_stack([x[:, 0], x[:, 1] + (town == "Ulm"), np.zeros(n_rows)])
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    frame = pd.DataFrame({"age": x[:, 0], "size": x[:, 1], "town": town})
    frame.loc[rng.choice(n_rows, 40, replace=False), "age"] = np.nan
    frame.loc[rng.choice(n_rows, 40, replace=False), "town"] = None
    weight = rng.integers(1, 4, n_rows).astype(float)
    return frame.assign(weight=weight, kind=np.array(["a", "b", "c"])[y])


@pytest.fixture
def csv(tmp_path):
    def write(frame):
        frame.to_csv(tmp_path / "rows.csv", index=False)
        return tmp_path / "rows.csv"

    return write


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", "neg_brier_score"])
@pytest.mark.parametrize("weight", [None, "weight"])
def test_scores_are_those_of_the_rows_in_memory(csv, scoring, weight):
    frame = table()
    drop = () if weight else ("weight",)
    dataset = bp.open_dataset(csv(frame), target="kind", weight=weight, drop=drop)
    options = {"cv": 3, "scoring": scoring, "standardize": True, "tol": 1e-12}
    found = bp.LogisticRegressionCV(Cs, **options).fit(dataset)
    given = frame["weight"].to_numpy() if weight else None
    X, y = frame[["age", "size", "town"]], frame["kind"]
    wanted = bp.LogisticRegressionCV(Cs, **options).fit(X, y, sample_weight=given)
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-6)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, atol=1e-4)
    assert found.C_ == wanted.C_
    np.testing.assert_array_equal(found.coef_, wanted.coef_)


def test_nothing_is_copied(csv, monkeypatch):
    dataset = bp.open_dataset(csv(table()), target="kind", drop=["weight"])
    assert dataset.n_rows == 500  # reads the file into the store

    def refuse(self, rows):
        raise AssertionError("rows were copied")

    monkeypatch.setattr(ArrayWriter, "append", refuse)
    found = bp.LogisticRegressionCV(Cs, cv=3).fit(dataset)
    assert found.converged_ and found.passes_ > 6.0


@pytest.mark.parametrize(
    "cv", [KFold(4, shuffle=True, random_state=1), StratifiedKFold(2), np.arange(500) % 3]
)
def test_any_way_to_divide_rows_will_do(csv, cv):
    frame = table()
    dataset = bp.open_dataset(csv(frame), target="kind", drop=["weight"])
    found = bp.LogisticRegressionCV(Cs, cv=cv, tol=1e-12).fit(dataset)
    X, y = frame[["age", "size", "town"]], frame["kind"]
    wanted = bp.LogisticRegressionCV(Cs, cv=cv, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-6)


def test_groups_and_offsets_come_beside_a_dataset(csv):
    frame = table()
    frame = frame[frame["kind"] != "c"].reset_index(drop=True)
    offset, groups = np.linspace(-1.0, 1.0, len(frame)), np.arange(len(frame)) % 9
    dataset = bp.open_dataset(csv(frame), target="kind", drop=["weight"])
    model = bp.LogisticRegressionCV(Cs, cv=GroupKFold(3), tol=1e-12)
    found = model.fit(dataset, offset=offset, groups=groups).scores_
    X, y = frame[["age", "size", "town"]], frame["kind"]
    wanted = model.fit(X, y, offset=offset, groups=groups).scores_
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_rows_with_missing_values_are_dropped_in_each_split(csv):
    frame = table()
    dataset = bp.open_dataset(csv(frame), target="kind", drop=["weight"])
    fold_of_row = np.arange(500) % 4
    model = bp.LogisticRegressionCV(Cs, cv=fold_of_row, missing="drop", tol=1e-12)
    found = model.fit(dataset).scores_
    X, y = frame[["age", "size", "town"]], frame["kind"]
    np.testing.assert_allclose(found, model.fit(X, y).scores_, atol=1e-6)


def test_sparse_rows(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 12)) * (rng.uniform(size=(300, 12)) < 0.3)
    X[5] = 0.0  # a row without entries
    y = (X[:, 0] + rng.logistic(size=300) > 0.0).astype(int)
    dump_svmlight_file(X, y, str(tmp_path / "rows.svm"), zero_based=False)
    X, y = load_svmlight_file(str(tmp_path / "rows.svm"))
    dataset = bp.open_dataset(tmp_path / "rows.svm")
    for cv in (3, np.arange(300) % 3):
        found = bp.LogisticRegressionCV(Cs, cv=cv, scoring="roc_auc", tol=1e-12).fit(dataset)
        wanted = bp.LogisticRegressionCV(Cs, cv=cv, scoring="roc_auc", tol=1e-12).fit(X, y)
        np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-6)
        np.testing.assert_allclose(found.coef_, wanted.coef_, atol=1e-9)


def test_what_needs_all_rows_in_memory_is_refused(csv):
    dataset = bp.open_dataset(csv(table()), target="kind", drop=["weight"])
    with pytest.raises(ValueError, match="scoring is 'f1_macro', but a dataset's rows are scored"):
        bp.LogisticRegressionCV(scoring="f1_macro").fit(dataset)
    with pytest.raises(ValueError, match="no row of class 'a' is among those fitted to"):
        kind = np.array(table()["kind"])
        bp.LogisticRegressionCV(cv=[(kind != "a", kind == "a")]).fit(dataset)


@pytest.mark.parametrize("places", [slice(None), slice(3, 900_000, 7), slice(70_000, 70_000)])
def test_a_selection_numbers_its_rows(places):
    wanted = np.random.default_rng(0).uniform(size=5 * PIECE + 17) < 0.3
    wanted[PIECE : 3 * PIECE] = False  # pieces without any
    selection = Selection(wanted)
    numbers = np.flatnonzero(wanted)
    assert selection.n_rows == len(numbers)
    np.testing.assert_array_equal(selection.numbers(places), numbers[places])
    inner = Selection(np.arange(len(numbers)) % 2 == 0)
    np.testing.assert_array_equal(selection.within(inner).numbers(places), numbers[::2][places])


@pytest.mark.parametrize("step", [1, 3, 50_000])
def test_selected_rows_are_read_over_shards_and_windows(step, monkeypatch):
    monkeypatch.setattr("backpass.data.store.SHARD_BYTES", 1 << 16)
    monkeypatch.setattr("backpass.data.store._WINDOW", 1 << 12)
    values = np.arange(90_000.0).reshape(30_000, 3)
    writer = ArrayWriter(None, "numbers", np.float64, 3)
    writer.append(values)
    array = writer.finish()
    assert len(array.shards) > 5
    wanted = np.random.default_rng(1).uniform(size=30_000) < 0.2
    chosen = array.select(Selection(wanted))
    for places in (slice(0, None, step), slice(17, 4000, step), slice(9, 9)):
        np.testing.assert_array_equal(chosen.read(places), values[wanted][places])
    half = Selection(np.arange(wanted.sum()) % 2 == 1)
    np.testing.assert_array_equal(chosen.select(half).read(slice(None)), values[wanted][1::2])


def test_a_splits_rows_are_all_others_and_its_own():
    y = np.array(["a"] * 50 + ["b"] * 23 + ["c"])[np.random.default_rng(6).permutation(74)]
    seen = []
    for fit, score in NumberedFolds(stratified(5, y, seed=0)):
        assert (fit != score).all() and fit[y == "c"].all()
        assert (score & (y == "a")).sum() == 10
        seen += np.flatnonzero(score).tolist()
    assert sorted(seen) == np.flatnonzero(y != "c").tolist()


@pytest.mark.parametrize("n_folds", [2, 3, 7])
def test_folds_are_stratified_k_folds(n_folds):
    y = np.random.default_rng(n_folds).integers(0, 4, 203) ** 2
    place = np.empty(len(y), dtype=int)
    for fold, (_, score) in enumerate(StratifiedKFold(n_folds).split(y, y)):
        place[score] = fold
    np.testing.assert_array_equal(stratified(n_folds, y), place)
    shuffled = stratified(n_folds, y, seed=0)
    for label in np.unique(y):
        counts = [np.bincount(folds[y == label]).tolist() for folds in (shuffled, place)]
        assert counts[0] == counts[1]
    assert (shuffled != place).any()
    np.testing.assert_array_equal(shuffled, stratified(n_folds, y, seed=0))
