"""Trackers that run in another Python: the real MediaPipe in its own environment, or your own tracker."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from knuckle.errors import EngineError
from knuckle.images import Image

logger = logging.getLogger("knuckle")

HERE = Path(__file__).resolve().parent
PACKAGE = "mediapipe==0.10.21"  # the last version whose wheel has the networks and the Hands solution
COMPLEXITY = {"mediapipe": 1, "mediapipe-lite": 0}


def reference_target(name: str, min_palm_score: float) -> str:
    """The target of `worker.py` for a reference of that name."""
    return f"{HERE / 'mediapipe_hands.py'}:legacy:{COMPLEXITY[name]} {min_palm_score}"


def reference_home() -> Path:
    """The folder of the environment."""
    return Path(platformdirs.user_cache_dir("knuckle")) / PACKAGE.replace("==", "-")


def reference_python() -> Path:
    """The Python of an environment in the cache folder that has the package. The first use makes it, through pip.

    Raises:
        EngineError: pip could not install it.
    """
    home = reference_home()
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if (home / "ready").exists():
        return python
    logger.info("installing %s in %s, once", PACKAGE, home)
    venv.create(home, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise EngineError(
            f"{PACKAGE} could not be installed for Python {sys.version_info.major}.{sys.version_info.minor}: "
            f"{_last_line(done.stderr)}; name a Python that has it with --reference-python"
        )
    (home / "ready").touch()
    return python


@contextmanager
def elsewhere(
    python: str | Path, target: str, video: bool, max_hands: int
) -> Iterator[Callable[[Image, float | None], dict[str, Any]]]:
    """Start a target in another Python. The context gives a function from image and time to answer.

    Raises:
        EngineError: there is no such Python, or the target cannot be opened or stopped; the message has its last line.
    """
    command = [str(python), str(HERE / "worker.py"), target, "video" if video else "stills", str(max_hands)]
    with tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            raise EngineError(f"{python} cannot be started: {error.strerror}") from error
        assert process.stdin and process.stdout

        def answer() -> dict[str, Any]:
            line = process.stdout.readline() if process.stdout else b""
            if line:
                row: dict[str, Any] = json.loads(line)
                return row
            process.wait()
            errors.seek(0)
            raise EngineError(f"{target} in {python} stopped: {_last_line(errors.read())}")

        def ask(image: Image, time_s: float | None) -> dict[str, Any]:
            head = {"height": image.shape[0], "width": image.shape[1], "time_s": time_s}
            try:
                process.stdin.write(json.dumps(head).encode() + b"\n" + image.tobytes())  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            except BrokenPipeError:
                logger.debug("%s exited while an image was sent", python)  # answer() says why
            return answer()

        try:
            answer()
            yield ask
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
