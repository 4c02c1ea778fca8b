"""Writes what the ledger found into the package: `python -m tests.ledger.record`.

The package has no SymPy; it reads this table instead, src/backpass/check/derivations.json.
"""

from __future__ import annotations

import json
import math
from importlib.resources import files

import numpy as np
from tests.ledger.comparison import Error, errors
from tests.ledger.examples import EXAMPLES

import backpass as bp

TABLE = files("backpass.check") / "derivations.json"
# The derivative of an Elementwise is the user's own; a Residual is no layer but a sum.
LEFT_OUT = {bp.Elementwise, bp.Residual}


def worst(kind: type) -> Error:
    """Return the largest error of all methods of a layer or loss."""
    every = [e for example in EXAMPLES[kind] for e in errors(kind, example, example.build(kind))]
    return max(every, key=lambda error: error.ulps)


def recorded(error: Error) -> dict[str, object]:
    """Say it in a row of the table, ulps rounded up to tenths."""
    return {
        "ulps": math.ceil(10.0 * error.ulps) / 10.0,
        "stated": error.allowed,
        "method": error.method,
        "of_terms": error.of_terms,
    }


def series(version: str) -> str:
    """Cut a version to its first two numbers: "2.4"."""
    return ".".join(version.split(".")[:2])


def main() -> None:
    found = {
        f"{kind.__module__}.{kind.__qualname__}": recorded(worst(kind))
        for kind in EXAMPLES
        if kind not in LEFT_OUT
    }
    table = {"numpy": series(np.__version__), "found": found}
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
