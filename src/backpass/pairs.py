"""Which last layer and loss belong together.

Two visible tables. `JOINT`: pairs whose composition has a rule more exact than its halves;
the network always evaluates them by it (LogSoftmax alone rounds a log-probability of
-1.9e-22 well, but Sigmoid rounds 1 - 1.9e-22 to 1, and then the cost and δ of BCE are lost).
`REFUSED`: pairs that run and are wrong; most libraries let them pass.
"""

from __future__ import annotations

from backpass.layers import Layer, LogSoftmax, Sigmoid, Softmax
from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, NLLLoss

JOINT: dict[tuple[type[Layer], type[Loss]], type[Loss]] = {
    (LogSoftmax, NLLLoss): CrossEntropyLoss,
    (Sigmoid, BCELoss): BCEWithLogitsLoss,
}

REFUSED: dict[tuple[type[Layer], type[Loss]], str] = {
    (
        Softmax,
        CrossEntropyLoss,
    ): "the loss takes logits and applies the softmax itself: drop Softmax()",
    (LogSoftmax, CrossEntropyLoss): (
        "the loss takes logits and applies log-softmax itself: drop LogSoftmax(), or use NLLLoss()"
    ),
    (Softmax, NLLLoss): "the loss takes log-probabilities, not probabilities: use LogSoftmax()",
    (Sigmoid, BCEWithLogitsLoss): (
        "the loss takes logits and applies the sigmoid itself: drop Sigmoid(), or use BCELoss()"
    ),
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
