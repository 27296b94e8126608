"""Run a tracker in another Python: images are sent to `worker.py`, answers come back."""

from __future__ import annotations

import json
import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from knuckle.errors import EngineError
from knuckle.images import Image

logger = logging.getLogger("knuckle")

WORKER = Path(__file__).resolve().with_name("worker.py")


@contextmanager
def elsewhere(
    python: str | Path, target: str, video: bool, max_hands: int
) -> Iterator[Callable[[Image, float | None], dict[str, Any]]]:
    """Start a target in another Python. The context gives a function from image and time to answer.

    Raises:
        EngineError: there is no such Python, or the target cannot be opened or stopped; the message has its last line.
    """
    command = [str(python), str(WORKER), target, "video" if video else "stills", str(max_hands)]
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
            raise EngineError(f"{target} in {python} stopped: {last_line(errors.read())}")

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


def last_line(text: str) -> str:
    """The last line that is not empty: of an error output, the message of the exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
