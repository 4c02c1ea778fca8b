"""JSON documents read strictly: exact keys, exact types, finite numbers; nothing is guessed.

What a model file says about itself may come from anybody, so every reader states what it
expects and the first thing that differs is named, with its place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any


class DocumentError(ValueError):
    """A document that differs from what was expected, with the place where it does."""


Check = Callable[[Any, str], Any]


def parse(text: str) -> Any:
    """Parse JSON; DocumentError for all else, NaN, repeated keys and deep nesting too."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise DocumentError("an object in the JSON text has a key twice.")
        return found

    def constant(name: str) -> Any:
        raise DocumentError(f"the JSON text holds {name}, which is not JSON.")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError:
        raise DocumentError("the JSON text is nested too deeply.") from None
    except ValueError as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"the JSON text is damaged: {error}.") from None


def fields(document: Any, where: str, **checks: Check) -> dict[str, Any]:
    """Return the checked values of an object that has exactly these keys."""
    if type(document) is not dict:
        raise DocumentError(f"{where} is {_kind(document)}; expected an object.")
    absent = [key for key in checks if key not in document]
    strange = [key for key in document if key not in checks]
    if absent or strange:
        raise DocumentError(
            f"{where} lacks {absent or 'nothing'} and has the unknown keys {_short(strange)}."
        )
    return {key: check(document[key], f"{where}.{key}") for key, check in checks.items()}


def text(value: Any, where: str) -> str:
    """Check for a string that files and terminals can hold: JSON has half characters, \\ud800."""
    _of_type(value, where, str, "a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise DocumentError(f"{where} is {_short(value)}; not all of it is text.") from None
    return value


def texts_by_name(value: Any, where: str) -> dict[str, str]:
    """Check for an object of texts."""
    _of_type(value, where, dict, "an object")
    return {text(name, where): text(each, where) for name, each in value.items()}


def flag(value: Any, where: str) -> bool:
    """Check for true or false."""
    return _of_type(value, where, bool, "true or false")


def count(value: Any, where: str) -> int:
    """Check for a whole number, 0 or more, that float64 holds exactly."""
    if type(value) is not int or not 0 <= value <= 2**53:
        raise DocumentError(f"{where} is {_short(value)}; expected a whole number, 0 or more.")
    return value


def number(value: Any, where: str) -> float:
    """Check for a finite number."""
    if type(value) not in (int, float) or not _finite(value):
        raise DocumentError(f"{where} is {_short(value)}; expected a finite number.")
    return float(value)


def real(value: Any, where: str) -> float:
    """Check for a number, or for what `wrapped` makes of an infinite one and of NaN."""
    if type(value) is dict and list(value) == ["float"]:
        return float(one_of("inf", "-inf", "nan")(value["float"], where))
    return number(value, where)


def one_of(*choices: str) -> Check:
    """Make a check for one of some strings."""

    def check(value: Any, where: str) -> str:
        if type(value) is not str or value not in choices:
            raise DocumentError(f"{where} is {_short(value)}; expected one of {list(choices)}.")
        return value

    return check


def optional(check: Check) -> Check:
    """Make a check that lets null pass as None."""
    return lambda value, where: None if value is None else check(value, where)


def items(check: Check) -> Check:
    """Make a check for a list of checked values; they come back as a tuple."""

    def each(value: Any, where: str) -> tuple:
        _of_type(value, where, list, "a list")
        return tuple(check(item, f"{where}[{place}]") for place, item in enumerate(value))

    return each


def anything(value: Any, where: str) -> Any:
    """Let a value pass whose check comes later."""
    return value


def unwrapped_by_name(plain: Any, where: str) -> dict[str, Any]:
    if type(plain) is not dict:
        raise DocumentError(f"{where} is not an object.")
    return {name: unwrapped(value, f"{where}.{name[:60]}") for name, value in plain.items()}


def wrapped(value: Any) -> Any:
    """Return a parameter as JSON can hold it; TypeError for what has no such form.

    Numbers that JSON lacks, tuples and dicts with keys of any type are wrapped: {"tuple": [...]}.
    """
    if hasattr(value, "dtype") and hasattr(value, "item") and value.ndim == 0:
        value = value.item()  # a NumPy scalar
    if value is None or type(value) in (bool, str) or _is_whole(value):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [wrapped(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[wrapped(key), wrapped(item)] for key, item in value.items()]}
    raise TypeError(f"{value!r} is no plain value.")


def unwrapped(plain: Any, where: str) -> Any:
    """Read what `wrapped` wrote."""
    if plain is None or type(plain) in (bool, str, float) or _is_whole(plain):
        return plain
    if type(plain) is not dict or len(plain) != 1:
        raise DocumentError(f"{where} is no value that a model file holds.")
    [(kind, content)] = plain.items()
    if kind == "float":
        return float(one_of("inf", "-inf", "nan")(content, where))
    if kind in ("tuple", "list"):
        each = items(unwrapped)(content, where)
        return each if kind == "tuple" else list(each)
    if kind == "dict":
        pairs = items(items(unwrapped))(content, where)
        if any(len(pair) != 2 for pair in pairs):
            raise DocumentError(f"{where} holds pairs of key and value.")
        try:
            return dict(pairs)
        except TypeError:
            raise DocumentError(f"{where} has a key that cannot be one.") from None
    raise DocumentError(f"{where} is no value that a model file holds.")


def _of_type(value: Any, where: str, kind: type, name: str) -> Any:
    if type(value) is not kind:
        raise DocumentError(f"{where} is {_kind(value)}; expected {name}.")
    return value


def _is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number of 64 bits: JSON's may have any number of digits."""
    return type(value) is int and -(2**63) <= value < 2**63


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), _short(value)
    )


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
