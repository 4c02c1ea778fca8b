"""What the derivation ledger found for the layers and losses of this package: a table to read.

The ledger (docs/derivations.md) derives every rule with SymPy, which this package does not need: it
carries the result alone, in `derivations.json`. That is apart from `check_layer`, which measures
here and now and knows no formula.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from backpass.layers import Layer
from backpass.losses import Loss


@dataclass(frozen=True)
class Derivation:
    """The largest error of a layer's or loss's methods against the independently derived rules.

    ulps: in units in the last place of the result, or where terms cancel of their sum; measured
    with the NumPy named, and another one has another exponential. stated: what the ledger's tests
    allow with any. method: where the largest error is.
    """

    ulps: float
    stated: float
    method: str
    of_terms: bool
    numpy: str

    @property
    def error(self) -> float:
        """The error as a share of the number, or of the terms, that it is an error of."""
        return self.ulps * 2.0**-52  # an ulp is at most that share

    @property
    def says(self) -> str:
        """One sentence for a person."""
        if self.ulps == 0.0:
            return "Equal to the independent derivation to the last bit."
        what = "the terms that it adds" if self.of_terms else "its result"
        return (
            f"Within {self.stated:g} ulps of the independent derivation; {self.ulps:.1f} were "
            f"found ({self.method}, in ulps of {what})."
        )


def derivation(part: Layer | Loss) -> Derivation | None:
    """Return what the ledger found for a built-in layer or loss, or None for all others.

    None too for Elementwise, whose derivative is the user's own, and for subclasses.
    """
    kind = type(part)
    found = _table()["found"].get(f"{kind.__module__}.{kind.__qualname__}")
    return None if found is None else Derivation(**found, numpy=_table()["numpy"])


@cache
def _table() -> Mapping[str, Any]:
    text = (files("backpass.check") / "derivations.json").read_text(encoding="utf-8")
    return json.loads(text)
