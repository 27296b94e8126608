"""The motion of hands over a whole run, for formats that hold a rig with keyframes: BVH and glTF."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.exports.placed import Placing, y_up
from knuckle.extras import required
from knuckle.media.write_common import FileSink
from knuckle.results import Frame, Handedness
from knuckle.space.bones import Doubles
from knuckle.space.rig import Rig, pose_of, rig_of

BREAK_S = 1.0  # between sources that are in one file: each photo, each clip


@dataclass(frozen=True, eq=False)
class HandMotion:
    """One tracked hand with its rig.

    Attributes:
        name: such as "right_1"; no two hands of a file have the same one.
        rig: bone lengths of this hand.
        frame_numbers: (T,) the frames with this hand: indices of the run's `times_s`.
        times_s: (T,) seconds, increasing.
        wrist: (T, 3) metres, x right, y up, z backwards; the camera is at the origin.
        frames: (T, 25, 3, 3) frame of each of `knuckle.space.bones.JOINTS`, in the same space.
    """

    name: str
    rig: Rig
    frame_numbers: Any
    times_s: Doubles
    wrist: Doubles
    frames: Doubles


@dataclass
class _Recorded:
    """What has been seen of one hand."""

    frame_numbers: list[int] = field(default_factory=list)
    sides: list[Handedness] = field(default_factory=list)
    points: list[Doubles] = field(default_factory=list)


class MotionSink(FileSink):
    """Collects the hands of all frames; subclasses write them in `save`.

    Sources that share a file follow each other. A hand without a track id, as in photos, is a hand of its own.

    Raises:
        MissingExtraError: one of `PACKAGES` is not installed.
    """

    PACKAGES: tuple[str, ...] = ("scipy.spatial.transform",)
    TITLE = ""  # what the packages are for, in the plural

    def __init__(self, path: Path, palms: bool = False) -> None:
        for package in self.PACKAGES:  # before there is a file, and before hours of tracking
            required(package, "motion", self.TITLE)
        super().__init__(path)
        self.placing = Placing()
        self.times_s: list[float] = []
        self.size = (1, 1)
        self._recorded: dict[tuple[bool, int, int], _Recorded] = {}
        self._source, self._source_number, self._offset_s = "", 0, 0.0

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        time_s = self._time(frame)
        points = self.placing(frame, results)
        for number, (hand, own) in enumerate(zip(results, points, strict=True), 1):
            followed = hand.track_id is not None
            key = (True, self._source_number, hand.track_id) if followed else (False, len(self.times_s), number)
            recorded = self._recorded.setdefault(key, _Recorded())
            recorded.frame_numbers.append(len(self.times_s))
            recorded.sides.append(hand.handedness)
            recorded.points.append(y_up(own))
        self.times_s.append(time_s)
        self.size = (frame.width, frame.height)

    def _time(self, frame: Frame) -> float:
        """Seconds since the first frame of the file; sources follow each other."""
        time_s = self._offset_s + frame.time_s
        if self.times_s and (frame.source != self._source or time_s <= self.times_s[-1]):
            self._offset_s = self.times_s[-1] + BREAK_S - frame.time_s
            self._source_number += 1
            time_s = self._offset_s + frame.time_s
        self._source = frame.source
        return time_s

    def motions(self) -> list[HandMotion]:
        """The hands in the order in which they appeared."""
        found: list[HandMotion] = []
        for (_, _, number), recorded in self._recorded.items():
            handedness = Counter(recorded.sides).most_common(1)[0][0]
            points = np.array(recorded.points)
            rig = rig_of(points, handedness)
            name = unused(f"{handedness.lower()}_{number}", found)
            times_s = np.array(self.times_s)[recorded.frame_numbers]
            numbers = np.array(recorded.frame_numbers)
            found.append(HandMotion(name, rig, numbers, times_s, points[:, 0], pose_of(rig, points)))
        return found

    def finish(self) -> None:
        self.file.part.write_bytes(self.content(self.motions()))

    @abstractmethod
    def content(self, motions: Sequence[HandMotion]) -> bytes:
        """The whole file."""


def unused(name: str, motions: Sequence[HandMotion]) -> str:
    """The name, with a number behind it if another hand has it."""
    taken = {motion.name for motion in motions}
    return next(one for one in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 2))) if one not in taken)
