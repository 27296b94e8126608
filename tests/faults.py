"""Errors raised at every line that writes a file: what is left must be readable.

tests/media/test_write_faults.py tries some of the lines, `python benchmarks/faults.py` all of them.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from conftest import make_hand

import knuckle
from knuckle.exports.formats import FORMATS
from knuckle.media.sinks import data_sink
from knuckle.media.write_common import Sink
from knuckle.media.write_video import VideoSink
from knuckle.results import Frame

IMAGE = np.full((48, 64, 3), 90, np.uint8)
FRAMES = [Frame(IMAGE, index, index / 30, "clip.mp4") for index in range(3)]
HANDS = [replace(make_hand(20, 40, 20), track_id=1)]
PACKAGE = Path(knuckle.__file__).parent
WRITERS = tuple(str(PACKAGE / name) for name in ("media", "exports", "batch", "label"))  # the code that touches files
FAULTS = (KeyboardInterrupt, MemoryError)


class LineFault:
    """Runs a function and raises an error before one of the lines that it reaches in `WRITERS`.

    Ctrl-C arrives between any two lines, and any line can run out of memory.

    Args:
        at: number of the line, counted as they are reached; None for no error.
        error: the error to raise.

    Attributes:
        reached: function and line number of each line, in order, up to the error.
        raised: whether the error was raised.
    """

    def __init__(self, at: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.at, self.error = at, error
        self.reached: list[str] = []
        self.raised = False

    def run(self, work: Callable[[], Any]) -> None:
        """Call `work`. The raised error ends here, every other one goes on."""
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            work()
        except self.error:
            if not self.raised:
                raise
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(WRITERS) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and not self.raised:
            self.reached.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}")
            if len(self.reached) - 1 == self.at:
                self.raised = True
                if self.error is KeyboardInterrupt:
                    signal.raise_signal(signal.SIGINT)  # as Ctrl-C does, so that what delays Ctrl-C delays this
                else:
                    raise self.error("a fault at this line")
        return self._line


def places(work: Callable[[], Any]) -> dict[int, str]:
    """The lines that a function reaches, the first and the last time each, by the number for `LineFault`."""
    counted = LineFault()
    counted.run(work)
    first = {place: number for number, place in reversed(list(enumerate(counted.reached)))}
    last = {place: number for number, place in enumerate(counted.reached)}
    return {number: place for place, number in sorted([*first.items(), *last.items()], key=lambda pair: pair[1])}


def write(path: Path) -> None:
    with opened(path) as sink:
        for frame in FRAMES:
            sink.write(frame, HANDS)


def opened(path: Path) -> Sink:
    return VideoSink(path, 30) if path.suffix == ".mp4" else data_sink(path, formats=FORMATS)


def frames_in(path: Path) -> int:
    """How many frames a file has; an error if it cannot be read."""
    if path.suffix in (".mp4", ".jpg"):
        return len(list(knuckle.read(path)))
    read = next(one.read for one in FORMATS if path.name.endswith(one.suffix))
    assert read is not None
    return len(list(read(path)))


def what_is_wrong(folder: Path, path: Path, had_file: bool) -> str:
    """What a fault did to a file that may be whole or absent, and to the folder it is alone in; "" if all is well.

    Args:
        folder: the folder.
        path: the file, or the folder of a format with many files.
        had_file: whether there was an older file, which may be replaced but not lost.
    """
    if any(entry != path for entry in folder.iterdir()):
        gc.collect()  # a traceback keeps the object that removes its file when it goes
    if left := [entry.name for entry in folder.iterdir() if entry != path]:
        return f"{left} is left"
    if not path.exists():
        return "the older file is lost" if had_file else ""
    try:
        count = frames_in(path)
    except Exception as error:
        return f"the file cannot be read: {error}"
    return "" if count <= len(FRAMES) else f"the file has {count} frames"
