"""The losses, one a file: each knows its value, its δ, and what it expects of y."""

from backpass.losses.base import Loss
from backpass.losses.bce import BCELoss
from backpass.losses.bce_with_logits import BCEWithLogitsLoss
from backpass.losses.cross_entropy import CrossEntropyLoss
from backpass.losses.nll import NLLLoss

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "Loss", "NLLLoss"]
