"""What the points of one hand say: angles of joints, distances, which fingers are extended."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from knuckle.errors import InputError
from knuckle.results.regions import FloatArray
from knuckle.results.skeleton import FINGERS, HandLandmark, landmark_of

AngleUnit = Literal["rad", "deg"]
LengthUnit = Literal["palm", "px", "m"]

# A finger is extended if its tip is this many times as far from the wrist as its PIP joint is. For the thumb: as far
# from the pinky's MCP as its own MCP joint is. With bundle `mediapipe` this was
# right for 103 of 104 fingers in 26 photos of three gestures (call, four, rock) and for 16 of 16 thumbs (call, four).
EXTENDED_FINGER = 1.15
EXTENDED_THUMB = 1.2


def joint_angle(points: FloatArray, joint: str | int, unit: AngleUnit = "rad") -> float:
    """The angle between the two bones that meet at a joint: pi for a straight finger, smaller when it bends.

    Args:
        points: (21, 3) in any unit.
        joint: a landmark between two others of its finger, such as "index_pip".
        unit: "rad" or "deg".

    Raises:
        InputError: the landmark does not exist, or is the wrist or a tip, where no two bones of a finger meet.
    """
    middle = landmark_of(joint)
    finger = next((numbers for numbers in FINGERS.values() if middle in numbers[:3]), None)
    if finger is None:
        raise InputError(f"{middle.name.lower()} is no joint: an angle needs a landmark between the wrist and a tip")
    if unit not in ("rad", "deg"):
        raise InputError(f"unit must be 'rad' or 'deg', got {unit!r}")
    place = finger.index(middle)
    before, after = finger[place - 1] if place else HandLandmark.WRIST, finger[place + 1]
    first, second = points[before] - points[middle], points[after] - points[middle]
    # atan2 of sine and cosine is exact for straight fingers too, where arccos is not.
    angle_rad = math.atan2(float(np.linalg.norm(np.cross(first, second))), float(first @ second))
    return math.degrees(angle_rad) if unit == "deg" else angle_rad


def distance_between(
    landmarks: FloatArray, world: FloatArray, start: str | int, end: str | int, unit: LengthUnit = "palm"
) -> float:
    """The distance between two landmarks.

    Args:
        landmarks: (21, 3) image pixels, for "px".
        world: (21, 3) metres, for the other units.
        start, end: landmarks, such as "thumb_tip".
        unit: "palm" in palm lengths (wrist to the middle finger's MCP) in space, which does not depend on how large the
            hand is or how far away; "px" in the image; "m" in metres of an average hand.

    Raises:
        InputError: a landmark or the unit does not exist.
    """
    pair = [landmark_of(start), landmark_of(end)]
    if unit == "px":
        return float(np.hypot(*(landmarks[pair[0], :2] - landmarks[pair[1], :2])))
    metres = float(np.linalg.norm(world[pair[0]] - world[pair[1]]))
    if unit == "m":
        return metres
    if unit == "palm":
        return metres / max(float(np.linalg.norm(world[0] - world[9])), 1e-9)
    raise InputError(f"unit must be 'palm', 'px' or 'm', got {unit!r}")


def is_finger_extended(world: FloatArray, finger: str) -> bool:
    """Whether a finger is stretched out rather than bent into the palm; see `EXTENDED_FINGER`.

    Args:
        world: (21, 3) metres.
        finger: a key of `FINGERS`.

    Raises:
        InputError: there is no such finger.
    """
    if finger not in FINGERS:
        raise InputError(f"no finger called {finger!r}; fingers are: {', '.join(FINGERS)}")
    _, joint, _, tip = FINGERS[finger]  # the joint is the finger's PIP or the thumb's MCP
    if finger == "thumb":
        anchor, factor = HandLandmark.PINKY_MCP, EXTENDED_THUMB
    else:
        anchor, factor = HandLandmark.WRIST, EXTENDED_FINGER
    reach = float(np.linalg.norm(world[tip] - world[anchor]))
    return reach > factor * float(np.linalg.norm(world[joint] - world[anchor]))
