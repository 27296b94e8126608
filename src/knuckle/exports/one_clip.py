"""Files that hold one clip, and neither photos nor several clips."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knuckle.errors import InputError
from knuckle.exports.pictures import is_photo
from knuckle.media.write_common import FileSink
from knuckle.results import Frame


class OneClip:
    """Checks that all frames are of one clip."""

    path: Path
    source: str | None = None

    def require_same_clip(self, frame: Frame) -> None:
        """Check the next frame.

        Raises:
            InputError: it is a photo, or of another clip.
        """
        if is_photo(frame):
            raise InputError(f"{self.path.name} is of a format for clips, and {frame.source} is a photo")
        self.source = frame.source if self.source is None else self.source
        if frame.source != self.source:
            raise InputError(
                f"{self.path.name} holds one clip, and {frame.source} is another than {self.source}; give a folder and "
                "--format, so that each gets a file"
            )


class OneClipSink(OneClip, FileSink):
    """A sink whose file holds one clip. Subclasses write in `write_clip_frame`."""

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        self.require_same_clip(frame)
        self.write_clip_frame(frame, results)

    @abstractmethod
    def write_clip_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        """Write one frame of the clip."""
