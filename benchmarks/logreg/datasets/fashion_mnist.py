"""Fashion-MNIST's 60,000 training images: 784 pixels in [0, 1], 10 classes."""

from __future__ import annotations

import gzip

import numpy as np
from numpy.typing import NDArray

from .base import Dataset, shared, thin


def load(small: bool) -> tuple[NDArray, NDArray]:
    def read(name: str, header: int) -> NDArray:
        with gzip.open(shared("fashion_mnist", name)) as file:
            return np.frombuffer(file.read()[header:], dtype=np.uint8)

    X = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255.0
    return thin(X, read("train-labels-idx1-ubyte.gz", 8).astype(np.int64), small)


# Pixels at the rim are lit in few images, all of some classes: estimates without a penalty diverge.
DATASET = Dataset("fashion-mnist", "pixels in [0, 1], 10 classes", load, finite=False)
