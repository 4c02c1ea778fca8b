"""Columns of free text in datasets: what is learned, whatever the file, the block and the way."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.metrics import log_loss, roc_auc_score

import backpass as bp
from backpass.data.dataset import Dataset
from backpass.data.document import DocumentError
from backpass.data.errors import DataError
from backpass.data.selection import Selection
from backpass.data.text_column import Text
from backpass.encoding import Encoding
from backpass.streaming import StoredEncoded, hold_out, prepare

SMS = Path(__file__).resolve().parents[2].parent / "shared/data/sms_spam/SMSSpamCollection.tsv"
WORDS = ["the", "a", "of", "red", "green", "blue", "one", "two", "three", "x", "y"]
WORDS += ["ßtrasse", "éclair", "中文", "naïve"]


def reviews(n_rows=400, seed=0):
    """Make a table of two texts, a number with gaps, a category, and labels that follow them."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(0, 12))) for _ in range(n_rows)]
    texts[3], texts[5] = 'a "quoted"\nsecond line, red', "... !"
    logit = [text.count("red") - text.count("blue") for text in texts]
    frame = pd.DataFrame({"title": rng.choice(["Red one", "blue TWO", "Green"], n_rows)})
    frame["age"] = np.where(rng.random(n_rows) < 0.1, np.nan, rng.integers(18, 90, n_rows))
    frame["text"] = texts
    frame["city"] = rng.choice(["Oslo", "Riga"], n_rows)
    frame["good"] = np.where(rng.logistic(size=n_rows) < logit, "yes", "no")
    return frame


def opened(frame, folder, name="reviews.csv", text=("text", "title"), **options):
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=70)
    else:
        frame.to_csv(path, index=False)
    return bp.open_dataset(path, target="good", text=text, **options)


def rows_of(table, encoding):
    """Return a store's rows, encoded."""
    return sparse.csr_array(StoredEncoded(table, encoding).rows()[:])


def same_fit(one, other):
    assert list(one.coef_names_) == list(other.coef_names_)
    assert one.coef_.tobytes() == other.coef_.tobytes()
    assert one.intercept_.tobytes() == other.intercept_.tobytes()
    assert one.gap_ == other.gap_


def test_columns_are_those_of_tfidf_vectorizer(tmp_path):
    frame = reviews()
    frame["text"] = frame["text"].where(frame["text"] != "", "x")  # an empty cell is a missing text
    fit = prepare(opened(frame, tmp_path, text=["text"], drop=["title"]).table, "indicator", None)
    peer = TfidfVectorizer(sublinear_tf=True)
    expected = peer.fit_transform(frame["text"])
    rows = sparse.csr_array(fit.stored.rows()[:])
    names = fit.encoding.coef_names
    assert names[:4] == ["age", "age (missing)", "city=Oslo", "city=Riga"]
    assert sorted(names[4:]) == sorted(f"text[{word}]" for word in peer.vocabulary_)
    order = [names.index(f"text[{word}]") for word in peer.get_feature_names_out()]
    np.testing.assert_allclose(rows[:, order].toarray(), expected.toarray(), rtol=1e-14)
    written = rows.toarray()
    np.testing.assert_allclose(fit.encoding.means, written.mean(axis=0), rtol=1e-12)
    deviations = written[:, 2:].std(axis=0)  # a number's is that of its present values
    np.testing.assert_allclose(fit.encoding.scales[2:], deviations, rtol=1e-11)


def test_a_fit_is_scikit_learns_on_the_same_columns(tmp_path):
    data = opened(reviews(), tmp_path)
    model = bp.LogisticRegression(C=3.0, tol=1e-10).fit(data)
    rows = prepare(data.table, "indicator", None).stored.rows()
    peer = Peer(C=3.0, tol=1e-10, solver="newton-cholesky")
    peer.fit(rows[:], reviews()["good"])
    # The objective bends by 1/C or more along every coefficient, so the gap bounds the distance.
    apart = np.linalg.norm(model.coef_ - peer.coef_)
    assert model.gap_ <= 1e-10 * model.null_objective_
    assert apart <= np.sqrt(2.0 * 3.0 * model.gap_) + 1e-8
    assert model.score(reviews(), reviews()["good"]) > 0.6


