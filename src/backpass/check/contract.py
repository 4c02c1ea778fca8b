"""Calls the methods of a layer or loss as a network does, and holds them to their contract.

Outputs arrive filled with rubbish and come back fully overwritten, inputs are left as they were,
and nothing is returned: the rules at the top of `layers/base.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backpass.check.verdict import DerivativeError, Index

Method = Callable[..., object]
Inputs = Mapping[str, Any]  # name -> array, or a mapping of arrays, in the order of the method


def written(
    label: str, method: Method, inputs: Inputs, shape: Index, dtype: DTypeLike = "float64"
) -> NDArray:
    """Call a method that writes one array; return it, or raise DerivativeError on a broken rule."""
    return _held(label, method, inputs, {"": shape}, dtype)[""]


def written_by_name(
    label: str, method: Method, inputs: Inputs, shapes: Mapping[str, Index]
) -> dict[str, NDArray]:
    """Call a method that writes gradients; return them, or raise DerivativeError as above."""
    return _held(label, method, inputs, shapes, "float64")


def or_nan(method: Method, inputs: Sequence[Any], out: Any) -> Any:
    """Call a method on out and return it; filled with nan where a step has left its domain."""
    with np.errstate(all="ignore"):
        try:
            method(*inputs, out)
        except (ArithmeticError, ValueError):
            for array in out.values() if isinstance(out, dict) else (out,):
                array[...] = np.nan
    return out


def _held(
    label: str, method: Method, inputs: Inputs, shapes: Mapping[str, Index], dtype: DTypeLike
) -> dict[str, NDArray]:
    """Call a method twice, on outputs of nan and of 2.0: what differs, was not overwritten."""
    name = f"{label}.{method.__name__}"
    results: list[dict[str, NDArray]] = []
    for rubbish in (np.nan, 2.0):
        kept = copy.deepcopy(dict(inputs))
        arrays = {key: np.full(shape, rubbish, dtype) for key, shape in shapes.items()}
        # A method that writes one array gets it bare; gradients come as a mapping.
        target = arrays[""] if "" in arrays else dict(arrays)
        try:
            returned = method(*inputs.values(), target)
        except NotImplementedError as error:
            if method.__name__ != "gradient":
                raise  # tangents are optional
            raise DerivativeError(
                f"{label} has parameters {list(shapes)} but no gradient method; "
                "write ∂C/∂θ = ∑_rows ∑_j δ_out_j ∂z_out_j/∂θ to grad."
            ) from error
        except Exception as error:
            raise DerivativeError(
                f"{name} raised {type(error).__name__}: {error}. It was given "
                f"{_shapes_of(inputs)}, and to write to, {_shapes_of({'the output': target})}."
            ) from error
        if returned is not None:
            raise DerivativeError(
                f"{name} returned a {type(returned).__name__}; write the result to the last "
                "argument, [...] = or out=, and return nothing."
            )
        if isinstance(target, dict):
            _refuse_replaced(name, target, arrays)
        _refuse_changed(name, kept, inputs)
        results.append(arrays)
    for key in shapes:
        output = f"grad['{key}']" if key else "its output"
        _refuse_rubbish(name, output, results[0][key], results[1][key])
    return results[0]


def _refuse_replaced(
    name: str, given: Mapping[str, NDArray], arrays: Mapping[str, NDArray]
) -> None:
    for key, array in arrays.items():
        if given.get(key) is not array:
            raise DerivativeError(
                f"{name} put another array at grad['{key}']; write into the one that is there, "
                f"grad['{key}'][...] = or out=grad['{key}']."
            )
    strangers = sorted(set(given) - set(arrays))
    if strangers:
        raise DerivativeError(f"{name} wrote {strangers}; the parameters are {list(arrays)}.")


def _refuse_changed(name: str, kept: Inputs, inputs: Inputs) -> None:
    before, after = _flat(kept), _flat(inputs)
    for key, array in after.items():
        if not np.array_equal(before[key], array):
            raise DerivativeError(f"{name} changed its input {key}; inputs are read only.")


def _refuse_rubbish(name: str, output: str, over_nan: NDArray, over_two: NDArray) -> None:
    """Raise where an output depends on what its array held before."""
    wrong = ~((over_nan == over_two) & np.isfinite(over_nan))
    if not wrong.any():
        return
    at = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    if np.isfinite(over_nan[at]):
        said = (
            "gives different numbers in two calls with the same input; a layer draws nothing and "
            "keeps nothing between calls"
        )
    elif not np.isfinite(over_two[at]):
        said = f"gives {over_two[at]} in entry {list(at)} of {output} though its input is finite"
    elif over_two[at] != 2.0:
        said = f"adds to what {output} held; it arrives filled with rubbish, so overwrite it"
    elif (over_two == 2.0).all():
        said = f"wrote nothing to {output}; write [...] = or out=, a plain = only binds a name"
    else:
        said = f"left entry {list(at)} of {output} unwritten; overwrite all of it"
    raise DerivativeError(f"{name} {said}.")


def _flat(inputs: Inputs) -> dict[str, NDArray]:
    """List arrays by name, those of a mapping as "params['weight']"."""
    flat: dict[str, NDArray] = {}
    for key, value in inputs.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}['{name}']": array for name, array in value.items()}
        else:
            flat[key] = value
    return flat


def _shapes_of(inputs: Inputs) -> str:
    return ", ".join(f"{key} {np.shape(array)}" for key, array in _flat(inputs).items())
