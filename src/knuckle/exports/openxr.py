"""OpenXR and WebXR: the 26 joints of a hand with position, orientation and radius.

The joints are those of XR_EXT_hand_tracking in its order: the palm, then the 25 joints of WebXR Hand Input. Positions
are metres with x right, y up and z backwards, so the camera looks along -z. Orientations are quaternions (x, y, z, w)
with OpenXR's axes: -z along the bone to the tip, y out of the back of the hand.

21 joints are landmarks, or on the line through two. Estimated are: the bases of the four fingers' metacarpals
(`knuckle.space.bones`), the palm (the middle of the middle finger's metacarpal, as OpenXR defines it), and all radii.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from knuckle.exports.placed import PlacedLinesSink, y_up
from knuckle.results import Hand, Handedness
from knuckle.results.regions import rounded
from knuckle.space.bones import JOINT_INDEX, JOINTS, Doubles, Points, frames_of_joints, joint_positions, palm_frame
from knuckle.space.quaternions import quaternions

OPENXR_JOINTS = ("palm", *(name.replace("pinky", "little") for name in JOINTS))
"""XR_HAND_JOINT_PALM_EXT to XR_HAND_JOINT_LITTLE_TIP_EXT, as OpenXR numbers them from 0."""
# Distance from a joint to the skin, as a share of the length from the wrist to the middle finger's MCP: half the
# breadth of fingers at their joints, and half the thickness of palm and wrist, in an average adult's hand.
RADII = {"palm": 0.15, "wrist": 0.20, "metacarpal": 0.16, "proximal": 0.125, "intermediate": 0.105, "distal": 0.09}
RADII |= {"tip": 0.075}
THICKER = {"thumb": 1.12, "ring": 0.95, "little": 0.86}  # the thumb's IP is thicker than a finger's DIP


def radii_shares() -> Doubles:
    """(26,) radii as shares of the palm's length."""
    kinds = [name.rpartition("_") for name in OPENXR_JOINTS]
    return np.array([RADII[kind] * THICKER.get(finger, 1.0) for finger, _, kind in kinds])


@dataclass(frozen=True, eq=False)
class OpenXrHand:
    """The joints of one hand in the order of `OPENXR_JOINTS`.

    Attributes:
        positions: (26, 3) metres.
        orientations: (26, 4) unit quaternions x, y, z, w.
        radii: (26,) metres.
    """

    positions: Doubles
    orientations: Doubles
    radii: Doubles


def openxr_hand(points: Points, handedness: Handedness) -> OpenXrHand:
    """The 26 joints of a hand.

    Args:
        points: (21, 3) landmarks in metres, x right, y down, z away: `Hand.world`, or in camera space.
        handedness: "Left" or "Right".

    Raises:
        InputError: the landmarks have another shape or are not finite.
    """
    up = y_up(points)
    palm = palm_frame(up, handedness)
    joints = joint_positions(up, palm)
    frames = frames_of_joints(joints, palm, handedness)
    middle = [JOINT_INDEX["middle_metacarpal"], JOINT_INDEX["middle_proximal"]]
    positions = np.concatenate([joints[middle].mean(axis=0)[None], joints])
    orientations = quaternions(np.concatenate([frames[middle[:1]], frames]))
    length = np.linalg.norm(joints[JOINT_INDEX["middle_proximal"]] - joints[0])
    return OpenXrHand(positions, orientations, radii_shares() * length)


class OpenXrSink(PlacedLinesSink):
    """JSON lines: one object per frame with the 26 joints of each hand."""

    def hand_object(self, hand: Hand, points: Points) -> dict[str, Any]:
        found = openxr_hand(points, hand.handedness)
        rows = zip(rounded(found.positions, 6), rounded(found.orientations, 6), rounded(found.radii, 5), strict=True)
        joints = [
            {"joint": name, "position": position, "orientation": orientation, "radius": radius}
            for name, (position, orientation, radius) in zip(OPENXR_JOINTS, rows, strict=True)
        ]
        return {"hand": hand.handedness.lower(), "track_id": hand.track_id, "joints": joints}
