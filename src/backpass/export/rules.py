"""What each layer and loss is in ONNX: visible tables, as for how they are drawn.

Everything is computed in float64, as `predict_proba` computes it whatever the network's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from backpass.export.graph import Graph
from backpass.layers import Dropout, Linear, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from backpass.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, NLLLoss
from backpass.network import Network

# Layers: (graph, parameters by name, z_in) -> z_out.


def _linear(graph: Graph, params: Mapping[str, NDArray], z_in: str) -> str:
    values = [graph.constant(params[name]) for name in ("weight", "bias") if name in params]
    return graph.add("Gemm", z_in, *values, transB=1)


def _same(graph: Graph, params: Mapping[str, NDArray], z_in: str) -> str:
    return z_in


def _operator(name: str, **attributes: Any) -> Callable[..., str]:
    return lambda graph, params, z_in: graph.add(name, z_in, **attributes)


LAYERS: dict[type, Callable[[Graph, Mapping[str, NDArray], str], str]] = {
    Linear: _linear,
    Sigmoid: _operator("Sigmoid"),
    Tanh: _operator("Tanh"),
    ReLU: _operator("Relu"),
    Softmax: _operator("Softmax", axis=1),
    LogSoftmax: _operator("LogSoftmax", axis=1),
    Dropout: _same,
}


def network(graph: Graph, network: Network, theta: NDArray, z_in: str) -> str:
    """Add a network; return its last values. ValueError names a layer that has no rule."""
    named = network.parameters(theta)
    levels = [z_in]
    for step in network.steps:
        if step.layer is None:
            levels.append(graph.add("Add", levels[-1], levels[step.skip]))
            continue
        rule = LAYERS.get(type(step.layer))
        if rule is None:
            raise ValueError(
                f"{step}, has no rule in ONNX, which knows the built-in layers but Elementwise; "
                "build the network from those, or predict with backpass."
            )
        params = {name: named[f"{step.key}.{name}"] for name in step.layer.shapes()}
        levels.append(rule(graph, params, levels[-1]))
    return levels[-1]


# Losses: (graph, last values) -> probabilities, of one label or distribution. `multilabel` says
# that every output is a probability of its own, otherwise one output stands for two classes.


def _of_logits(graph: Graph, z: str, multilabel: bool) -> str:
    minus = graph.add("Neg", z)
    likely = _share(graph, minus)
    return likely if multilabel else graph.beside(_share(graph, z), likely)


def _share(graph: Graph, z: str) -> str:
    """Return 1 / (1 + exp z).

    onnxruntime's Sigmoid is 1 - p below 0, which makes 0 of a probability of 1e-17.
    """
    return graph.add("Reciprocal", graph.add("Add", graph.add("Exp", z), graph.constant(1.0)))


def _as_they_are(graph: Graph, z: str, multilabel: bool) -> str:
    return z if multilabel else graph.beside(graph.add("Sub", graph.constant(1.0), z), z)


LOSSES: dict[type, Callable[[Graph, str, bool], str]] = {
    BCEWithLogitsLoss: _of_logits,
    BCELoss: _as_they_are,
    CrossEntropyLoss: lambda graph, z, _: graph.add("Softmax", z, axis=1),
    NLLLoss: lambda graph, z, _: graph.add("Exp", z),
}


def probabilities(graph: Graph, network: Network, z: str, multilabel: bool) -> str:
    """Add what makes probabilities of the last values of a network that ends with logits."""
    rule = LOSSES.get(type(network.loss))
    if rule is None:
        raise ValueError(
            f"the loss {network.loss!r} has no rule in ONNX; end the network with one of "
            f"{', '.join(loss.__name__ for loss in LOSSES)}."
        )
    return rule(graph, z, multilabel)