@pytest.mark.parametrize("size", [64, 300])
def test_pieces_shards_and_formats_leave_no_trace_in_the_bits(tmp_path, monkeypatch, size):
    model = bp.LogisticRegression().fit(opened(reviews(), tmp_path))
    monkeypatch.setattr("backpass.data.bytestream.PIECE", size)
    monkeypatch.setattr("backpass.data.words._PIECE", size)
    monkeypatch.setattr("backpass.data.store.SHARD_BYTES", size)
    monkeypatch.setattr("backpass.data.parquet._BATCH", size)
    same_fit(model, bp.LogisticRegression().fit(opened(reviews(), tmp_path)))
    same_fit(model, bp.LogisticRegression().fit(opened(reviews(), tmp_path, "r.parquet")))
    same_fit(model, bp.LogisticRegression(n_jobs=1).fit(opened(reviews(), tmp_path)))


def test_a_frame_predicts_with_the_bits_of_the_file(tmp_path):
    data = opened(reviews(), tmp_path)
    model = bp.LogisticRegression().fit(data)
    rows = rows_of(data.table, model.encoding_)
    frame = reviews().drop(columns="good")
    for given in (frame, frame[frame.columns[::-1]], pa.Table.from_pandas(frame)):
        assert (model.encoding_.transform(given) != rows).nnz == 0
    # texts of a store that has them in another order
    other = opened(reviews()[["text", "city", "title", "age", "good"]], tmp_path, "o.csv").table
    assert (rows_of(other, model.encoding_) != rows).nnz == 0


def test_words_that_the_fit_did_not_see_count_for_nothing(tmp_path):
    model = bp.LogisticRegression().fit(opened(reviews(), tmp_path, text=["text", "title"]))
    frame = reviews().head(3)
    more = frame.assign(text=frame["text"] + " unheard of", title=frame["title"] + " zyx")
    known = frame.assign(text=frame["text"] + " of")
    assert (model.predict_proba(more) == model.predict_proba(known)).all()


def test_a_store_is_kept_with_its_words(tmp_path):
    data = opened(reviews(), tmp_path)
    model = bp.LogisticRegression().fit(data)
    bp.ingest(data, tmp_path / "kept.store")
    kept = bp.open_dataset(tmp_path / "kept.store")
    assert kept.column_names == ["title", "age", "text", "city"]
    same_fit(model, bp.LogisticRegression().fit(kept))
    with pytest.raises(DataError, match="'text' can be dropped or declared when the source is"):
        bp.open_dataset(tmp_path / "kept.store", text=["text"])


def edited(store, change):
    meta = json.loads((store / "meta.json").read_text())
    change(meta)
    (store / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta["columns"][2]["buckets"].reverse(),
        lambda meta: meta["columns"][2]["words"].pop(),
        lambda meta: meta["columns"][2].update(reading="letters"),
        lambda meta: meta["columns"][2]["buckets"].__setitem__(-1, 1 << 18),
        lambda meta: meta["arrays"].pop("words_indptr"),
        lambda meta: meta["arrays"].update(words_values=meta["arrays"]["words_indptr"]),
    ],
)
def test_a_store_with_another_description_is_refused(tmp_path, change):
    bp.ingest(opened(reviews(), tmp_path), tmp_path / "kept.store")
    edited(tmp_path / "kept.store", change)
    with pytest.raises(DataError, match=r"kept\.store: .*[Ii]ngest"):
        bp.open_dataset(tmp_path / "kept.store")


def test_a_store_whose_entries_point_elsewhere_is_refused(tmp_path):
    bp.ingest(opened(reviews(), tmp_path), tmp_path / "kept.store")
    shard = tmp_path / "kept.store" / "words_indices-00000.npy"
    places = np.load(shard)
    places[7] = 2**30  # the checksum is made to fit, as by somebody who means harm
    np.save(shard, places)
    import zlib

    crc = zlib.crc32(places.tobytes())
    edited(
        tmp_path / "kept.store",
        lambda meta: meta["arrays"]["words_indices"]["shards"].__setitem__(0, [len(places), crc]),
    )
    with pytest.raises(DataError, match="columns that it does not have"):
        bp.LogisticRegression().fit(bp.open_dataset(tmp_path / "kept.store"))


def with_gaps():
    frame = reviews()
    frame.loc[10:29, "text"] = ""
    frame.loc[20:24, "text"] = "NA"
    return frame


def test_missing_texts_are_marked(tmp_path):
    frame = with_gaps()
    gone = (frame["text"].isin(["", "NA"])).to_numpy()
    data = opened(frame, tmp_path, text=["text"])
    model = bp.LogisticRegression().fit(data)
    place = list(model.coef_names_).index("text (missing)")
    rows = rows_of(data.table, model.encoding_)
    np.testing.assert_array_equal(rows[:, [place]].toarray()[:, 0], gone)
    own = rows[:, place + 1 :].toarray()
    assert not own[gone].any()
    full = ~gone & ~frame["text"].str.contains("!", regex=False).to_numpy()
    single = frame["text"].str.fullmatch("[axy ]*").to_numpy()  # one letter is no word
    np.testing.assert_allclose(np.square(own[full & ~single]).sum(axis=1), 1.0, rtol=1e-12)
    blank = frame.assign(text=np.where(gone, None, frame["text"]))
    blank.loc[gone & (frame["text"] == ""), "text"] = " \n"
    assert (model.predict_proba(blank) == model.predict_proba(frame.replace("NA", None))).all()


