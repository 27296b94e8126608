"""Rotations of an avatar's hand and finger bones from a hand's points, in the axes of Unity's humanoid avatars.

An avatar in its T-pose looks along +z, its up is +y and its right is +x; its palms face down. Unity's axes are
left-handed. The person looks at the camera, whose axes are x right, y down, z away, so Unity's axes are the camera's
with all three signs changed.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from knuckle.results import FINGERS, FloatArray, Frame, Hand, Handedness
from knuckle.stream.pose import Quaternion, palm_axes, quaternion_of

FINGER_BONES = {"thumb": "Thumb", "index": "Index", "middle": "Middle", "ring": "Ring", "pinky": "Little"}
PHALANGES = ("Proximal", "Intermediate", "Distal")
BONE_NAMES = ("Hand", *(f"{finger}{part}" for finger in FINGER_BONES.values() for part in PHALANGES))
LENS_DEG = 60.0  # angle of view over the longer side of the image, as webcams have it
CAMERA_M = np.array([0.0, 1.4, 0.9])  # the camera, in the avatar's axes: in front of its face
_POINTS = np.array(list(FINGERS.values()))  # (5, 4)
# In the T-pose the left hand's fingers point along -x and its thumb half forward, that is, along +z.
_HALF = math.sqrt(0.5)
REST_DIRECTIONS = ((-_HALF, 0.0, _HALF), *[(-1.0, 0.0, 0.0)] * 4)
Vector: TypeAlias = tuple[float, float, float]


def hand_rotation(palm: FloatArray, side: Handedness) -> FloatArray:
    """(3, 3) rotation that turns the avatar's hand from the T-pose to the person's, in Unity's axes.

    Args:
        palm: (3, 3) axes of the palm, see `palm_axes`, in the camera's axes.
        side: "Left" or "Right".
    """
    # At rest y is up, z leads to the forearm, and x to the little finger of a right hand, to the thumb of a left one.
    along = 1.0 if side == "Right" else -1.0
    rest = np.array([[0, 0, -along], [0, 1, 0], [-along, 0, 0]])
    found: FloatArray = -palm @ rest.T
    return found


def finger_rotations(world: FloatArray, side: Handedness, hand: FloatArray) -> list[Quaternion]:
    """Local rotations of the finger bones: each turns its bone from the T-pose, within its parent, without a twist.

    Plain numbers, because NumPy takes several microseconds for each operation on so few of them.

    Args:
        world: (21, 3) metres in the camera's axes.
        side: "Left" or "Right".
        hand: (3, 3) `hand_rotation`.

    Returns:
        15 quaternions x, y, z, w: thumb to pinky, proximal to distal.
    """
    points = world[_POINTS]  # (5, 4, 3)
    fingers = ((points[:, :-1] - points[:, 1:]) @ hand).tolist()  # in the axes of the hand at rest; minus: to Unity's
    found = []
    for finger, (x, y, z) in zip(fingers, REST_DIRECTIONS, strict=True):
        rest, turns = (x if side == "Left" else -x, y, z), list[Quaternion]()
        for bone in finger:
            for turn in turns:  # from the axes of the hand to those of the bone's parent
                bone = turned_back(turn, bone)
            turns.append(shortest_turn(rest, bone))
        found += turns
    return found


def shortest_turn(start: Vector, end: Vector) -> Quaternion:
    """The quaternion x, y, z, w that turns the direction of unit vector `start` to that of `end` the shortest way."""
    (a, b, c), (x, y, z) = start, end
    length = math.sqrt(x * x + y * y + z * z)
    turn = (b * z - c * y, c * x - a * z, a * y - b * x, length + a * x + b * y + c * z)
    norm = math.sqrt(sum(part * part for part in turn))
    if norm <= 1e-6 * length or not length:  # the opposite direction, or a bone of no length
        return (0.0, 0.0, 0.0, 1.0)
    return (turn[0] / norm, turn[1] / norm, turn[2] / norm, turn[3] / norm)


def turned_back(turn: Quaternion, vector: Vector) -> Vector:
    """A vector turned by the inverse of a quaternion."""
    a, b, c, w = turn
    x, y, z = vector
    p, q, r = 2 * (c * y - b * z), 2 * (a * z - c * x), 2 * (b * x - a * y)
    return (x + w * p - b * r + c * q, y + w * q - c * p + a * r, z + w * r - a * q + b * p)


def humanoid_bones(world: FloatArray, side: Handedness) -> FloatArray:
    """(16, 4) local rotations x, y, z, w of the bones of a hand, in the order of `BONE_NAMES`.

    Args:
        world: (21, 3) metres in the camera's axes.
        side: "Left" or "Right".
    """
    hand = hand_rotation(palm_axes(world, side), side)
    return np.array([quaternion_of(hand), *finger_rotations(world, side, hand)])


def wrist_position(hand: Hand, frame: Frame) -> FloatArray:
    """(3,) metres: where an avatar of average size holds its wrist, in Unity's axes, the avatar's feet at 0.

    The distance from the camera follows from the size of the hand in the image, for a lens of 60 degrees. The camera is
    taken to be `CAMERA_M` away from the avatar's feet.
    """
    focal_px = max(frame.width, frame.height) / (2 * math.tan(math.radians(LENS_DEG) / 2))
    size_px, size_m = (math.hypot(*np.ptp(points[:, :2], axis=0)) for points in (hand.landmarks, hand.world))
    away_m = focal_px * size_m / max(size_px, 1e-6)
    x, y = hand.landmarks[0, :2].tolist()
    metres = away_m / focal_px
    found: FloatArray = np.array([(frame.width / 2 - x) * metres, (frame.height / 2 - y) * metres, -away_m]) + CAMERA_M
    return found
