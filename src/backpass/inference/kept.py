"""Results without their rows as arrays and a JSON document, and back to the bit.

What a file cannot know better than the model beside it (names, classes, whether there is an
intercept) is not stored twice but taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpass.data import document
from backpass.data.document import DocumentError
from backpass.data.rows import View
from backpass.inference.covariance import KINDS
from backpass.inference.estimates import Account
from backpass.inference.likelihood import Likelihood
from backpass.inference.optimum import Optimum
from backpass.inference.results import Results
from backpass.inference.scale import Scale
from backpass.inference.separation import Separation

Arrays = Mapping[str, NDArray[np.float64]]
ACCOUNT: dict[str, document.Check] = {
    "target": document.text,
    "null_value": document.number,
    "n_rows": document.number,
    "n_dropped": document.count,
    "reached": document.flag,
    "class_weight": document.flag,
    "firth": document.flag,
    "counted": document.flag,
}


@dataclass(frozen=True)
class Known:
    """What a model says of itself: its classes in order, and what an Account takes from it."""

    classes: Sequence[Any]
    names: tuple[str, ...]
    terms: tuple[tuple[str, tuple[str, ...]], ...]
    levels: tuple[tuple[str, ...], ...]
    intercept: bool

    def against(self, base: int) -> tuple[Any, ...]:
        """Return the classes, that of number `base` first."""
        others = (label for place, label in enumerate(self.classes) if place != base)
        return (self.classes[base], *others)


def to_file(results: Results, known: Known) -> tuple[dict[str, NDArray[np.float64]], dict]:
    """Return arrays by name, and the rest as a document."""
    account, optimum = results.account, results.optimum
    scale, separation = optimum.likelihood.scale, optimum.separation
    arrays = {
        "beta": optimum.beta,
        "covariance": results.covariance,
        "view": np.stack([scale.view.centre, scale.view.scale]),
    }
    said: dict[str, Any] = {name: getattr(account, name) for name in ACCOUNT}
    said |= {
        "base": list(known.classes).index(account.classes[0]),
        "cov_type": results.cov_type,
        "kept": scale.kept.tolist(),
        "value": float(optimum.value),
        "penalised": None if optimum.penalised is None else float(optimum.penalised),
        "penalised_null": None if optimum.penalised is None else float(optimum.penalised_null),
        "separation": None,
    }
    if separation is not None:
        arrays["signs"] = separation.signs
        said["separation"] = {
            "complete": bool(separation.complete),
            "n_rows": int(separation.n_rows),
            "better_base": None if separation.better_base is None else int(separation.better_base),
        }
    return arrays, said


def from_file(arrays: Arrays, plain: Any, known: Known, where: str) -> Results:
    """Read what `to_file` returned; DocumentError where anything does not fit the model."""
    if type(plain) is dict:
        plain = {"counted": False} | plain  # of which earlier files say nothing
    got = document.fields(
        plain,
        where,
        **ACCOUNT,
        base=document.count,
        cov_type=document.one_of(*KINDS),
        kept=document.items(document.count),
        value=document.number,
        penalised=document.optional(document.number),
        penalised_null=document.optional(document.number),
        separation=document.optional(_separation),
    )
    scale = _scale(arrays, got, known, where)
    n_contrasts, unknown = len(known.classes) - 1, np.empty(0)  # unknown: what only rows can tell
    optimum = Optimum(
        Likelihood.rowless(scale, len(known.classes), got["base"]),
        arrays["beta"],
        got["value"],
        gradient=unknown,
        information=unknown,
        inverse=unknown,
        separation=_read_separation(got["separation"], arrays, n_contrasts, where),
        penalised=got["penalised"],
        penalised_null=np.nan if got["penalised_null"] is None else got["penalised_null"],
    )
    account = Account(
        names=known.names,
        terms=known.terms,
        levels=known.levels,
        classes=known.against(got["base"]),
        intercept=known.intercept,
        **{name: got[name] for name in ACCOUNT},
    )
    return Results(account, optimum, got["cov_type"], arrays["covariance"])


def _scale(arrays: Arrays, got: Mapping[str, Any], known: Known, where: str) -> Scale:
    """Check that the arrays are of this model before anything is made of their size."""
    n_contrasts, width, kept = len(known.classes) - 1, len(known.names), got["kept"]
    if got["base"] > n_contrasts:
        raise DocumentError(f"{where}.base is {got['base']}; there are {n_contrasts + 1} classes.")
    if not kept or list(kept) != sorted(set(kept)) or kept[-1] >= width:
        raise DocumentError(f"{where}.kept does not name some of {width} columns, in order.")
    size = n_contrasts * len(kept)
    shapes = {
        "beta": (n_contrasts, len(kept)),
        "covariance": (size, size),
        "view": (2, width - known.intercept),
    }
    if got["separation"] is not None:
        shapes["signs"] = shapes["beta"]
    found = {name: array.shape for name, array in arrays.items()}
    if found != shapes:
        raise DocumentError(f"{where} has arrays {found}; for this model they are {shapes}.")
    centre, scale = arrays["view"]
    if not (np.isfinite(arrays["view"]).all() and (scale > 0.0).all()):
        raise DocumentError(f"{where}.view has a scale that is not above 0, or is not finite.")
    return Scale(View(centre, scale, known.intercept), np.array(kept, np.intp))


def _separation(plain: Any, where: str) -> dict[str, Any]:
    return document.fields(
        plain,
        where,
        complete=document.flag,
        n_rows=document.count,
        better_base=document.optional(document.count),
    )


def _read_separation(
    got: dict[str, Any] | None, arrays: Arrays, n_contrasts: int, where: str
) -> Separation | None:
    if got is None:
        return None
    signs, unknown = arrays["signs"], np.empty((0, 0))
    if not np.isin(signs[~np.isnan(signs)], (-1.0, 0.0, 1.0)).all():
        raise DocumentError(f"{where}.signs are not -1, 0 or 1.")
    if (got["better_base"] or 0) > n_contrasts:
        raise DocumentError(f"{where}.better_base is no class.")
    return Separation(unknown, unknown, signs, rows=np.empty(0, np.intp), **got)