def test_missing_texts_can_be_refused_or_left_out(tmp_path):
    frame = with_gaps()
    data = opened(frame, tmp_path, text=["text"], drop=["age"])
    gone = frame["text"].isin(["", "NA"])
    with pytest.raises(DataError, match=rf"missing in 'text' \({gone.sum()}\) of 400 rows"):
        bp.LogisticRegression(missing="raise").fit(data)
    model = bp.LogisticRegression(missing="drop").fit(data)
    whole = opened(frame[~gone], tmp_path, "whole.csv", text=["text"], drop=["age"])
    same_fit(model, bp.LogisticRegression(missing="drop").fit(whole))
    with pytest.raises(DataError, match=rf"missing in 'text' \({gone.sum()}\)"):
        model.predict(frame.replace({"text": {"NA": ""}}))


def test_numbers_can_be_read_as_words(tmp_path):
    frame = reviews().assign(age=np.tile([7, 12, 345, 1999], 100))
    for name in ("n.csv", "n.parquet"):
        model = bp.LogisticRegression().fit(
            opened(frame, tmp_path, name, text=["age"], drop=["text", "title", "city"])
        )
        assert sorted(model.coef_names_) == ["age[12]", "age[1999]", "age[345]"]


def test_a_text_without_words_is_left_out_and_said(tmp_path):
    model = bp.LogisticRegression().fit(opened(reviews().assign(text="a . !"), tmp_path))
    assert ("text", "no words") in model.encoding_.dropped


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ["good"]}, "column 'good': it is both in text and in target"),
        ({"text": ["text"], "categorical": ["text"]}, "both in text and in categorical"),
        ({"text": ["text"], "drop": ["text"]}, "both in text and in drop"),
        ({"text": ["words"]}, "has no column 'words'"),
    ],
)
def test_a_column_is_read_in_one_way(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        opened(reviews(), tmp_path, **options)


def test_the_error_on_texts_that_name_rows_says_what_helps(tmp_path):
    with pytest.raises(DataError, match=r"Leave the column out .*text=\['text'\] in open_dataset"):
        bp.LogisticRegression().fit(opened(reviews(), tmp_path, text=()))
    with pytest.raises(DataError, match=r"TfidfVectorizer or fit from a file, open_dataset\("):
        frame = reviews()
        frame["text"] += [f" {row}" for row in range(400)]
        bp.LogisticRegression().fit(frame[["text", "city"]], frame["good"])


def test_a_model_file_holds_the_words(tmp_path):
    model = bp.LogisticRegression().fit(opened(with_gaps(), tmp_path))
    bp.save(model, tmp_path / "m.safetensors")
    again = bp.load(tmp_path / "m.safetensors")
    assert again.encoding_ == model.encoding_
    frame = reviews(seed=1)
    assert again.predict_proba(frame).tobytes() == model.predict_proba(frame).tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buckets": [3, 1]}, "in order"),
        ({"buckets": [1, 1 << 18]}, "below 262,144"),
        ({"words": ["one"]}, "needs one of each"),
        ({"documents": [0, 2]}, "are 1 to n_documents"),
        ({"documents": [1, 10**6]}, "are 1 to n_documents"),
        ({"deviation": [-1.0, 0.1]}, "below 0"),
        ({"mean": ["x", 0.1]}, "finite number"),
        ({"reading": "letters"}, "reading"),
        ({"buckets": [], "words": [], "documents": [], "mean": [], "deviation": []}, "needs one"),
    ],
)
def test_a_damaged_document_is_refused(change, message):
    text = Text("t", (1, 3), ("aa", "bb"), (1, 2), 4, 0, False, (0.1, 0.2), (0.1, 0.2))
    whole = Encoding((text,), "indicator", n_rows=4).to_document()
    assert Encoding.from_document(whole).columns == (text,)
    whole["columns"][0] |= change
    with pytest.raises(DocumentError, match=message):
        Encoding.from_document(whole)


def test_free_text_comes_after_other_columns_in_a_document(tmp_path):
    plain = prepare(opened(reviews(), tmp_path).table, "indicator", None).encoding.to_document()
    assert [c["kind"] for c in plain["columns"]] == ["number", "text", "words", "words"]
    plain["columns"].reverse()
    with pytest.raises(DocumentError, match="free text come last"):
        Encoding.from_document(plain)


