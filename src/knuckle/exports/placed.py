"""Hands in camera space, for formats that place them in a scene."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import InputError
from knuckle.exports.pictures import is_photo
from knuckle.extras import required
from knuckle.media.names import as_json
from knuckle.media.write_common import FileSink, keep_whole_lines
from knuckle.results import Frame, Hand
from knuckle.space.bones import Doubles, Points
from knuckle.space.position import Locator


class Placing:
    """The landmarks of the hands of a run in camera space.

    They are the hands' own `camera`, as `knuckle track --camera` gives it. For other hands the camera is assumed to
    have a field of view of `DEFAULT_FOV_DEG`, so directions and turns are right and distances are rough.
    """

    def __init__(self) -> None:
        self.locator = Locator("fov")
        self._source = ""

    def __call__(self, frame: Frame, hands: Sequence[Hand]) -> list[Doubles]:
        """(21, 3) metres for each hand of a frame: x right, y down, z away from the camera.

        Raises:
            InputError: a hand has no world landmarks, as in files that do not hold them.
        """
        if not all(np.isfinite(hand.world).all() for hand in hands):
            raise InputError(f"frame {frame.index} of {frame.source} has hands without world landmarks; track it again")
        if frame.source != self._source:
            self.locator.reset()
            self._source = frame.source
        time_s = None if is_photo(frame) else frame.time_s
        located: Sequence[Hand] = hands
        if any(hand.camera is None for hand in hands):
            located = self.locator(hands, (frame.width, frame.height), time_s, frame.source)
        return [
            camera_points(own if own.camera is not None else other) for own, other in zip(hands, located, strict=True)
        ]


def camera_points(hand: Hand) -> Doubles:
    """(21, 3) landmarks in camera space. A hand without a distance, all at one pixel, has its centre at the camera."""
    return np.asarray(hand.world if hand.camera is None else hand.camera, np.float64)


class PlacedLinesSink(FileSink):
    """JSON lines: one object per frame, including frames without hands, with what `hand_object` says of each hand.

    Raises:
        MissingExtraError: SciPy is not installed.
    """

    def __init__(self, path: Path, palms: bool = False) -> None:
        required("scipy.spatial.transform", "motion", "Orientations of bones")  # fails here, before there is a file
        super().__init__(path)
        self.placing = Placing()
        with self._opening():
            self.lines = self.file.part.open("w", encoding="utf-8")

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        placed = self.placing(frame, results)
        hands = [self.hand_object(hand, points) for hand, points in zip(results, placed, strict=True)]
        self.lines.write(json.dumps(frame_fields(frame) | {"hands": hands}) + "\n")

    def finish(self) -> None:
        self.lines.close()

    def rescue(self) -> bool:
        return keep_whole_lines(self.file.part)

    @abstractmethod
    def hand_object(self, hand: Hand, points: Points) -> dict[str, Any]:
        """A hand for JSON, from its (21, 3) landmarks in camera space."""


def y_up(points: Points) -> Doubles:
    """Points of camera space (..., 3) with y up and z backwards, as OpenXR, glTF and BVH have them."""
    return np.asarray(points, np.float64) * [1.0, -1.0, -1.0]


def frame_fields(frame: Frame) -> dict[str, Any]:
    """What an object of JSON says about its frame."""
    return {
        "frame": frame.index,
        "time_s": round(frame.time_s, 6),
        "source": as_json(frame.source),
        "width": frame.width,
        "height": frame.height,
    }
