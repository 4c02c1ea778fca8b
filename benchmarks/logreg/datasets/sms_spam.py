"""sms_spam: text messages as tf-idf of their words, CSR with more columns than rows."""

from __future__ import annotations

import csv

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .base import Dataset, shared, thin


def load(small: bool) -> tuple[sp.csr_matrix, NDArray]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    path = shared("sms_spam", "SMSSpamCollection.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    y = np.array([label == "spam" for label, _ in rows], dtype=np.int64)
    X = sp.csr_matrix(TfidfVectorizer().fit_transform([text for _, text in rows]))
    return thin(X, y, small)


DATASET = Dataset("sms-spam", "tf-idf, CSR", load, finite=False)  # more columns than rows