def test_a_trace_has_the_words_of_its_rows(tmp_path):
    model = bp.LogisticRegression().fit(opened(reviews(), tmp_path))
    frame = reviews().iloc[[0, 8]]
    trace = model.trace(frame, frame["good"])
    assert trace.feature_names[:4] == ("age", "age (missing)", "city=Oslo", "city=Riga")
    used = model.encoding_.transform(frame)
    assert len(trace.feature_names) < used.shape[1]
    assert trace.cost == pytest.approx(
        log_loss(frame["good"], model.predict_proba(frame), normalize=False), rel=1e-12
    )
    (note,) = [note for note in trace.notes if "words" in note]
    assert note.startswith(f"{used.shape[1] - trace.z[1].shape[1]} words that do not occur")


def test_three_classes_and_whole_weights(tmp_path):
    frame = reviews()
    frame["good"] = np.where(frame["text"].str.contains("green"), "maybe", frame["good"])
    frame["age"] = np.arange(400) % 3
    model = bp.LogisticRegression(tol=1e-9).fit(opened(frame, tmp_path, weight="age"))
    repeated = frame.loc[frame.index.repeat(frame["age"])]
    # A weight is a row so many times, but idf counts rows: the same columns are asked for.
    rows = model.encoding_.transform(repeated)
    peer = bp.LogisticRegression(tol=1e-9).fit(rows, repeated["good"])
    assert list(model.classes_) == ["maybe", "no", "yes"]
    # At C=1 the objective bends by 1 or more along every coefficient, so a gap bounds distances.
    apart = np.linalg.norm(model.coef_ - peer.coef_)
    assert max(model.gap_, peer.gap_) <= 1e-9 * model.null_objective_
    assert apart <= np.sqrt(2.0 * model.gap_) + np.sqrt(2.0 * peer.gap_)


def test_sms_spam_beside_scikit_learn(tmp_path):
    if not SMS.exists():
        pytest.skip("the data set sms_spam is not beside the repository, in ../shared/data")
    lines = SMS.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines]
    with open(tmp_path / "sms.csv", "w", newline="") as file:
        csv.writer(file).writerows([["label", "message"], *rows])
    data = bp.open_dataset(tmp_path / "sms.csv", target="label", text=["message"])
    assert data.n_rows == 5574
    kept, held = hold_out(data.table, 0.2, seed=0)
    model = bp.LogisticRegression(C=10.0).fit(Dataset(None, kept, {}))
    y = np.array(held.target.levels)[held.labels.read(slice(0, held.n_rows))] == "spam"
    frame = pd.DataFrame(rows, columns=["label", "message"])
    logits = model.decision_function(frame)
    of_store = StoredEncoded(data.table, model.encoding_).rows() @ model.coef_.T + model.intercept_
    assert of_store[:, 0].tobytes() == logits.tobytes()
    z = (StoredEncoded(held, model.encoding_).rows() @ model.coef_.T + model.intercept_)[:, 0]
    # Scikit-learn, same split, without hashing: accuracy 0.9838, AUC 0.9927 at C=10.
    assert np.mean((z > 0) == y) > 0.98
    assert roc_auc_score(y, z) > 0.992
    assert model.converged_


def test_a_selection_of_rows_has_their_words(tmp_path):
    table = opened(with_gaps(), tmp_path).table
    encoding = prepare(table, "indicator", None).encoding
    wanted = np.arange(400) % 3 != 1
    twice = table.select(Selection(wanted)).select(Selection(np.arange(267) % 2 == 0))
    numbers = np.flatnonzero(wanted)[::2]
    assert (rows_of(twice, encoding) != rows_of(table, encoding)[numbers]).nnz == 0
    complete = bp.LogisticRegression(missing="drop").fit(Dataset(None, twice, {}))
    assert complete.encoding_.n_rows == sum(
        bool(row["text"]) and row["text"] != "NA" and row["age"] == row["age"]
        for _, row in with_gaps().iloc[numbers].iterrows()
    )


def test_a_store_that_reads_a_column_in_another_way_is_refused(tmp_path):
    words = opened(reviews(), tmp_path, text=["title"], drop=["text"])
    levels = opened(reviews(), tmp_path, text=(), drop=["text"])
    for one, other, message in (
        (words, levels, "column 'title': is no free text in the store, but was at the fit"),
        (levels, words, "column 'title': is free text in the store, but was a category at the fit"),
    ):
        encoding = bp.LogisticRegression().fit(one).encoding_
        with pytest.raises(DataError, match=message):
            rows_of(other.table, encoding)
