"""Help, the page that is made of it, and completion in a real shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer
from tests.cli.reference import BLOCK, PAGE, reference

from backpass.cli import main
from backpass.cli.app import app

COMMANDS = typer.main.get_command(app).commands


def test_the_page_of_the_documentation_is_current():
    found = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None and found[0] == reference(), "run `make reference`"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_in_full_and_has_an_example(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    command = COMMANDS[name]
    for parameter in command.params:
        for flag in parameter.opts if parameter.param_type_name == "option" else []:
            assert re.search(rf"(?<!\S){re.escape(flag)}\b", out), flag
    examples = [line.strip() for line in out.splitlines() if line.startswith("    backpass ")]
    assert examples
    for example in examples:
        assert example.startswith(f"backpass {name}")
        command.make_context(name, shlex.split(example)[2:])  # raises what its parser refuses


@pytest.fixture
def shell(tmp_path):
    """Return what bash offers for a line after the words `backpass` ..., by the script of ours."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "backpass"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m backpass "$@"\n')
    command.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def offered(*words):
        line = " ".join(shlex.quote(word) for word in ("backpass", *words))
        script = (
            'eval "$(_BACKPASS_COMPLETE=source_bash backpass)"\n'
            "complete -p backpass | grep -q _backpass_completion || exit 3\n"
            f"COMP_WORDS=({line}); COMP_CWORD={len(words)}\n"
            "_backpass_completion backpass\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            [bash, "--norc", "-c", script], capture_output=True, text=True, timeout=60,
            env=os.environ | {"PATH": path}, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return offered


def test_bash_completes_commands_options_and_choices(shell):
    assert set(shell("")) >= set(COMMANDS)
    assert shell("pre") == ["predict"]
    assert shell("fit", "x.csv", "--no-st") == ["--no-standardize"]
    assert shell("fit", "x.csv", "--missing", "") == ["indicator", "drop", "raise"]
    assert shell("fit", "x.csv", "--class-weight", "b") == ["balanced"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(name):
    environment = os.environ | {"_BACKPASS_COMPLETE": f"source_{name}"}
    done = subprocess.run(
        [sys.executable, "-m", "backpass"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 and f"_BACKPASS_COMPLETE=complete_{name}" in done.stdout
