"""What a report says, as plain values; how it looks is decided in the other modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backpass.tallies import Tally


@dataclass(frozen=True)
class Story:
    """Everything on the page. facts, outcome: pairs of name and words, in order.

    tally: of the held-out rows, or where none were held out of the rows fitted on (`measured_on`).
    measures: (name, tally) side by side. coefficients: dicts with name, of, value, per_deviation,
    interval (low, high) or None; intervals: what is to be said of these. columns: (name, what
    became of it). losses, validation: the mean loss of every epoch, on rows fitted on and on those
    set aside. training: a Recorder's epochs.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    outcome: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    classes: Sequence[str]
    tally: Tally
    measured_on: str
    measures: Sequence[tuple[str, Tally]]
    columns: Sequence[tuple[str, str]]
    coefficients: Sequence[dict[str, Any]] = ()
    intervals: str = ""
    course: dict[str, list] | None = None
    losses: Sequence[float] = ()
    training: Sequence[dict[str, Any]] = field(default_factory=tuple)
    layers: Sequence[str] = ()
    validation: Sequence[float] = ()
