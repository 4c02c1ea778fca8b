"""The data sets, one file each, in the order of the report."""

from . import adult, fashion_mnist, gaussian, letter, sms_spam, spambase
from .base import Absent, Dataset

DATASETS: list[Dataset] = [
    *gaussian.DATASETS,
    spambase.DATASET,
    letter.DATASET,
    fashion_mnist.DATASET,
    adult.DATASET,
    sms_spam.DATASET,
]

__all__ = ["DATASETS", "Absent", "Dataset"]
