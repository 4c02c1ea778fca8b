"""Writes every command and option into docs/command-line.md: `python -m tests.cli.reference`.

From the declarations that the parser, `--help` and completion use too; a test holds the page to
them. What Typer itself makes of them differs between its versions, so that is not taken over.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import typer

from backpass.cli.app import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
BEGIN = "<!-- reference: written by `make reference`, do not edit -->"
END = "<!-- end of reference -->"
BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
_WIDTH = 120


def reference() -> str:
    """Return the block of the page that stands between the two comments."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n\n".join([BEGIN, *(section(name, made) for name, made in commands.items()), END])


def section(name: str, command: Any) -> str:
    """Describe one command: what it does, what it takes, examples."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not is_help(p)]
    usage = " ".join([f"backpass {name}", *(metavar(p) for p in arguments)])
    parts = [f"### `{usage}`", " ".join(command.help.split())]
    listed = [point(metavar(p), p) for p in arguments]
    listed += [point(" ".join([p.opts[-1], metavar(p)]).strip(), p) for p in options]
    if listed:
        parts.append("\n".join(listed))
    examples = [line.strip() for line in command.epilog.splitlines() if "backpass " in line]
    parts.append("\n".join(["```console", *(f"$ {line}" for line in examples), "```"]))
    return "\n\n".join(parts)


def point(typed: str, parameter: Any) -> str:
    """Write what is typed and what it means as a point of a list."""
    needed = parameter.required and parameter.param_type_name == "option"
    meaning = " ".join(parameter.help.split()) + (" Always needed." if needed else "")
    return textwrap.fill(
        f"* `{typed}`: {meaning}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )


def metavar(parameter: Any) -> str:
    """Return the word that stands for a value; none after a flag."""
    return "" if getattr(parameter, "is_flag", False) else str(parameter.metavar)


def is_help(parameter: Any) -> bool:
    """Tell the option that every command has."""
    return "--help" in parameter.opts


def main() -> None:
    """Write the page."""
    text = PAGE.read_text(encoding="utf-8")
    assert BLOCK.search(text), f"{PAGE} has lost the comment {BEGIN}"
    PAGE.write_text(BLOCK.sub(lambda _: reference(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
