"""The vocabulary: the data that passes between modules and that users get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.images import Image

FloatArray = npt.NDArray[np.floating[Any]]


class HandLandmark(IntEnum):
    """The 21 points in the order that MediaPipe, OpenPose and COCO-WholeBody share."""

    WRIST = 0
    THUMB_CMC = 1
    THUMB_MCP = 2
    THUMB_IP = 3
    THUMB_TIP = 4
    INDEX_MCP = 5
    INDEX_PIP = 6
    INDEX_DIP = 7
    INDEX_TIP = 8
    MIDDLE_MCP = 9
    MIDDLE_PIP = 10
    MIDDLE_DIP = 11
    MIDDLE_TIP = 12
    RING_MCP = 13
    RING_PIP = 14
    RING_DIP = 15
    RING_TIP = 16
    PINKY_MCP = 17
    PINKY_PIP = 18
    PINKY_DIP = 19
    PINKY_TIP = 20


FINGERS: Mapping[str, tuple[int, ...]] = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8),
    "middle": (9, 10, 11, 12),
    "ring": (13, 14, 15, 16),
    "pinky": (17, 18, 19, 20),
}
"""Name of each finger: its four landmarks, from the palm to the tip."""
FINGERTIPS = (4, 8, 12, 16, 20)
"""The landmarks at the tips, from the thumb to the pinky."""
PALM_KEYPOINTS = ("wrist", "index_mcp", "middle_mcp", "ring_mcp", "pinky_mcp", "thumb_cmc", "thumb_mcp")
PALM_LANDMARKS = (0, 5, 9, 13, 17, 1, 2)  # `PALM_KEYPOINTS` as hand landmarks
PALM_CONNECTIONS = ((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17))
HAND_CONNECTIONS = (
    *PALM_CONNECTIONS,
    *(pair for points in FINGERS.values() for pair in pairwise(points)),
)
"""Pairs of landmarks that a bone or the palm's outline joins, as MediaPipe defines them."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source.

    Attributes:
        image: RGB uint8 (height, width, 3), upright.
        index: 0, 1, 2, … within its source.
        time_s: seconds since the source began, from the time stamps of the file where it has them.
        source: the file, address or camera that it comes from.
    """

    image: Image
    index: int = 0
    time_s: float = 0.0
    source: str = ""

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True)
class Roi:
    """A square region of the image. It may be rotated and may reach beyond the border.

    Attributes:
        x, y: centre, image pixels.
        size: side, image pixels.
        angle_rad: 0 when the fingers point up in the image; clockwise on screen is positive.
    """

    x: float
    y: float
    size: float
    angle_rad: float = 0.0

    @classmethod
    def around(cls, box: Sequence[float], angle_rad: float = 0.0) -> Roi:
        """The region for a tight box x0, y0, x1, y1 (image pixels) of a whole hand: 1.5 times its longer side."""
        x0, y0, x1, y1 = box
        return cls((x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), angle_rad)


@dataclass(frozen=True, eq=False)
class Palm:
    """A palm detection.

    Attributes:
        box: (4,) x0, y0, x1, y1 in image pixels.
        keypoints: (7, 2) image pixels, in the order of `PALM_KEYPOINTS`.
        score: 0..1, for ranking.
    """

    box: FloatArray
    keypoints: FloatArray
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats, ready for JSON."""
        return {"box": _rounded(self.box, 2), "keypoints": _rounded(self.keypoints, 2), "score": round(self.score, 4)}


