"""Frames for a player: a reader whose position can be changed while it is read."""

from __future__ import annotations

from collections.abc import Iterator

from knuckle.media.reader import Reader
from knuckle.media.threads import in_background
from knuckle.results import Frame

END_S = 0.1  # seeking beyond the end shows the last frames


class Playback(Iterator[Frame]):
    """The frames of a video, read ahead in a thread, from the place that was sought last.

    Args:
        reader: the video.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._frames: Iterator[Frame] = in_background(iter(reader))

    def __next__(self) -> Frame:
        return next(self._frames)

    def seek(self, time_s: float) -> None:
        """Go on with the first frame that is not before this time, in seconds."""
        self.close()
        if self.reader.duration_s:
            time_s = min(time_s, self.reader.duration_s - END_S)
        self.reader.begin_s = max(0.0, time_s)
        self._frames = in_background(frame for frame in iter(self.reader) if frame.time_s > time_s - 1e-6)

    def close(self) -> None:
        """End the thread that reads."""
        self._frames.close()  # type: ignore[attr-defined]
