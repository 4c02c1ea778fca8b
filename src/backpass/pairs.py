"""Which last layer and loss belong together.

Two visible tables. `JOINT`: pairs whose composition has a rule more exact than its halves;
the network always evaluates them by it (LogSoftmax alone rounds a log-probability of
-1.9e-22 well, but Sigmoid rounds 1 - 1.9e-22 to 1, and then the cost and δ of BCE are lost).
`REFUSED`: pairs that run and are wrong; most libraries let them pass.
"""

from __future__ import annotations

from backpass.layers import Layer, Linear, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, NLLLoss

JOINT: dict[tuple[type[Layer], type[Loss]], type[Loss]] = {
    (LogSoftmax, NLLLoss): CrossEntropyLoss,
    (Sigmoid, BCELoss): BCEWithLogitsLoss,
}

_NO_SOFTMAX_HERE = "the loss takes logits and applies the softmax itself"
_NO_SIGMOID_HERE = "the loss takes logits and applies the sigmoid itself"
_WANTS_LOG_PROBABILITIES = (
    "the loss takes log-probabilities: end the layers with LogSoftmax(), or use CrossEntropyLoss()"
)
_WANTS_PROBABILITIES = (
    "the loss takes probabilities: end the layers with Sigmoid(), or use BCEWithLogitsLoss()"
)

REFUSED: dict[tuple[type[Layer], type[Loss]], str] = {
    (Softmax, CrossEntropyLoss): f"{_NO_SOFTMAX_HERE}: drop Softmax()",
    (LogSoftmax, CrossEntropyLoss): f"{_NO_SOFTMAX_HERE}: drop LogSoftmax(), or use NLLLoss()",
    (Sigmoid, BCEWithLogitsLoss): f"{_NO_SIGMOID_HERE}: drop Sigmoid(), or use BCELoss()",
    (Softmax, BCEWithLogitsLoss): f"{_NO_SIGMOID_HERE}: drop Softmax()",
    (LogSoftmax, BCEWithLogitsLoss): f"{_NO_SIGMOID_HERE}: drop LogSoftmax()",
    **{
        (last, NLLLoss): _WANTS_LOG_PROBABILITIES for last in (Softmax, Sigmoid, Linear, ReLU, Tanh)
    },
    **{(last, BCELoss): _WANTS_PROBABILITIES for last in (LogSoftmax, Linear, ReLU, Tanh)},
}


def joint_rule(last: Layer, loss: Loss) -> Loss | None:
    """Return the loss that stands for (last layer, loss) together, or None."""
    rule = JOINT.get((type(last), type(loss)))
    return rule() if rule is not None else None


def refuse_wrong_pair(last: Layer, loss: Loss) -> None:
    """Raise ValueError where the last layer and the loss run together but mean something wrong."""
    reason = REFUSED.get((type(last), type(loss)))
    if reason is not None:
        raise ValueError(f"{last!r} → {loss!r}: {reason}.")
