"""`knuckle` commands run inside the test process, which is much faster than a process each."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from knuckle.cli import main


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object, cwd: Path | None = None, env: Mapping[str, str | None] | None = None) -> Done:
    """Run `knuckle ARGUMENTS`.

    Args:
        arguments: command, options and values.
        cwd: working directory.
        env: environment variables to set, or to unset where the value is None.
    """
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), place(cwd, env or {}):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            assert stop.code is None or isinstance(stop.code, int)
            return Done(stop.code or 0, out.getvalue(), errors.getvalue())
    raise AssertionError("main() did not exit")


@contextlib.contextmanager
def place(cwd: Path | None, env: Mapping[str, str | None]) -> Iterator[None]:
    """Another working directory and other environment variables, for the length of the block."""
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        os.chdir(cwd or before)
        try:
            yield
        finally:
            os.chdir(before)


def one_line(done: Done) -> str:
    """The message of a command that was refused: one line on stderr, exit code 2."""
    assert done.returncode == 2 and done.stdout == "", done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line
