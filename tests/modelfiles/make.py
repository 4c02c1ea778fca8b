"""Makes the model files that every later version must read: python -m tests.modelfiles.make.

They go to a folder named by version and format, with `expected.json`: what goes in, and the
probabilities that must come out. Run it once per format that a release writes, and commit what it
made; it never writes over a folder, since what is there was written by the code of its time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import backpass as bp
from backpass.modelfile import FORMAT

HERE = Path(__file__).parent
N_ROWS = 60


@dataclass(frozen=True)
class Swish(bp.Layer):
    """z · sigmoid(slope · z), as a user would write it."""

    slope: float = 1.0

    def __post_init__(self):  # a file may hold anything for it
        if type(self.slope) is not float:
            raise TypeError(f"slope is {self.slope!r}; it is a float.")

    def forward(self, params, z_in, z_out):
        np.divide(z_in, 1.0 + np.exp(-self.slope * z_in), out=z_out)

    def backward(self, params, z_in, z_out, delta_out, delta_in):
        s = 1.0 / (1.0 + np.exp(-self.slope * z_in))
        np.multiply(delta_out, s + self.slope * z_in * s * (1.0 - s), out=delta_in)


LAYERS = {"Swish": Swish}


def mixed_columns(rng: np.random.Generator) -> dict[str, list[Any]]:
    """Draw numbers, a category and a boolean; a fifth of numbers and categories is missing."""
    age = rng.normal(40.0, 12.0, N_ROWS).round(1)
    place = rng.choice(["east", "north", "Süd", "west"], N_ROWS)
    gone = rng.random((2, N_ROWS)) < 0.2
    return {
        "age": [None if g else float(a) for a, g in zip(age, gone[0], strict=True)],
        "income": rng.lognormal(7.0, 1.0, N_ROWS).round(2).tolist(),
        "place": [None if g else str(p) for p, g in zip(place, gone[1], strict=True)],
        "member": [bool(m) for m in rng.random(N_ROWS) < 0.4],
    }


def models() -> dict[str, tuple[Any, Any]]:
    """Fit one small model of each kind; return it with the rows to predict, as JSON holds them."""
    rng = np.random.default_rng(7)
    columns = mixed_columns(rng)
    table = pd.DataFrame(columns)
    labels = np.where(
        table["member"] ^ (table["income"] > 1100.0) ^ (rng.random(N_ROWS) < 0.2), "yes", "no"
    )
    X = rng.normal(size=(N_ROWS, 4)).round(3)
    three = (X @ rng.normal(size=(4, 3)) + rng.normal(size=(N_ROWS, 3))).argmax(axis=1)
    several = (X @ rng.normal(size=(4, 3)) + rng.normal(size=(N_ROWS, 3)) > 0.0).astype(int)
    # A tol that no epoch meets ends a training quietly; how good it is plays no part here.
    brief = {"tol": 1.0, "n_iter_no_change": 5, "random_state": 1}
    own = bp.Network(
        [bp.Linear(4, 5), bp.Residual(bp.Linear(5, 5), Swish(1.5)), bp.Linear(5, 3)],
        bp.CrossEntropyLoss(),
    )
    # Missing and unseen values too.
    asked = {name: [*cells[:8], None] for name, cells in columns.items()}
    asked["place"][0] = "elsewhere"
    asked["member"][8] = True
    rows = X[:8].tolist()
    return {
        "binary-table": (bp.LogisticRegression().fit(table, labels), asked),
        "binary-array": (bp.LogisticRegression(C=np.inf).fit(X, three == 1), rows),
        "softmax": (bp.LogisticRegression(C=2.0, standardize=True).fit(X, three), rows),
        "mlp-table": (bp.MLPClassifier((6,), "tanh", **brief).fit(table, labels), asked),
        "mlp": (bp.MLPClassifier((6, 5), dropout=0.1, **brief).fit(X, three), rows),
        "multilabel": (bp.MLPClassifier((6,), **brief).fit(X, several), rows),
        "own-layer": (bp.MLPClassifier(network=own, **brief).fit(X, three), rows),
    }


def as_input(asked: Any) -> Any:
    """Return what `expected.json` holds as a model takes it: a table, or an array."""
    return pd.DataFrame(asked) if isinstance(asked, dict) else np.array(asked)


def main() -> None:
    folder = HERE / bp.__version__ / f"format-{FORMAT}"
    folder.mkdir(parents=True)
    expected = {}
    for name, (model, asked) in models().items():
        bp.save(model, folder / f"{name}.safetensors")
        proba = model.predict_proba(as_input(asked))
        expected[name] = {"rows": asked, "probabilities": proba.tolist()}
        if hasattr(model, "summary"):
            expected[name]["summary"] = str(model.summary()).splitlines()
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
