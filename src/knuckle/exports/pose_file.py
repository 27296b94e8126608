"""`.pose`: the binary format of sign language processing (github.com/sign-language-processing/pose), one clip a file.

The components are those of MediaPipe Holistic, LEFT_HAND_LANDMARKS and RIGHT_HAND_LANDMARKS, so programs that take
its files take ours. The n-th left and the n-th right track are those of the n-th person.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import InputError, SourceError
from knuckle.exports.one_clip import OneClipSink
from knuckle.extras import required
from knuckle.media.data_format import Tracked, blank_frame, labelled_hand
from knuckle.media.read_tables import explained
from knuckle.results import BONES, Frame, Hand, HandLandmark

COMPONENTS = {"LEFT_HAND_LANDMARKS": "Left", "RIGHT_HAND_LANDMARKS": "Right"}
VERSION = 0.2
LEAST_CONFIDENCE = 0.001  # a confidence of 0 means that there is no point


class PoseSink(OneClipSink):
    """Writes a `.pose` file. Its frames have one rate, the mean rate of the clip."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        required("pose_format", "pose", ".pose files")
        super().__init__(path)
        self.rows: list[tuple[int, int, str, Any]] = []  # frame, person, side, (21, 4)
        self.people: dict[tuple[str, int], int] = {}  # side and track -> person
        self.times: list[tuple[int, float]] = []
        self.size = (0, 0)

    def write_clip_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        self.size = (max(self.size[0], frame.width), max(self.size[1], frame.height))
        self.times.append((frame.index, frame.time_s))
        taken = set[tuple[str, int]]()
        for hand in results:
            person = self.person_of(hand, taken)
            taken.add((hand.handedness, person))
            confidence = np.full(21, hand.presence) if hand.visibility is None else hand.visibility
            rows = np.column_stack([hand.landmarks, np.clip(confidence, LEAST_CONFIDENCE, 1)]).astype(np.float32)
            rows[~np.isfinite(rows[:, :2]).all(axis=1)] = 0
            self.rows.append((frame.index, person, hand.handedness, np.nan_to_num(rows)))

    def person_of(self, hand: Hand, taken: set[tuple[str, int]]) -> int:
        """The person whose hand this is: a track keeps its person; other hands get the first free one."""
        side = hand.handedness
        if hand.track_id is not None:
            others = sum(1 for other, _ in self.people if other == side)
            person = self.people.setdefault((side, hand.track_id), others)
        else:
            person = 0
        while (side, person) in taken:
            person += 1
        return person

    def finish(self) -> None:
        if self._failed:
            return
        if not self.times:
            raise InputError(f"{self.path.name}: a .pose file needs at least one frame")
        from pose_format import Pose
        from pose_format.numpy.pose_body import NumPyPoseBody
        from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

        names = [point.name for point in HandLandmark]
        limbs = [(pair[0], pair[1]) for pair, _ in BONES]
        colours = [rgb for _, rgb in BONES]
        parts = [PoseHeaderComponent(name, names, limbs, colours, "XYZC") for name in COMPONENTS]
        depth = max(self.size)
        header = PoseHeader(VERSION, PoseHeaderDimensions(*self.size, depth), parts)
        first = self.times[0][0]
        shape = (self.times[-1][0] - first + 1, 1 + max((row[1] for row in self.rows), default=0), 42)
        data, confidence = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
        for index, person, side, points in self.rows:
            span = slice(0, 21) if side == "Left" else slice(21, 42)
            data[index - first, person, span], confidence[index - first, person, span] = points[:, :3], points[:, 3]
        with self.file.part.open("wb") as file:
            Pose(header, NumPyPoseBody(self.rate(), data, confidence)).write(file)

    def rate(self) -> float:
        """Frames per second, the mean of the clip."""
        (first, start), (last, end) = self.times[0], self.times[-1]
        return (last - first) / (end - start) if end > start else 30.0


def read_pose(path: Path) -> Iterator[Tracked]:
    """The frames of a `.pose` file with MediaPipe's hands, from this module or from pose-format's own programs.

    Raises:
        InputError: it has no hands of MediaPipe's form.
        MissingExtraError: pose-format is not installed.
        SourceError: it cannot be read.
    """
    module = required("pose_format", "pose", ".pose files")
    with explained(path):
        data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pose = module.Pose.read(data)
    except Exception as error:  # the reader raises whatever the bytes lead to
        raise SourceError(f"{path} is no .pose file that can be read: {error}") from error
    starts, start = dict[str, int](), 0
    for component in pose.header.components:
        if component.name in COMPONENTS and len(component.points) == 21 and component.format.startswith("XYZ"):
            starts[COMPONENTS[component.name]] = start
        start += len(component.points)
    if not starts:
        names = ", ".join(component.name for component in pose.header.components)
        raise InputError(f"{path} has no {' or '.join(COMPONENTS)} of 21 points; it has {names or 'nothing'}")
    if not pose.body.fps > 0:
        raise InputError(f"{path} has {pose.body.fps} frames per second")
    size = pose.header.dimensions
    values, confidence = np.ma.getdata(pose.body.data), np.ma.getdata(pose.body.confidence)
    for index in range(len(values)):
        hands = []
        for person in range(values.shape[1]):
            for side, begin in starts.items():
                known = confidence[index, person, begin : begin + 21] > 0
                if known.any():
                    points = np.where(known[:, None], values[index, person, begin : begin + 21, :3], np.nan)
                    hands.append(labelled_hand(side, points))
        about = {"source": str(path), "index": index, "time_s": index / pose.body.fps, "is_photo": False}
        yield blank_frame(about | {"width": size.width, "height": size.height}), hands
