"""The command line: arguments to estimators, words and tables to the terminal, no numerics.

`main` is what the `backpass` script calls. It is apart from the commands because it holds the one
promise that they share: results on stdout, one line per error on stderr, never a traceback, and
the exit status 0 (done), 2 (wrong usage), 1 (anything wrong with data or model), 130 (Ctrl-C).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from backpass.data.errors import DataError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        with _unix_signals():
            return _run(arguments)
    except KeyboardInterrupt:
        _say("interrupted; nothing was written.")
        return 130
    except Exception as error:
        if os.environ.get("BACKPASS_TRACEBACK"):
            raise
        _say(_one_line(error, sys.argv[1:] if arguments is None else arguments))
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    import typer

    from backpass.cli.app import app

    # Where its base classes live differs between Typer's versions.
    usage_error: Any = typer.BadParameter.__mro__[1]
    try:
        status = app(args=arguments, prog_name="backpass", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except usage_error as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "backpass")
        problem = error.format_message().removeprefix("Invalid value: ").rstrip(".")
        _say(f"{problem}; see `{command} --help`.")
        return 2
    sys.stdout.flush()
    if status == 130:  # what newer versions of Typer make of Ctrl-C, without a word
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _say(sentence: str) -> None:
    print(f"backpass: error: {sentence}", file=sys.stderr)


def _one_line(error: Exception, arguments: Sequence[str]) -> str:
    """Say in one line what went wrong, as users can act on it."""
    if isinstance(error, DataError):
        from backpass.cli.flags import spelling

        return " ".join(error.sentence(spelling(arguments)).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError):
        return "not enough memory for this data."
    sentence = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError | FloatingPointError):
        return sentence
    return (
        f"unexpected {type(error).__name__}: {sentence}. This is a fault of backpass; please "
        "report it with what BACKPASS_TRACEBACK=1 shows."
    )


@contextmanager
def _unix_signals() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that no half-written file stays behind.

    And let SIGPIPE end the process in silence, as it ends other filters: that `head` has read
    enough is no fault.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: Any) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, leave)}
    if hasattr(signal, "SIGPIPE"):
        before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
