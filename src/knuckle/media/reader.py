"""`Reader`: what `knuckle.read` returns for every kind of source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from weakref import WeakSet

from knuckle.errors import Error
from knuckle.results import Frame


class Still(float):
    """The type of `STILL`."""


STILL = Still(0)
"""The time of a photo: the number 0, of a type that tells a `HandTracker` to look at the photo alone."""


@dataclass(eq=False)
class Reader:
    """The frames of one source. Each iteration starts at the beginning; a camera or stream continues with what is new.

    Files are opened when an iteration starts and closed when it ends. `close`, or leaving a `with` block, ends the
    iterations that are still open and releases a camera or connection.

    Attributes:
        name: the file, folder, address or camera.
        kind: "image" (independent photos), "video" or "live".
        open_frames: starts an iteration. It gets the reader, so that it can add to `problems`.
        frame_count: expected number of frames; None if unknown.
        rate: frames per second; None for photos.
        duration_s: length in seconds; None if unknown.
        begin_s: an iteration begins with the first frame that is not before this time, in seconds. Players set it on
            files; the numbers of frames are then estimated.
        start_s: the source's own time stamp of its first frame, which is time 0 of the frames; set when the first
            frame was read.
        release: releases what was opened before the first iteration.
        problems: files of a folder that could not be read and were skipped by the last iteration.
        notes: one line each for what was passed over or read in another way, and is no error.
        one_of_many: set it on a reader of a file that runs beside others, so that it takes less processor time in all:
            it decodes in one thread, and makes the image of a frame when that is first asked for (`LateFrame`).
        root: the folder that holds the files of this source; outputs keep the subfolders below it. None for none.
    """

    name: str
    kind: str
    open_frames: Callable[[Reader], Iterator[Frame]]
    frame_count: int | None = None
    rate: float | None = None
    duration_s: float | None = None
    start_s: float = field(default=0.0, init=False)
    begin_s: float = field(default=0.0, init=False)
    one_of_many: bool = field(default=False, init=False)
    release: Callable[[], None] | None = None
    problems: list[Error] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    root: Path | None = None
    _running: WeakSet[Iterator[Frame]] = field(default_factory=WeakSet, init=False, repr=False)

    def __iter__(self) -> Iterator[Frame]:
        frames = self._iterate()
        self._running.add(frames)
        return frames

    def _iterate(self) -> Iterator[Frame]:
        self.problems.clear()
        yield from self.open_frames(self)

    def note(self, text: str) -> None:
        """Add a line to `notes`, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)

    def close(self) -> None:
        """End open iterations and release the source. The reader can be iterated again, which opens it again."""
        for frames in list(self._running):
            with suppress(ValueError):  # it is running in another thread, which closes it when it stops
                frames.close()  # type: ignore[attr-defined]
        if self.release:
            self.release()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
