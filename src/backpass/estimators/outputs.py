"""From a network's last values to logits and log-probabilities, whichever loss ends it.

Everything is computed from logits where there are logits: the logarithm of a probability that was
rounded to 1 or 0 is wrong or infinite, and a small 1 - p has lost its digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax, xlogy

from backpass.layers import Linear
from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, NLLLoss
from backpass.network import Network
from backpass.pairs import joint_rule

Table = NDArray[np.float64]
BINARY = (
    BCELoss,
    BCEWithLogitsLoss,
)  # a probability per output; the others: one distribution per row


def logit_network(network: Network) -> Network:
    """Return a network of the same θ that ends with logits, in float64.

    It is the given one without its Sigmoid or LogSoftmax. Where no logits exist (a BCELoss without
    a Sigmoid before it) it ends as the given one. float64 because a row's prediction shall not
    depend on which rows stand beside it: in float32 BLAS's order of addition shows in the
    seventh digit.
    """
    last = network.steps[-1].layer
    joint = None if last is None else joint_rule(last, network.loss)
    if joint is None or len(network.layers) == 1:
        return Network(network.layers, network.loss, "float64", network.fused)
    return Network(network.layers[:-1], joint, "float64", network.fused)


def fewer_inputs(
    network: Network, theta: Table, kept: NDArray[np.intp]
) -> tuple[Network, NDArray[np.float64]]:
    """Return a network that begins with a Linear, and its θ, of some of its inputs alone."""
    first = network.layers[0]
    assert isinstance(first, Linear)
    narrow = Linear(len(kept), first.n_out, bias=first.bias)
    made = Network([narrow, *network.layers[1:]], network.loss, network.dtype, network.fused)
    parameters = dict(network.parameters(theta))
    parameters["0.weight"] = parameters["0.weight"][:, kept]
    return made, made.flatten(parameters)


def log_probabilities(values: NDArray, network: Network) -> tuple[Table, Table]:
    """Return log P(label is 0) and log P(label is 1), (n_rows, n_outputs) each, of a BINARY loss.

    values: what `network`, made by `logit_network`, gave forward.
    """
    z = values.astype(np.float64)
    if isinstance(network.loss, BCEWithLogitsLoss):
        return log_expit(-z), log_expit(z)
    with np.errstate(divide="ignore"):
        return np.log1p(-z), np.log(z)


def log_distribution(values: NDArray, network: Network) -> Table:
    """Return the log-probability of every class, (n_rows, n_classes).

    values: what `network`, made by `logit_network`, gave forward. Raises ValueError for a loss
    of the user's own, whose meaning is not known here.
    """
    z = values.astype(np.float64)
    if isinstance(network.loss, BINARY):
        if z.shape[1] != 1:
            raise ValueError(f"{network.loss!r} with {z.shape[1]} outputs is no distribution.")
        return np.hstack(log_probabilities(values, network))
    if isinstance(network.loss, CrossEntropyLoss):
        return log_softmax(z, axis=1)
    if isinstance(network.loss, NLLLoss):
        return z
    raise ValueError(
        f"what {network.loss!r} makes of {values.shape[1]} outputs is not known; for probabilities "
        "end the network with BCELoss, NLLLoss, BCEWithLogitsLoss or CrossEntropyLoss."
    )


def entropy(weights: NDArray[np.float64]) -> float:
    """Return ∑ N_k log(N / N_k): the cost of predicting every row by the classes' shares."""
    total = weights.sum()
    return float(-xlogy(weights, weights / total).sum())
