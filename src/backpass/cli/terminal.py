"""The terminal: where results and warnings go, and what the process cost."""

from __future__ import annotations

import os
import re
import resource
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

_PIPED_WIDTH = 160  # nothing is cut to fit where no window is; longer lines are for `--json`


def results() -> Console:
    """Return a console on stdout: with colours on a terminal, plain when piped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


@contextmanager
def collected_warnings(notes: list[str]) -> Iterator[set[str]]:
    """Append the text of every warning that is raised inside to `notes`, instead of printing it.

    Gives the names of their categories, once they are known. That a fit has not converged is left
    to who knows the flags that would help.
    """
    kinds: set[str] = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Hints of libraries to their own callers are nothing that a user of a command can act on.
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield kinds
    kinds.update(warning.category.__name__ for warning in caught)
    said = [w for w in caught if w.category.__name__ != "ConvergenceWarning"]
    notes.extend(dict.fromkeys(_in_flags(str(warning.message)) for warning in said))


# What warnings of a fit advise in Python's words, and the words for who has flags.
_IN_FLAGS = (
    (
        r"firth=True or a finite C gives finite ones( for all)?",
        r"A penalty gives finite ones\1: leave --mle out",
    ),
    (r"Against the class \S+ more are finite: reference=\{.*?\}\. ", ""),
)


def _in_flags(sentence: str) -> str:
    for python, flags in _IN_FLAGS:
        sentence = re.sub(python, flags, sentence)
    return sentence


def refuse_bad_place(out: Path | None) -> None:
    """Raise before the work, not after it, where an output file cannot be written."""
    if out is None:
        return
    folder = out.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, f"there is no folder '{folder}' to write to", str(out))
    if out.is_dir():
        raise IsADirectoryError(21, "is a folder; name a file to write", str(out))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, f"the folder '{folder}' may not be written to", str(out))


def warn(notes: list[str]) -> None:
    """Print notes on stderr, a line each."""
    for note in notes:
        print(f"backpass: warning: {' '.join(note.split())}", file=sys.stderr)


@contextmanager
def at_most_threads(count: int | None) -> Iterator[None]:
    """Hold this process to `count` cores, which every library's choice of threads then follows."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def peak_memory_mb() -> float:
    """Return the most memory that this process has held, in MB of 2^20 bytes."""
    try:
        # getrusage's figure starts at what the shell held when it started us; this one does not.
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024.0
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024.0)
