"""Where results go: data files, annotated images and video. docs/formats.md describes the files.

To add a data format, write a `Sink` beside `write_tables` and give it a suffix in `DATA_SINKS`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from knuckle.errors import InputError
from knuckle.media.sink import Results, Sink
from knuckle.media.write_images import ImageSink
from knuckle.media.write_tables import JsonlSink, TableSink
from knuckle.media.write_video import VideoSink, has_audio
from knuckle.results import Frame

__all__ = [
    "DATA_SINKS",
    "ImageSink",
    "InBackground",
    "JsonlSink",
    "Sink",
    "TableSink",
    "VideoSink",
    "data_sink",
    "has_audio",
]

# Suffix -> sink; called with the path and whether the results are palms instead of hands.
DATA_SINKS: Mapping[str, Callable[[Path, bool], Sink]] = {".parquet": TableSink, ".csv": TableSink, ".jsonl": JsonlSink}


def data_sink(path: str | os.PathLike[str], palms: bool = False) -> Sink:
    """Open a data file for hands, or for palms, in the format of its suffix.

    Raises:
        InputError: an unknown suffix.
        SinkError: the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in DATA_SINKS:
        raise InputError(f"data is saved as {', '.join(DATA_SINKS)}, got {target.name!r}")
    return DATA_SINKS[suffix](target, palms)


class InBackground(Sink):
    """Runs a sink in a thread of its own, so that encoding overlaps with tracking the next frame.

    At most `depth` frames wait; after that `write` waits as well. The next `write`, or `close`, raises an error of
    the sink; nothing is written after an error.
    """

    def __init__(self, sink: Sink, depth: int = 8) -> None:
        self.sink, self.path = sink, sink.path
        self.waiting: queue.Queue[tuple[Frame, Any] | None] = queue.Queue(depth)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="knuckle-writer", daemon=True)
        self.thread.start()

    def write(self, frame: Frame, results: Results) -> None:
        if self.error:
            raise self.error
        self.waiting.put((frame, results))

    def _work(self) -> None:
        while (item := self.waiting.get()) is not None:
            if self.error is None:
                try:
                    self.sink.write(*item)
                except BaseException as error:  # raised again in the caller's thread
                    self.error = error

    def close(self) -> None:
        if self.thread.is_alive():
            self.waiting.put(None)
            self.thread.join()
        self.sink.close()
        self.path = self.sink.path
        if self.error:
            error, self.error = self.error, None
            raise error
