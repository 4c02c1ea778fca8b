"""Networks of an MLPClassifier: hidden layers of one activation, and the end that y asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from backpass.estimators.outputs import BINARY
from backpass.layers import Dropout, Layer, Linear, LogSoftmax, ReLU, Sigmoid, Tanh
from backpass.losses import BCELoss, Loss, NLLLoss
from backpass.network import Network
from backpass.steps import widths

# scikit-learn's names; "identity" puts no layer between two Linears
ACTIVATIONS: dict[str, tuple[Layer, ...]] = {
    "relu": (ReLU(),),
    "tanh": (Tanh(),),
    "logistic": (Sigmoid(),),
    "identity": (),
}


def stack(
    n_features: int,
    hidden: Sequence[int],
    n_outputs: int,
    exclusive: bool,
    activation: str,
    dropout: float,
    dtype: str,
) -> Network:
    """Build Linear → activation (→ Dropout) for each hidden size, then the end.

    exclusive: n_outputs classes of which one is right, so LogSoftmax → NLLLoss; otherwise every
    output is a label of its own (one output: two classes), so Sigmoid → BCELoss.
    """
    layers: list[Layer] = []
    width = n_features
    for size in hidden:
        layers += [Linear(width, size), *ACTIVATIONS[activation]]
        if dropout:
            layers.append(Dropout(dropout))
        width = size
    layers.append(Linear(width, n_outputs))
    loss: Loss
    if exclusive:
        layers.append(LogSoftmax())
        loss = NLLLoss()
    else:
        layers.append(Sigmoid())
        loss = BCELoss()
    return Network(layers, loss, dtype)


def own_network(
    given: Network | Callable[[int, int], Network],
    n_features: int,
    n_classes: int,
    multilabel: bool,
) -> Network:
    """Return the user's network; ValueError where its end does not fit y."""
    network = given if isinstance(given, Network) else given(n_features, n_classes)
    if not isinstance(network, Network):
        raise TypeError(
            f"network is {given!r}; it is a bp.Network or a function (n_features, n_classes) that "
            f"returns one, and this gave {type(network).__name__}."
        )
    n_outputs = widths(network.steps, n_features)[-1]
    binary = isinstance(network.loss, BINARY)
    if multilabel and not binary:
        raise ValueError(
            f"y has several labels a row, so the network must end with BCELoss or "
            f"BCEWithLogitsLoss, not {network.loss!r}."
        )
    wanted = 1 if binary and n_classes == 2 and not multilabel else n_classes
    if binary and n_classes > 2 and not multilabel:
        raise ValueError(
            f"y has {n_classes} classes of which one is right, so the network must end with "
            f"NLLLoss or CrossEntropyLoss, not {network.loss!r}."
        )
    if n_outputs != wanted:
        raise ValueError(
            f"the network gives {n_outputs} values per row to {network.loss!r}; for this y, with "
            f"{n_classes} {'labels' if multilabel else 'classes'}, it must give {wanted}."
        )
    return network


def stack_parameters(network: Network, theta: NDArray) -> tuple[list[NDArray], list[NDArray]]:
    """Return scikit-learn's coefs_ (n_in, n_out) and intercepts_ (n_out,) of a stack of Linears."""
    views = network.parameters(theta)
    linear = [f"{place}" for place, layer in enumerate(network.layers) if isinstance(layer, Linear)]
    coefs = [np.array(views[f"{key}.weight"].T) for key in linear]
    return coefs, [np.array(views[f"{key}.bias"]) for key in linear if f"{key}.bias" in views]
