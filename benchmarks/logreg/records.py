"""What was measured of one problem: a JSON file, rewritten after every turn."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TARGETS = (1e-3, 1e-6, 1e-9)  # gaps over the null objective


def folder_of(small: bool) -> Path:
    """Return where records live: results of the small scale are for trying, not for keeping."""
    return ROOT / "build" / "logreg" if small else ROOT / "benchmarks" / "results" / "logreg"


class Record:
    """data["solvers"][name]: {"refused"} or {"versions", "blas", "steps", "ended", "rounds"}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.data.setdefault("solvers", {})

    def update(self, **entries: Any) -> None:
        """Change entries and write the file, whole or not at all."""
        self.data.update(entries)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(self.data, indent=1) + "\n")
        os.replace(beside, self.path)

    def solver(self, name: str) -> dict[str, Any]:
        return self.data["solvers"].setdefault(name, {})

    def forget(self, names: list[str]) -> None:
        for name in names:
            self.data["solvers"].pop(name, None)

    def rounds_done(self, name: str) -> int:
        return self.data["solvers"].get(name, {}).get("rounds", 0)

    def has_ended(self, name: str) -> bool:
        """Say whether no further turn would tell more: refused, failed, or slow enough."""
        return self.data["solvers"].get(name, {}).get("no_more", False)

    def rounds_left(self, name: str, rounds: int) -> bool:
        if self.data.get("skipped"):
            return True  # the data may have come
        return self.rounds_done(name) < rounds and not self.has_ended(name)

    @property
    def minimum(self) -> float:
        """The least objective that anyone found, our own Newton or a solver."""
        objectives = [
            step["objective"]
            for solver in self.data["solvers"].values()
            for step in solver.get("steps", [])
        ]
        return min([self.data["minimum"], *(x for x in objectives if x is not None)])

    def gap(self, step: dict[str, Any]) -> float:
        """Return a step's objective minus the minimum, over the null objective; inf for nan."""
        if step["objective"] is None:
            return float("inf")
        return (step["objective"] - self.minimum) / self.data["null"]

    def curve(self, name: str) -> list[tuple[float, float, dict[str, Any]]]:
        """Return (best seconds, gap, step) of every rung, in the ladder's order."""
        steps = self.data["solvers"].get(name, {}).get("steps", [])
        return [(min(step["seconds"]), self.gap(step), step) for step in steps]

    def reached(self, name: str, target: float) -> tuple[float, dict[str, Any]] | None:
        """Return the least time of a rung with a gap at most `target`, and that rung."""
        good = [(seconds, step) for seconds, gap, step in self.curve(name) if gap <= target]
        return min(good, key=lambda pair: pair[0], default=None)

    def line(self, name: str) -> str:
        """Return one solver's state in a line, for whoever watches."""
        solver = self.data["solvers"][name]
        if "refused" in solver:
            return f"{name}: {solver['refused']}"
        times = [self.reached(name, target) for target in TARGETS]
        cells = ["–" if found is None else f"{found[0] * 1e3:.1f} ms" for found in times]
        return f"{name}: {', '.join(cells)} ({solver['ended']})"
