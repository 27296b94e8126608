"""The frames of a clip in any order: by their number, or by their time."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator

from knuckle.errors import SourceError
from knuckle.images import Image
from knuckle.media.sources import read
from knuckle.results import Frame

BEHIND = 16  # frames before the wanted one that are decoded too, so that steps back are fast
AHEAD = 48  # up to so many frames are decoded on the way to the wanted one; farther away the file is searched
MEMORY = 256 << 20  # bytes of images that are kept
SAME_S = 5e-5  # times of one frame differ by less


class ClipFrames:
    """The frames of a clip by number. Several threads may use it.

    Args:
        path: a video file.

    Attributes:
        times_s: the time of each frame, seconds.
        size: (width, height), upright.
        problem: why the file breaks off, if it does; the frames before that are there.

    Raises:
        SourceError: the file holds no frame that can be decoded.
    """

    def __init__(self, path: str) -> None:
        self.path, self.problem = path, ""
        self.reader = read(path, live=False)
        self.reader.one_of_many = True
        self.times_s: list[float] = []
        try:
            for frame in self.reader:
                if not self.times_s:
                    self.size = frame.width, frame.height
                self.times_s.append(frame.time_s)
        except SourceError as error:
            if not self.times_s:
                raise
            self.problem = str(error)
        if not self.times_s:
            raise SourceError(f"{path} holds no frame that can be decoded")
        self.kept: OrderedDict[int, Image] = OrderedDict()
        self.coming: Iterator[Frame] = iter(())
        self.next, self.lock = len(self.times_s), threading.Lock()

    def __len__(self) -> int:
        return len(self.times_s)

    def image(self, number: int) -> Image:
        """A frame as RGB uint8 (height, width, 3), read-only.

        Raises:
            SourceError: there is no such frame, or the file has changed.
        """
        if not 0 <= number < len(self):
            raise SourceError(f"{self.path} has frames 0 to {len(self) - 1}, and no frame {number}")
        with self.lock:
            if number not in self.kept:
                wanted = range(number, number + 1)
                if not self.next <= number < self.next + AHEAD:
                    wanted = range(max(0, number - BEHIND), number + 1)
                    self.go_to(wanted.start)
                self.decode(wanted)
            self.kept.move_to_end(number)
            return self.kept[number]

    def go_to(self, number: int) -> None:
        """Let `coming` begin at this frame or a little before it."""
        self.reader.close()
        self.reader.begin_s = self.times_s[number] if number else 0.0
        self.coming, self.next = iter(self.reader), number
        if number == 0:
            return
        first = next(self.coming, None)
        found = len(self) if first is None else bisect_left(self.times_s, first.time_s - SAME_S)
        if first is None or found > number or abs(self.times_s[found] - first.time_s) > SAME_S:
            return self.go_to(0)  # after a jump this file shows other times, so frames are counted from the start
        self.keep(found, first)
        self.next = found + 1

    def decode(self, wanted: range) -> None:
        """Read on to the end of `wanted`, and keep these frames."""
        while self.next < wanted.stop:
            try:
                frame = next(self.coming, None)
            except SourceError:
                frame = None
            if frame is None:
                break
            if self.next in wanted:
                self.keep(self.next, frame)
            self.next += 1
        if wanted[-1] not in self.kept:
            raise SourceError(f"{self.path} no longer has a frame {wanted[-1]}; has the file changed?")

    def keep(self, number: int, frame: Frame) -> None:
        """Remember an image, and forget those that nobody asked for lately."""
        image = frame.image
        image.flags.writeable = False
        self.kept[number] = image
        while len(self.kept) > max(2, MEMORY // image.nbytes):
            self.kept.popitem(last=False)

    def close(self) -> None:
        """Close the file."""
        self.reader.close()


def image_at(path: str, time_s: float) -> Image:
    """The first frame of a clip from this time on: RGB uint8 (height, width, 3).

    Raises:
        SourceError: the file cannot be read, or ends before.
    """
    with read(path, live=False) as reader:
        reader.one_of_many = True
        next(iter(reader), None)  # which tells the reader the clock of the file
        reader.begin_s = max(0.0, time_s)
        for frame in reader:
            return frame.image
    raise SourceError(f"{path} has no frame at {time_s:g} s; it ends before")
