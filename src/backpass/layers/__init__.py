"""The layers, one a file: each knows its own derivatives and nothing else."""

from backpass.layers.base import Layer
from backpass.layers.dropout import Dropout
from backpass.layers.elementwise import Elementwise
from backpass.layers.linear import Linear
from backpass.layers.log_softmax import LogSoftmax
from backpass.layers.relu import ReLU
from backpass.layers.residual import Residual
from backpass.layers.sigmoid import Sigmoid
from backpass.layers.softmax import Softmax
from backpass.layers.tanh import Tanh

__all__ = [
    "Dropout",
    "Elementwise",
    "Layer",
    "Linear",
    "LogSoftmax",
    "ReLU",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
