"""Cameras of this computer, through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from knuckle.errors import SourceError
from knuckle.media.reader import Reader
from knuckle.results import Frame

DEFAULT_RATE = 30.0  # for cameras that do not state one


def read_camera(number: int) -> Reader:
    """Read a camera: live frames with the time in seconds since the iteration started.

    Raises:
        SourceError: the camera cannot be opened. The iteration raises it when the camera stops.
    """
    from knuckle.extras import cv2

    waiting = [_open(number)]  # opened here to fail early and to ask for the rate; the first iteration takes it
    rate = waiting[0].get(cv2.CAP_PROP_FPS) or DEFAULT_RATE

    def frames(reader: Reader) -> Iterator[Frame]:
        capture = waiting.pop() if waiting else _open(number)
        start_s, index = time.monotonic(), 0
        try:
            while True:
                ok, image = capture.read()
                if not ok:
                    raise SourceError(f"camera {number} stopped after {index} frames: unplugged?")
                rgb: Any = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                yield Frame(rgb, index, time.monotonic() - start_s, reader.name)
                index += 1
        finally:
            capture.release()

    def release() -> None:
        while waiting:
            waiting.pop().release()

    return Reader(f"camera {number}", "live", frames, rate=rate, release=release)


def _open(number: int) -> Any:
    from knuckle.extras import cv2

    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(f"camera {number} cannot be opened: not plugged in, in use, or not allowed")
    return capture
