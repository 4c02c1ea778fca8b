"""Facts that stand in two files of the project and must agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import backpass

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_lowest_versions_tested_are_the_lower_bounds_promised():
    lines = (ROOT / "tests" / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if line and "#" not in line)
    extras = PROJECT["optional-dependencies"]
    offered = [line for name in ("report", "formula", "onnx") for line in extras[name]]
    assert tested == dict(line.split(">=") for line in [*PROJECT["dependencies"], *offered])
    assert set(offered) <= set(extras["test"])  # `make test` leaves none of them out


def test_the_version_is_one_and_the_changelog_begins_with_what_is_unreleased():
    assert PROJECT["version"] == backpass.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[:1] == ["Unreleased"]


def test_every_public_name_can_be_imported():
    assert backpass.__all__ == sorted(set(backpass.__all__))
    for name in backpass.__all__:
        assert getattr(backpass, name) is not None


def test_dir_lists_public_names_alone():
    assert sorted(backpass.__all__) == [name for name in dir(backpass) if name != "__version__"]


def test_python_m_backpass_is_the_command_line(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "backpass", *arguments],
            capture_output=True, text=True, cwd=tmp_path, timeout=120,
        )  # fmt: skip

    asked = run("--help")
    assert asked.returncode == 0 and "Usage: backpass" in asked.stdout
    failed = run("show", "nothing.safetensors")
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr == "backpass: error: nothing.safetensors: there is no such file.\n"
