"""The report, from what was recorded: results/logreg.md and a plot per problem.

python benchmarks/logreg/report.py [small]     writes it anew without measuring
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from logreg import plot
from logreg.records import TARGETS, Record, folder_of
from logreg.solvers import SOLVERS

OURS = "backpass"
HEADLINE = 1e-6


def main() -> None:
    write(folder_of("small" in sys.argv[1:]))


def write(folder: Path) -> None:
    """Write folder.md and the plots from the records in the folder."""
    records = ordered([Record(path) for path in folder.glob("*-C*.json")])
    measured = [r for r in records if not r.data.get("skipped") and r.data["solvers"]]
    if not measured:
        return
    for record in measured:
        plot.draw(record, record.path.with_suffix(".svg"))
    lines = [
        *introduction(measured),
        *headline(measured),
        *failures(measured),
        *bandwidth(folder / "bandwidth.json"),
        "",
        "## Problem by problem",
    ]
    for record in measured:
        lines += one_problem(record, folder.name)
    lines += [
        f"\n{r.data['problem']}: skipped, {r.data['skipped']}."
        for r in records
        if r.data.get("skipped")
    ]
    folder.with_suffix(".md").write_text("\n".join(lines) + "\n")


def ordered(records: list[Record]) -> list[Record]:
    """Sort by the order in which data sets are listed, C=1 before C=inf."""
    from logreg.datasets import DATASETS

    places = {dataset.name: i for i, dataset in enumerate(DATASETS)}

    def place(record: Record) -> tuple[int, str]:
        name, C = record.path.stem.rsplit("-C", 1)
        return places.get(name, len(places)), C

    return sorted(records, key=place)


def introduction(records: list[Record]) -> list[str]:
    versions: dict[str, str] = {}
    blas: set[str] = set()
    machines: set[str] = set()
    for record in records:
        machines.add(record.data["machine"].lstrip("* "))
        for solver in record.data["solvers"].values():
            versions |= solver.get("versions", {})
            blas |= set(solver.get("blas", []))
    return [
        "# Logistic regression: time to a gap",
        "",
        "Made by `make bench`; `docs/benchmarks.md` says how it is measured and how to read it. "
        "Every solver minimises ∑ losses + ‖w‖²/(2C), intercept free, and is judged by our "
        "evaluation of its coefficients; a gap is (objective − minimum) / null objective. Times "
        "are the best of interleaved rounds, of the fastest setting that met the gap.",
        "",
        *(f"* {machine}" for machine in sorted(machines)),
        "* " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        f"* BLAS: {'; '.join(sorted(blas))}",
    ]


def headline(records: list[Record]) -> list[str]:
    """Compare our certified 1e-6 with the fastest peer's 1e-6, known in hindsight."""
    lines = [
        "",
        f"## Time to {HEADLINE:.0e}: ours beside the fastest peer",
        "",
        "Ours is the fit with tol=1e-6, which stops when the gap is *proven*; the peers' is the "
        "loosest of their settings that turned out to be good enough. *Any* is ours by the "
        "peers' rule. The proven gap and the true one are of the fit with tol=1e-6.",
        "",
        "| problem | ours, ms | any, ms | passes | fastest peer | its ms | ours / its "
        "| proven gap | true gap |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    ratios: dict[str, float] = {}
    for record in records:
        ours, any_ours, peer = certified(record), record.reached(OURS, HEADLINE), fastest(record)
        seconds = None if ours is None else min(ours["seconds"])
        if seconds is not None and peer is not None:
            ratios[record.data["problem"]] = seconds / peer[0]
        cells = [
            record.data["problem"],
            ms(seconds),
            ms(any_ours and any_ours[0]),
            "–" if ours is None else f"{ours['passes']:.1f}",
            "none" if peer is None else peer[1],
            ms(peer and peer[0]),
            f"{ratios[record.data['problem']]:.2f}" if record.data["problem"] in ratios else "–",
            "–" if ours is None else proof(record, ours),
            "–" if ours is None else show_gap(record.gap(ours)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", summary(ratios)]


def proof(record: Record, step: dict[str, Any]) -> str:
    """Return the proven gap; say loudly where it is below the true one by more than rounding."""
    proven = step["claims"]["gap"] / record.data["null"]
    return f"{proven:.1e}" + (" **too small**" if proven < record.gap(step) - 1e-13 else "")


def summary(ratios: dict[str, float]) -> str:
    if not ratios:
        return "No problem has both our time and a peer's."
    mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
    slowest = max(ratios, key=lambda name: ratios[name])
    return (
        f"Geometric mean over {len(ratios)} problems: **{mean:.2f}** of the fastest peer's time; "
        f"the largest is {ratios[slowest]:.2f}, on {slowest}."
    )


def certified(record: Record) -> dict[str, Any] | None:
    """Return our step with tol=1e-6 where its proof came through and is true."""
    for _, gap, step in record.curve(OURS):
        if step["rung"] == HEADLINE and (step["claims"] or {}).get("converged"):
            return step if gap <= HEADLINE else None
    return None


def fastest(record: Record) -> tuple[float, str] | None:
    """Return the least time of a peer to the headline's gap, and whose it is."""
    found = {n: record.reached(n, HEADLINE) for n in record.data["solvers"] if n != OURS}
    return min(((pair[0], name) for name, pair in found.items() if pair), default=None)


def failures(records: list[Record]) -> list[str]:
    """Tell for each solver where it did not come to 1e-6, and whether it said so."""
    lines = ["", f"## Who does not reach {HEADLINE:.0e}, and where", ""]
    for solver in SOLVERS:
        refused: dict[str, list[str]] = {}
        short: list[str] = []
        for record in records:
            entry = record.data["solvers"].get(solver.name)
            name = record.data["problem"]
            if entry is None:
                continue
            if "refused" in entry:
                refused.setdefault(entry["refused"], []).append(name)
            elif record.reached(solver.name, HEADLINE) is None:
                short.append(f"{name} ({ending(record, solver.name)})")
        if not any(solver.name in record.data["solvers"] for record in records):
            continue
        parts = [", ".join(short)] if short else []
        parts += [f"not for {', '.join(names)}: {why}" for why, names in refused.items()]
        lines.append(f"* {solver.name}: {'; '.join(parts) or 'reaches it everywhere'}.")
    return lines


def ending(record: Record, name: str) -> str:
    """Return the best gap of a solver that fell short, and how it ended."""
    curve = record.curve(name)
    ended = record.data["solvers"][name]["ended"]
    if not curve:
        return ended
    _, gap, step = min(curve, key=lambda item: item[1])
    own_end = ended in ("no further progress", "end of the ladder")
    silent = ", without a warning" if own_end and not step["warned"] else ""
    return f"best {show_gap(gap)}, {ended}{silent}"


def bandwidth(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = [
        "",
        "## A pass beside a plain read of X",
        "",
        "The read is a sum over X by all cores; *cost, gradient* is `cost_and_gradient` of the "
        "network; *fit* is a fit with tol=1e-6, seconds / `passes_`, so with curvature and the "
        "preparation of columns. In brackets the read as a fraction of it.",
        "",
        "| X | read, ms | GB/s | cost, gradient, ms | a pass of the fit, ms | passes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in json.loads(path.read_text()):
        read, gradient, fit = row["read_ms"], row["cost_and_gradient_ms"], row["fit_pass_ms"]
        lines.append(
            f"| {row['shape'][0]}×{row['shape'][1]} | {read:.2f} | {row['megabytes'] / read:.1f} "
            f"| {gradient:.2f} ({read / gradient:.0%}) | {fit:.2f} ({read / fit:.0%}) "
            f"| {row['passes']:.1f} |"
        )
    return lines


def one_problem(record: Record, folder: str) -> list[str]:
    data = record.data
    lines = [
        "",
        f"### {data['problem']}",
        "",
        f"{data['about']}; {data['rows']} rows, {data['columns']} columns, {data['classes']} "
        f"classes, C={data['C']}. Minimum {record.minimum:.12g}, null {data['null']:.12g}"
        f"{found_by(record)}.",
        "",
        f"![gap against time]({folder}/{record.path.stem}.svg)",
        "",
        "| solver | " + " | ".join(f"{t:.0e}, ms" for t in TARGETS) + " | passes to 1e-6 "
        "| best gap | memory, MiB | rounds | ended |",
        "| --- |" + " ---: |" * (len(TARGETS) + 4) + " --- |",
    ]
    for solver in SOLVERS:
        entry = data["solvers"].get(solver.name)
        if entry is None or "refused" in entry:
            continue
        reached = [record.reached(solver.name, target) for target in TARGETS]
        curve = record.curve(solver.name)
        to_headline = reached[TARGETS.index(HEADLINE)]
        passes = to_headline and to_headline[1]["passes"]
        memory = [mib for _, _, step in curve for mib in step["memory_mb"]]
        cells = [
            solver.name,
            *(ms(found and found[0]) for found in reached),
            f"{passes:.1f}" if passes else "–",
            show_gap(min((gap for _, gap, _ in curve), default=np.inf)),
            f"{max(memory):.0f}" if memory else "–",
            str(entry.get("rounds", 0)),
            entry["ended"],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def found_by(record: Record) -> str:
    """Say how sure the minimum is, and whether a solver went below our own reference."""
    text = f" (Newton's decrement there {record.data['minimum_decrement']:.0e})"
    below = (record.data["minimum"] - record.minimum) / record.data["null"]
    return text + (f", a solver went {below:.0e} below our reference" if below > 1e-13 else "")


def ms(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e3:.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.3g}"


def show_gap(gap: float) -> str:
    """Return a gap in words fit for a table: below 1e-14 all is rounding."""
    if not np.isfinite(gap):
        return "none"
    return f"{gap:.1e}" if gap >= 1e-14 else "< 1e-14"


if __name__ == "__main__":
    main()
