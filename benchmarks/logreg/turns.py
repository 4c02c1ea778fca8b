"""One turn: a solver climbs its ladder the first time, and repeats what counted after that."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from .child import Child, Died, OutOfTime
from .objective import Objective
from .records import TARGETS, Record
from .solvers import Shape, Solver

REPEAT_SECONDS = 15.0  # a later round's fits may take that long in all
SHORT_SECONDS, SHORT_FITS = 0.3, 3  # a fit is repeated at once while both allow
STALLED = 4  # rungs in a row that bring nothing


def take_turn(
    record: Record, solver: Solver, objective: Objective, shape: Shape, folder: Path, limit: float
) -> None:
    """Run one turn and record it. A fit may take `limit` seconds; so may a climb before its last
    fit."""
    entry = record.solver(solver.name)
    reason = solver.refuses(shape)
    if reason is not None:
        entry.update(refused=reason, no_more=True)
        record.update()
        return
    first = entry.get("rounds", 0) == 0
    if first:
        entry.update(steps=[], ended="", knob=solver.knob)
    with Child(folder, solver) as child:
        try:
            entry.update(child.about())
            if first:
                entry["ended"] = climb(record, entry, solver, objective, child, limit)
            else:
                for step in worth_repeating(record, solver.name):
                    fit(step, child, objective, limit)
        except OutOfTime:
            entry["ended"] = f"a fit took more than {limit:g} s"
        except Died as death:
            entry.update(ended=f"the process {death}", no_more=True)
    entry["rounds"] = entry.get("rounds", 0) + 1
    if not worth_repeating(record, solver.name):
        entry["no_more"] = True
    record.update()


def climb(
    record: Record,
    entry: dict[str, Any],
    solver: Solver,
    objective: Objective,
    child: Child,
    limit: float,
) -> str:
    """Fit rung after rung; return why it ended."""
    used, idle, best = 0.0, 0, math.inf
    for rung in solver.ladder:
        if used > limit:
            return f"the climb took more than {limit:g} s"
        step: dict[str, Any] = {"rung": rung, "seconds": [], "memory_mb": []}
        error = fit(step, child, objective, limit)
        if error is not None:
            return f"failed at {entry['knob']}={rung:g}: {error}"
        entry["steps"].append(step)
        used += min(step["seconds"])
        gap = record.gap(step)
        # a gap of rounding size may be negative, or move up and down
        idle = 0 if gap < 0.99 * best else idle + 1
        best = min(best, gap)
        if best <= TARGETS[-1] and not (solver.every_rung and rung != solver.ladder[-1]):
            return "reached"
        if idle >= STALLED and not solver.every_rung:
            return "no further progress"
    return "end of the ladder"


def fit(step: dict[str, Any], child: Child, objective: Objective, limit: float) -> str | None:
    """Fit at one rung, a short fit a few times, into the step; return what went wrong, or None."""
    used = 0.0
    for _ in range(SHORT_FITS):
        answer, found = child.fit(step["rung"], limit)
        if found is None:
            return answer["error"]
        value = objective.value(found)
        # of several fits the worst objective counts, and one that is not finite above all
        worst = max(value, step.get("objective") or -math.inf)
        step["objective"] = worst if math.isfinite(value) else None
        step["seconds"].append(answer["seconds"])
        if answer["memory_mb"] is not None:
            step["memory_mb"].append(answer["memory_mb"])
        step.update({key: answer[key] for key in ("passes", "claims", "warned")})
        used += answer["seconds"]
        if used > SHORT_SECONDS:
            break
    return None


def worth_repeating(record: Record, name: str) -> list[dict[str, Any]]:
    """Return the steps of a later round: all, or those that first met a target, or none."""
    steps = record.data["solvers"][name].get("steps", [])
    if sum(min(step["seconds"]) for step in steps) <= REPEAT_SECONDS:
        return steps
    firsts: list[dict[str, Any]] = []
    for target in TARGETS:
        found = record.reached(name, target)
        if found is not None and found[1] not in firsts:
            firsts.append(found[1])
    return firsts if sum(min(step["seconds"]) for step in firsts) <= REPEAT_SECONDS else []
