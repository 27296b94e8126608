"""The `knuckle` command as a whole: help, version, and how it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import run

import knuckle
from knuckle.cli.app import LazyCommand, cli


def test_help_names_every_command_and_version_is_the_package_s() -> None:
    shown = run("--help").stdout
    assert all(name in shown for name in cli.commands) and "Nothing leaves this computer" in shown
    assert knuckle.__version__ in run("--version").stdout


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_listed_command_loads(name: str) -> None:
    command = cli.commands[name]
    assert isinstance(command, LazyCommand)
    pytest.importorskip("torch" if command.extra == "train" else "click")
    assert command.load().name == name


def test_the_command_runs_as_a_module_and_starts_without_the_extras() -> None:
    done = subprocess.run([sys.executable, "-m", "knuckle.cli", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Usage: knuckle" in done.stdout
    code = "import sys, knuckle.cli; print({'torch', 'starlette', 'pyarrow', 'av', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
