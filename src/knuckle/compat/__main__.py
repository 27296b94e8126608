"""`python -m knuckle.compat old_script.py [arguments]` runs an unchanged MediaPipe script on Knuckle."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from knuckle.compat import script
from knuckle.compat.finder import NotCoveredError, NotCoveredModuleError, installed_mediapipe

USAGE = """usage: python -m knuckle.compat old_script.py [arguments]

Run a script that says `import mediapipe` on Knuckle, without changing it. docs/migrate.md says what is covered."""


def main(arguments: list[str]) -> int | str:
    """Run the script; returns the exit status, or the line to print."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    path = arguments[0]
    if not os.path.isfile(path):
        return f"no script {path!r}: pass the path of a Python file"
    sys.argv = arguments
    sys.path[0] = str(Path(path).resolve().parent)
    theirs = installed_mediapipe()
    if theirs and theirs.origin and Path(theirs.origin).with_name("python").joinpath("solutions").is_dir():
        print("note: MediaPipe is installed with its own solutions, so this script runs on MediaPipe", file=sys.stderr)
    try:
        script.run(path)
    except (NotCoveredError, NotCoveredModuleError) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        return f"{path}, line {lines[-1]}: {error}" if lines else str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
