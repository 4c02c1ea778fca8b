"""Who is told how far a fit has come: objectives and solvers tell, a front end shows.

It is apart from both, so that a solver knows no terminal and a terminal no solver. Where nobody
listens, telling costs one look at a context variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Moment:
    """Where a fit over n_rows rows stands. passes: evaluations of all rows so far, in fractions.

    objective, gap: those that this moment has brought, None where it has brought none. part: which
    of several fits it is, "fold 2 of 5, C = 0.1", say.
    """

    passes: float
    n_rows: int
    objective: float | None = None
    gap: float | None = None
    part: str | None = None


Listener = Callable[[Moment], object]

_listener: ContextVar[Listener | None] = ContextVar("backpass_listener", default=None)


def listener() -> Listener | None:
    """Return who listens in this context, to be asked once per pass rather than once per block."""
    return _listener.get()


def tell(moment: Moment) -> None:
    """Tell whoever listens."""
    listening = _listener.get()
    if listening is not None:
        listening(moment)


def of_part(listening: Listener | None, part: str) -> Listener | None:
    """Return a listener to one of several fits, for `told` in the thread of that fit."""
    if listening is None:
        return None
    return lambda moment: listening(replace(moment, part=part))


@contextmanager
def told(listening: Listener | None) -> Iterator[None]:
    """Have `listening` told of every fit inside, in the thread that fits."""
    token = _listener.set(listening)
    try:
        yield
    finally:
        _listener.reset(token)
