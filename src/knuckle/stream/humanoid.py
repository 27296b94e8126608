"""Rotations of an avatar's arm, hand and finger bones from a hand's points, in the axes of Unity's humanoid avatars.

An avatar in its T-pose looks along +z, its up is +y and its right is +x; its palms face down. Unity's axes are
left-handed. The person looks at the camera, whose axes are x right, y down, z away, so Unity's axes are the camera's
with all three signs changed.
"""

from __future__ import annotations

import math

import numpy as np

from knuckle.results import FINGERS, FloatArray, Handedness
from knuckle.stream.pose import Quaternion, Vector, quaternion_of

FINGER_BONES = {"thumb": "Thumb", "index": "Index", "middle": "Middle", "ring": "Ring", "pinky": "Little"}
PHALANGES = ("Proximal", "Intermediate", "Distal")
BONE_NAMES = (
    "UpperArm",
    "LowerArm",
    "Hand",
    *(f"{finger}{part}" for finger in FINGER_BONES.values() for part in PHALANGES),
)
# An avatar of average size, in metres: its right shoulder, its arm, and the camera in front of its face.
SHOULDER_M = (0.16, 1.35, 0.0)
UPPER_ARM_M, LOWER_ARM_M = 0.27, 0.25
CAMERA_M = (0.0, 1.4, 0.9)
_POINTS = np.array(list(FINGERS.values()))  # (5, 4)
# In the T-pose the left hand's fingers point along -x and its thumb half forward, that is, along +z.
_HALF = math.sqrt(0.5)
REST_DIRECTIONS = ((-_HALF, 0.0, _HALF), *[(-1.0, 0.0, 0.0)] * 4)


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


def product(first: Quaternion, second: Quaternion) -> Quaternion:
    """The quaternion that turns by `second`, then by `first`."""
    (a, b, c, w), (x, y, z, v) = first, second
    return (
        w * x + a * v + b * z - c * y,
        w * y - a * z + b * v + c * x,
        w * z + a * y - b * x + c * v,
        w * v - a * x - b * y - c * z,
    )


def arm_turns(wrist: Vector, side: Handedness) -> tuple[Quaternion, Quaternion]:
    """Local rotations of upper and lower arm that bring the wrist to a place, with the elbow down and outwards.

    Args:
        wrist: metres in the avatar's axes. An arm that is too short points to it.
        side: "Left" or "Right".
    """
    out = -1.0 if side == "Left" else 1.0
    x, y, z = wrist[0] - out * SHOULDER_M[0], wrist[1] - SHOULDER_M[1], wrist[2] - SHOULDER_M[2]
    length = max(math.sqrt(x * x + y * y + z * z), 1e-6)
    reach = min(max(length, 0.05), 0.999 * (UPPER_ARM_M + LOWER_ARM_M))
    way = (x / length, y / length, z / length)
    pole = (0.4 * out, -1.0, -0.2)
    along = sum(a * b for a, b in zip(pole, way, strict=True))
    side_ways = [a - along * b for a, b in zip(pole, way, strict=True)]
    norm = math.sqrt(sum(part * part for part in side_ways)) or 1.0
    # The law of cosines: the angle between the upper arm and the line from shoulder to wrist.
    cos = (UPPER_ARM_M**2 + reach**2 - LOWER_ARM_M**2) / (2 * UPPER_ARM_M * reach)
    cos = min(max(cos, -1.0), 1.0)
    sin = math.sqrt(1 - cos * cos)
    upper = [UPPER_ARM_M * (cos * a + sin * b / norm) for a, b in zip(way, side_ways, strict=True)]
    lower = [reach * a - b for a, b in zip(way, upper, strict=True)]
    rest = (out, 0.0, 0.0)
    first = shortest_turn(rest, (upper[0], upper[1], upper[2]))
    return first, shortest_turn(rest, turned_back(first, (lower[0], lower[1], lower[2])))


def humanoid_bones(world: FloatArray, hand: FloatArray, wrist: Vector, side: Handedness) -> FloatArray:
    """(18, 4) local rotations x, y, z, w of the bones of an arm and its hand, in the order of `BONE_NAMES`.

    Args:
        world: (21, 3) metres in the camera's axes.
        hand: (3, 3) `hand_rotation`.
        wrist: metres in the avatar's axes, see `avatar_wrist`.
        side: "Left" or "Right".
    """
    upper, lower = arm_turns(wrist, side)
    a, b, c, w = product(upper, lower)
    in_arm = product((-a, -b, -c, w), quaternion_of(hand))
    return np.array([upper, lower, in_arm, *finger_rotations(world, side, hand)])


def resting_bones(side: Handedness) -> FloatArray:
    """(18, 4) rotations of a hanging arm with straight fingers."""
    out = -1.0 if side == "Left" else 1.0
    hanging = shortest_turn((out, 0.0, 0.0), (0.25 * out, -1.0, 0.0))
    return np.array([hanging, *[(0.0, 0.0, 0.0, 1.0)] * (len(BONE_NAMES) - 1)])


def avatar_wrist(position: Vector) -> Vector:
    """Where the avatar holds its wrist, in its own axes, its feet at 0; from metres in the camera's axes."""
    return (CAMERA_M[0] - position[0], CAMERA_M[1] - position[1], CAMERA_M[2] - position[2])
