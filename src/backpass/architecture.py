"""A network as a JSON document, and back: layers and losses by name and fields.

It is apart from the model file because other files speak of networks too. Nothing in a document
names code to run: names are looked up among the built-in layers and losses, or among those that the
caller supplies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from backpass import layers as built_in_layers
from backpass import losses as built_in_losses
from backpass.data import document
from backpass.data.document import DocumentError
from backpass.layers import Layer, Residual
from backpass.losses import Loss
from backpass.network import Network

_MOST_LAYERS = 1000
_MOST_NESTED = 50


def network_document(network: Network) -> dict[str, Any]:
    return {
        "dtype": network.dtype.name,
        "fused": network.fused,
        "layers": [_layer_document(layer) for layer in network.layers],
        "loss": _layer_document(network.loss),
    }


def _layer_document(layer: Layer | Residual | Loss) -> dict[str, Any]:
    """Describe a layer or loss by name and fields; ValueError where that cannot be enough."""
    if isinstance(layer, Residual):
        return {"residual": [_layer_document(inner) for inner in layer.layers]}
    cls = type(layer)
    if not is_dataclass(layer):
        raise ValueError(
            f"cannot save the layer {layer!r}: what it is made of is not known. "
            f"Make {cls.__name__} a frozen dataclass, whose fields are stored."
        )
    values = {field.name: getattr(layer, field.name) for field in fields(layer) if field.init}
    functions = [value for value in values.values() if callable(value)]
    if functions:  # an Elementwise, say
        return {"own": _function_name(layer, functions[0]), "fields": {}}
    try:
        stored = {name: document.wrapped(value) for name, value in values.items()}
    except TypeError as error:
        raise ValueError(f"cannot save the layer {layer!r}: {error}") from None
    return {"builtin" if cls in _builtin().values() else "own": cls.__name__, "fields": stored}


def _function_name(layer: Layer | Loss, function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "<lambda>")
    if name == "<lambda>":
        raise ValueError(
            f"cannot save {type(layer).__name__}, whose function is a lambda: a file holds names, "
            "not code. Define it with `def`, and hand the layer to bp.load(..., layers={name: it})."
        )
    return name


def _builtin() -> dict[str, type]:
    """List the layers and losses that a file may name."""
    found = {
        name: getattr(module, name)
        for module in (built_in_layers, built_in_losses)
        for name in module.__all__
    }
    for other in ("Layer", "Loss", "Residual", "Elementwise"):
        del found[other]
    return found


def network_from(plain: Any, own: dict[str, Any]) -> Network:
    got = document.fields(
        plain,
        "network",
        dtype=document.one_of("float32", "float64"),
        fused=document.flag,
        layers=document.items(document.anything),
        loss=document.anything,
    )
    count = sum(map(_count, got["layers"]))
    if count > _MOST_LAYERS:
        raise DocumentError(f"network has {count:,} layers; too many.")
    chain = [
        _layer_from(layer, f"network.layers[{i}]", own) for i, layer in enumerate(got["layers"])
    ]
    loss = _layer_from(got["loss"], "network.loss", own)
    try:
        return Network(chain, loss, got["dtype"], got["fused"])
    except (TypeError, ValueError, OverflowError) as error:
        raise DocumentError(f"the network cannot be built: {error}") from None


def _count(plain: Any) -> int:
    """Count layers, those inside a Residual too, before any is made."""
    inner = plain.get("residual") if type(plain) is dict else None
    return 1 + (sum(map(_count, inner)) if type(inner) is list else 0)


def _layer_from(plain: Any, where: str, own: dict[str, Any], depth: int = 0) -> Any:
    if depth > _MOST_NESTED:
        raise DocumentError(f"network has layers nested more than {_MOST_NESTED} deep.")
    if type(plain) is dict and "residual" in plain:
        inner = document.fields(plain, where, residual=document.items(document.anything))
        try:
            return Residual(
                *(_layer_from(layer, where, own, depth + 1) for layer in inner["residual"])
            )
        except DocumentError:  # of a layer inside, which has said where
            raise
        except ValueError as error:
            raise DocumentError(f"{where}: {error}") from None
    is_own = type(plain) is dict and "own" in plain
    key = "own" if is_own else "builtin"
    got = document.fields(
        plain, where, **{key: document.text, "fields": document.unwrapped_by_name}
    )
    name, known = got[key], own if is_own else _builtin()
    if name not in known:
        raise DocumentError(
            f"{where} is a layer '{name[:60]}' of the user's own, whose code no file holds; load "
            f"it in Python: bp.load(path, layers={{'{name[:60]}': ...}})."
            if is_own
            else f"{where} names '{name[:60]}', which is no layer or loss of backpass."
        )
    made = known[name]
    if not isinstance(made, type):
        return made
    try:
        return made(**got["fields"])
    except (TypeError, ValueError, OverflowError) as error:
        raise DocumentError(f"{where}, {name}: {error}") from None
