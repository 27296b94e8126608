"""Runs a script as Python would, with MediaPipe's modules made from ours, also in the processes that it starts."""

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from knuckle.compat.finder import install

_SCRIPT = "KNUCKLE_COMPAT_SCRIPT"  # tells processes that multiprocessing starts which script they belong to


def run(path: str) -> None:
    """Run a script as the main module. `sys.argv` and `sys.path` are the caller's to set.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it is not Python.
    """
    main = ModuleType("__main__")
    vars(main).update(__builtins__=builtins, __file__=path)
    # multiprocessing runs the module that this names, which is the one here, as the main module of a new process.
    main.__spec__ = ModuleSpec(__name__, None)
    sys.modules["__main__"] = main
    os.environ[_SCRIPT] = os.path.abspath(path)
    execute(path, vars(main))


def execute(path: str, names: dict[str, Any]) -> None:
    """Run the code of a file in a module's names."""
    install()
    exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), names)


if __name__ == "__mp_main__":
    __file__ = sys.argv[0] = os.environ[_SCRIPT]
    execute(__file__, globals())
