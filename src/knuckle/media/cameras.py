"""Cameras of this computer, through OpenCV."""

from __future__ import annotations

import glob
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.media.reader import Reader
from knuckle.media.threads import in_background
from knuckle.results import Frame

SILENT = 0  # OpenCV's LOG_LEVEL_SILENT
DEFAULT_RATE = 30.0  # for cameras that do not state one
TRIES = 3  # a camera that gives no frame so often in a row has stopped


def read_camera(number: int, live: bool | None = None) -> Reader:
    """Read a camera: frames with the time in seconds since the iteration started.

    Args:
        number: the number of the camera.
        live: give the newest frame, and drop those that arrive while the caller is busy. None: True.

    Raises:
        SourceError: the camera cannot be opened. The iteration raises it when the camera stops.
    """
    from knuckle.extras import cv2

    waiting = [_open(number)]  # opened here to fail early and to ask for the rate; the first iteration takes it
    rate = waiting[0].get(cv2.CAP_PROP_FPS) or DEFAULT_RATE

    def frames(reader: Reader) -> Iterator[Frame]:
        pictures = _pictures(waiting.pop() if waiting else _open(number), reader.name)
        for index, time_s, bgr in pictures if live is False else in_background(pictures, keep="newest"):
            yield Frame(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), index, time_s, reader.name)

    def release() -> None:
        while waiting:
            waiting.pop().release()

    return Reader(f"camera {number}", "live", frames, rate=rate, release=release)


def _pictures(capture: Any, name: str) -> Iterator[tuple[int, float, Any]]:
    """Index, time and BGR image of each frame."""
    # Not time.monotonic(), which moves in steps of 15.6 ms on Windows up to Python 3.12.
    start_s, index, failed = time.perf_counter(), 0, 0
    try:
        while failed < TRIES:
            with _quiet():
                ok, image = capture.read()
            if ok:
                yield index, time.perf_counter() - start_s, image
                index, failed = index + 1, 0
            else:
                failed += 1
        raise SourceError(f"{name} stopped after {index} frames: unplugged?")
    finally:
        capture.release()


def _open(number: int) -> Any:
    from knuckle.extras import cv2

    with _quiet():
        capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(f"camera {number} cannot be opened: not plugged in, in use, or not allowed{_others()}")
    return capture


def _others() -> str:
    """Which cameras there are, where the system says so."""
    if not sys.platform.startswith("linux"):
        return ""
    numbers = sorted(int(path.removeprefix("/dev/video")) for path in glob.glob("/dev/video[0-9]*"))
    return f"; this computer has {', '.join(map(str, numbers))}" if numbers else "; this computer has no camera"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from writing about cameras to stderr; what is wrong is said in a SourceError."""
    from knuckle.extras import cv2

    log: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 5 moved the two functions
    level = log.getLogLevel()
    log.setLogLevel(SILENT)
    try:
        yield
    finally:
        log.setLogLevel(level)
