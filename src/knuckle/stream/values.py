"""`FrameValues`: what is sent of one frame, computed once for all receivers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from knuckle.results import FloatArray, Frame, Hand
from knuckle.stream.pose import (
    Quaternion,
    Vector,
    finger_curls,
    palm_axes,
    pinch_strength,
    quaternion_of,
    wrist_position,
)

Space = Literal["normalized", "pixels", "world"]
Sides = Literal["left", "right", "both"]


@dataclass(frozen=True, eq=False)
class HandValues:
    """One hand of a frame as it is sent.

    Attributes:
        name: "left" or "right"; a second hand of the same side is "left2", and so on.
        hand: the hand.
        points: (21, 3) landmarks in the space that the user chose.
        curls: (5,) 0 straight to 1 bent, from the thumb to the pinky.
        pinch: 0 open to 1 closed.
        position: x, y, z of the wrist, metres from the camera; an estimate, see `wrist_position`.
        palm: (3, 3) whose columns are OpenXR's axes of the wrist, in those of the camera; see `palm_axes`.
        rotation: `palm` as a quaternion x, y, z, w: it turns OpenXR's axes of a hand to those of the camera.
        gesture, gesture_score: what the hand says; None and 0 where it says nothing.
    """

    name: str
    hand: Hand
    points: FloatArray
    curls: FloatArray
    pinch: float
    position: Vector
    palm: FloatArray
    rotation: Quaternion
    gesture: str | None = None
    gesture_score: float = 0.0


@dataclass(frozen=True, eq=False)
class FrameValues:
    """What is sent of one frame.

    Attributes:
        frame: the frame.
        hands: its hands that the user wants to send.
        lost: names of the hands that were in the frame before and no longer are.
        tracked_s: `time.perf_counter()` when the tracker had finished.
    """

    frame: Frame
    hands: tuple[HandValues, ...]
    lost: tuple[str, ...]
    tracked_s: float


class Measure:
    """Turns the hands of each frame into `FrameValues`.

    Args:
        space: "normalized" (0 to 1 of the image), "pixels", or "world" (metres around the hand's centre).
        sides: whether left hands, right hands or both are sent.
    """

    def __init__(self, space: Space = "normalized", sides: Sides = "both") -> None:
        self.space, self.sides = space, sides
        self._names: dict[str, int | None] = {}  # name -> track id, of the frame before

    def __call__(self, frame: Frame, hands: Sequence[Hand]) -> FrameValues:
        tracked_s = time.perf_counter()
        wanted = [hand for hand in hands if self.sides in ("both", hand.handedness.lower())]
        before, self._names = self._names, {}
        values = []
        for hand in sorted(wanted, key=lambda hand: hand.track_id not in before.values()):  # known hands keep names
            name = self._name(hand, before)
            self._names[name] = hand.track_id
            values.append(self._hand(name, hand, frame))
        lost = tuple(name for name in before if name not in self._names)
        return FrameValues(frame, tuple(values), lost, tracked_s)

    def _name(self, hand: Hand, before: dict[str, int | None]) -> str:
        """The name of a hand: that of the frame before, or the first free one of its side."""
        side = hand.handedness.lower()
        if hand.track_id is not None:
            for name, track in before.items():
                if track == hand.track_id and name.rstrip("0123456789") == side:
                    return name
        names = (side if number == 1 else f"{side}{number}" for number in count(1))
        return next(name for name in names if name not in self._names)

    def _hand(self, name: str, hand: Hand, frame: Frame) -> HandValues:
        if self.space == "normalized":
            points = hand.normalized(frame.width, frame.height)
        else:
            points = hand.landmarks if self.space == "pixels" else hand.world
        landmarks, world = hand.landmarks.tolist(), hand.world.tolist()
        palm = palm_axes(world, hand.handedness)
        return HandValues(
            name=name,
            hand=hand,
            points=points,
            curls=finger_curls(world),
            pinch=pinch_strength(world),
            position=wrist_position(landmarks, world, (frame.width, frame.height)),
            palm=palm,
            rotation=quaternion_of(palm),
            gesture=hand.gesture.name if hand.gesture else None,
            gesture_score=hand.gesture.score if hand.gesture else 0.0,
        )