class _Point:
    """`hand.index_tip` is `hand.landmarks[HandLandmark.INDEX_TIP]`."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, hand: Hand | None, owner: type[Hand]) -> FloatArray:
        if hand is None:
            raise AttributeError("a named landmark belongs to a Hand, not to the class")
        point: FloatArray = hand.landmarks[self.index]
        return point


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand in one image.

    Attributes:
        landmarks: (21, 3) float32: x, y in image pixels (pixel centres at integers), z in pixels relative
            to the wrist, smaller is nearer. Smoothed in video unless smoothing is off.
        world: (21, 3) float32 metres; x right, y down, z away, origin near the hand's centre.
        handedness: "Left" or "Right" hand of the person; in video the vote of the track so far.
        handedness_score: confidence in the handedness, 0.5..1.
        presence: confidence that the crop holds a hand, 0..1.
        roi: the region of the image that the landmarks were read from.
        palm_score: score of the palm from which this hand was found; None if the caller gave the region.
        track_id: 1, 2, 3, …: the number of the same hand throughout a video; None for single images.
        visibility: (21,) probability that each landmark is visible, or None if the network has no such output.
        landmarks_raw: `landmarks` before smoothing; the same array if nothing was smoothed.
    """

    landmarks: FloatArray
    world: FloatArray
    handedness: str
    handedness_score: float
    presence: float
    roi: Roi
    palm_score: float | None = None
    track_id: int | None = None
    visibility: FloatArray | None = None
    landmarks_raw: FloatArray = None  # type: ignore[assignment]  # __post_init__ makes it an array

    def __post_init__(self) -> None:
        if self.landmarks_raw is None:
            object.__setattr__(self, "landmarks_raw", self.landmarks)

    @property
    def box(self) -> FloatArray:
        """(4,) x0, y0, x1, y1 of the smallest upright box around the landmarks, image pixels."""
        points = self.landmarks[:, :2]
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    @property
    def palm_size(self) -> float:
        """Distance from the wrist to the middle finger's MCP, image pixels: the unit of the paper's error."""
        return float(np.hypot(*(self.landmarks[9, :2] - self.landmarks[0, :2])))

    wrist = _Point(0)
    thumb_cmc = _Point(1)
    thumb_mcp = _Point(2)
    thumb_ip = _Point(3)
    thumb_tip = _Point(4)
    index_mcp = _Point(5)
    index_pip = _Point(6)
    index_dip = _Point(7)
    index_tip = _Point(8)
    middle_mcp = _Point(9)
    middle_pip = _Point(10)
    middle_dip = _Point(11)
    middle_tip = _Point(12)
    ring_mcp = _Point(13)
    ring_pip = _Point(14)
    ring_dip = _Point(15)
    ring_tip = _Point(16)
    pinky_mcp = _Point(17)
    pinky_pip = _Point(18)
    pinky_dip = _Point(19)
    pinky_tip = _Point(20)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats, ready for JSON: the `hands` entries of a JSONL line (docs/formats.md)."""
        return {
            "track_id": self.track_id,
            "handedness": self.handedness,
            "handedness_score": round(self.handedness_score, 4),
            "presence": round(self.presence, 4),
            "palm_score": None if self.palm_score is None else round(self.palm_score, 4),
            "landmarks": _rounded(self.landmarks, 3),
            "world": _rounded(self.world, 6),
            "visibility": None if self.visibility is None else _rounded(self.visibility, 4),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Hand:
        """The inverse of `to_dict`, up to its rounding; `roi`, which is not written, is drawn around the landmarks."""
        visibility = row.get("visibility")
        landmarks = np.asarray(row["landmarks"], np.float32)
        box = [*landmarks[:, :2].min(axis=0).tolist(), *landmarks[:, :2].max(axis=0).tolist()]
        return cls(
            landmarks=landmarks,
            world=np.asarray(row["world"], np.float32),
            handedness=row["handedness"],
            handedness_score=row["handedness_score"],
            presence=row["presence"],
            roi=Roi.around(box),
            palm_score=row.get("palm_score"),
            track_id=row.get("track_id"),
            visibility=None if visibility is None else np.asarray(visibility, np.float32),
        )


def _rounded(values: FloatArray, digits: int) -> Any:
    return np.round(values.astype(np.float64), digits).tolist()
