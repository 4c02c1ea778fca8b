"""Settings that an error recommends, as the flags of the command that was typed.

A command may lack the flag that would help: `predict` reads columns as the fit did. Then the
remedy is to fit again, and saying so is better than to name a flag that will be refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from backpass.data.errors import Setting, Spelling


def spelling(arguments: Sequence[str]) -> Spelling:
    """Return how the user of a command line spells settings: as its own flags, or as those of fit.

    A setting that is no flag at all is passed over, and one that commas would cut apart.
    """
    import typer

    from backpass.cli.app import app

    group = typer.main.get_command(app)
    commands = getattr(group, "commands", {})
    typed = next((word for word in arguments if word in commands), "fit")
    flags = {
        name: {flag for option in command.params for flag in option.opts}
        for name, command in commands.items()
    }

    def spell(setting: Setting) -> str | None:
        if not isinstance(setting.value, str) and "," in "".join(setting.value):
            return None
        flag = "--" + setting.name.replace("_", "-")
        words = setting.value if isinstance(setting.value, str) else ",".join(setting.value)
        spelt = f"{flag} {shlex.quote(words)}"
        if flag in flags[typed]:
            return spelt
        return f"fit again with {spelt}" if flag in flags["fit"] else None

    return spell
