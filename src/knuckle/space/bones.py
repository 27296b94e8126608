"""The joints of a hand and the frame of each bone, by anatomy, from the 21 landmarks.

Joints are those of WebXR: the wrist, and for each finger the joints from its metacarpal to its tip. Four of them, the
bases of the fingers' metacarpals, and the base of the thumb's metacarpal have no landmark. They are estimated from the
proportions of a hand.

A bone's frame has the axes of OpenXR's hand joints [1], for both hands:
    z points from the finger tip to the wrist, so the bone leads along -z from its joint to the next one,
    y points out of the back of the hand (of the thumb: out of its nail),
    x = y × z: towards the little finger in a right hand, towards the thumb in a left hand.
The axes of the ISB [2] are the same ones in another order: its X (palmar) is -y, its Y (proximal) is z, its Z is -x.

Frames depend on the landmarks of one instant only, so they cannot drift. They are continuous: they jump only where a
finger's first bone points straight to the side, which no joint can do.

Sources:
    [1] Khronos, The OpenXR Specification, XR_EXT_hand_tracking, "Conventions of hand joints".
    [2] Wu et al., ISB recommendation on definitions of joint coordinate systems of various joints, part II: shoulder,
        elbow, wrist and hand, J. Biomech. 38, 2005.
    [3] Buryanov & Kotiuk, Proportions of Hand Segments, Int. J. Morphol. 28(3), 2010: lengths of the metacarpals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import FINGERS, Handedness

Doubles = npt.NDArray[np.float64]
Points = npt.NDArray[np.floating[Any]]

THUMB_JOINTS = ("metacarpal", "proximal", "distal", "tip")
FINGER_JOINTS = ("metacarpal", "proximal", "intermediate", "distal", "tip")
JOINTS = (
    "wrist",
    *(f"{finger}_{joint}" for finger in FINGERS for joint in (THUMB_JOINTS if finger == "thumb" else FINGER_JOINTS)),
)
"""Names of the 25 joints, in WebXR's order. OpenXR has the palm before them."""
JOINT_INDEX = {name: index for index, name in enumerate(JOINTS)}
PARENTS = tuple(
    -1 if name == "wrist" else 0 if name.endswith("metacarpal") else index - 1 for index, name in enumerate(JOINTS)
)
"""The joint before each joint; -1 for the wrist, which has none."""
THUMB = [JOINT_INDEX[f"thumb_{joint}"] for joint in THUMB_JOINTS]
FOUR_FINGERS = [[JOINT_INDEX[f"{finger}_{joint}"] for joint in FINGER_JOINTS] for finger in list(FINGERS)[1:]]
METACARPALS = [THUMB[0], *(chain[0] for chain in FOUR_FINGERS)]
WITH_LANDMARK = [index for index in range(len(JOINTS)) if index not in METACARPALS]
"""Joints that are landmarks. In this order they are the landmarks 0, 2, 3, …, 20: all but the thumb's CMC."""

# The base of a finger's metacarpal, as shares of its MCP's coordinates in the palm's frame. With the mean hand of the
# renderer the metacarpals are 65, 65, 64 and 61 mm long; [3] measured 68, 65, 58 and 54 mm.
BASE_SHARES = np.array([0.45, 0.3, 0.3])
# Landmark 1 lies on the thumb's metacarpal. The joint is further back by this share of the distance from there to the
# MCP: 10 of 42 mm in the mean hand of the renderer.
CMC_SHARE = 0.25
# The thumb's metacarpal in a relaxed right hand, in the palm's frame: the directions of the bone and of the nail.
THUMB_ALONG = np.array([-0.60, -0.37, -0.71])
THUMB_NAIL = np.array([-0.95, 0.20, 0.24])
# How far the end of a finger must lie beside the line of its first bone, as a share of the length of the end, for its
# plane to tell how its bones are rolled.
CLEAR_BEND = 0.4
TINY = 1e-9


def bone_frames(points: Points, handedness: Handedness) -> Doubles:
    """The orientation of each joint's bone.

    Args:
        points: (..., 21, 3) landmarks in a right-handed space: `Hand.world`, or camera space in metres (x right, y
            down, z away). The unit does not matter.
        handedness: "Left" or "Right".

    Returns:
        (..., 25, 3, 3) rotation matrices in the order of `JOINTS`; the columns are the axes x, y, z of the bone in the
        space of the points. The wrist's is the frame of the palm; a tip has that of its last bone.

    Raises:
        InputError: the points have another shape or are not finite, or the handedness is unknown.
    """
    palm = palm_frame(points, handedness)
    return frames_of_joints(joint_positions(points, palm), palm, handedness)


def palm_frame(points: Points, handedness: Handedness) -> Doubles:
    """(..., 3, 3) the frame of the palm, also that of the wrist: -z leads from the wrist to the middle finger's MCP,
    and y is normal to the line from the index finger's MCP to the ring finger's. Arguments and errors as in
    `bone_frames`.

    The pinky's MCP plays no part: its metacarpal moves when the palm cups. On 400 random poses of the renderer's hand,
    the roll of the frame then changes by 4 degrees (root mean square) and not by 7.
    """
    values = np.asarray(points, np.float64)
    if values.shape[-2:] != (21, 3) or not np.isfinite(values).all():
        raise InputError(f"expected finite landmarks (..., 21, 3), got an array of shape {values.shape}")
    if handedness not in ("Left", "Right"):
        raise InputError(f"handedness must be 'Left' or 'Right', got {handedness!r}")
    z = unit(values[..., 0, :] - values[..., 9, :], np.array([0.0, 1.0, 0.0]))
    across = values[..., 13, :] - values[..., 5, :]
    x = unit(perpendicular(side_of(handedness) * across, z), any_perpendicular(z))
    return np.stack([x, cross(z, x), z], axis=-1)


def side_of(handedness: Handedness) -> float:
    """1 for a right hand, whose x axes lead to the little finger, -1 for a left one."""
    return 1.0 if handedness == "Right" else -1.0


def joint_positions(points: Points, palm: Doubles) -> Doubles:
    """(..., 25, 3) positions of `JOINTS`, of which five are estimated: the bases of the metacarpals.

    Args:
        points: (..., 21, 3) landmarks.
        palm: (..., 3, 3) from `palm_frame`.
    """
    values = np.asarray(points, np.float64)
    joints = np.empty((*values.shape[:-2], len(JOINTS), 3))
    joints[..., WITH_LANDMARK, :] = values[..., [0, *range(2, 21)], :]
    joints[..., THUMB[0], :] = values[..., 1, :] - CMC_SHARE * (values[..., 2, :] - values[..., 1, :])
    wrist = values[..., :1, :]
    mcps_palm = (values[..., [5, 9, 13, 17], :] - wrist) @ palm
    joints[..., METACARPALS[1:], :] = wrist + (mcps_palm * BASE_SHARES) @ np.swapaxes(palm, -1, -2)
    return joints


def landmarks_of_joints(joints: Doubles) -> Doubles:
    """(..., 21, 3) landmarks from (..., 25, 3) joints: the inverse of `joint_positions`."""
    points = np.empty((*joints.shape[:-2], 21, 3))
    points[..., [0, *range(2, 21)], :] = joints[..., WITH_LANDMARK, :]
    base, mcp = joints[..., THUMB[0], :], joints[..., THUMB[1], :]
    points[..., 1, :] = base + (mcp - base) * CMC_SHARE / (1 + CMC_SHARE)
    return points


def frames_of_joints(joints: Doubles, palm: Doubles, handedness: Handedness) -> Doubles:
    """(..., 25, 3, 3) frames as in `bone_frames`, from the joints' positions (..., 25, 3) and the palm's frame."""
    frames = np.empty((*joints.shape, 3))
    frames[..., 0, :, :] = palm
    thumb = bone_directions(joints[..., THUMB, :], -palm[..., 2])
    metacarpal = thumb_metacarpal(palm, thumb[..., 0, :], handedness)
    frames[..., THUMB, :, :] = chain_frames(rolled_to_bend(metacarpal, joints[..., THUMB[1:], :]), thumb[..., 1:, :])
    palms = np.broadcast_to(palm[..., None, :, :], (*palm.shape[:-2], 4, 3, 3))
    fingers = bone_directions(joints[..., FOUR_FINGERS, :], -palms[..., 2])
    proximal = rolled_to_bend(hinged(palms, fingers[..., 1, :]), joints[..., [chain[2:] for chain in FOUR_FINGERS], :])
    frames[..., METACARPALS[1:], :, :] = hinged(palms, fingers[..., 0, :])
    frames[..., [chain[1:] for chain in FOUR_FINGERS], :, :] = chain_frames(proximal, fingers[..., 2:, :])
    return frames


def bone_directions(chain: Doubles, before: Doubles) -> Doubles:
    """(..., n - 1, 3) unit vectors along a chain of n joints; a bone of no length goes on like the one before it."""
    directions = []
    for bone in range(chain.shape[-2] - 1):
        before = unit(chain[..., bone + 1, :] - chain[..., bone, :], before)
        directions.append(before)
    return np.stack(directions, axis=-2)


def chain_frames(first: Doubles, directions: Doubles) -> Doubles:
    """(..., n + 2, 3, 3): the frame of a finger's first bone, those of the n bones after it, and its tip's."""
    frames = [first]
    for bone in range(directions.shape[-2]):
        frames.append(hinged(frames[-1], directions[..., bone, :]))
    return np.stack([*frames, frames[-1]], axis=-3)


def hinged(before: Doubles, direction: Doubles) -> Doubles:
    """The frame of a bone in a direction (..., 3) that has turned against the bone before it by flexion about that
    one's x axis, then by abduction about its own y axis, and not about its length (the joint coordinate system of [2]).
    """
    z = -direction
    y = unit(cross(z, before[..., 0]), before[..., 1])
    return np.stack([cross(y, z), y, z], axis=-1)


def rolled_to_bend(frame: Doubles, end: Doubles) -> Doubles:
    """A finger's first bone, rolled about its length so that the bones after it bend in its plane of y and z.

    The joints after the first one are hinges, so the plane in which a bent finger lies tells the roll of its bones. A
    straight finger has no such plane: the roll fades to none as the bend gets smaller than `CLEAR_BEND`.

    Args:
        frame: (..., 3, 3) of the first bone, not rolled.
        end: (..., 3, 3) positions of the joints after the first bone, up to the tip.
    """
    length = np.linalg.norm(np.diff(end, axis=-2), axis=-1).sum(axis=-1)[..., None, None]
    bend = ((end[..., -1:, :] - end[..., :1, :]) / np.maximum(length, TINY) @ frame)[..., 0, :]
    roll_rad = np.arctan2(bend[..., 0], np.hypot(CLEAR_BEND, np.maximum(-bend[..., 1], 0)))
    cos, sin = np.cos(roll_rad)[..., None], np.sin(roll_rad)[..., None]
    x, y, z = (frame[..., axis] for axis in range(3))
    return np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=-1)


def thumb_metacarpal(palm: Doubles, direction: Doubles, handedness: Handedness) -> Doubles:
    """The frame of the thumb's metacarpal: that of a relaxed thumb, turned to the direction on the shortest way."""
    mirror = np.array([side_of(handedness), 1.0, 1.0])
    along, nail = unit(THUMB_ALONG * mirror, np.zeros(3)), THUMB_NAIL * mirror
    y = perpendicular(nail, along) / np.linalg.norm(perpendicular(nail, along))
    relaxed = palm @ np.stack([cross(y, -along), y, -along], axis=-1)
    start = -relaxed[..., 2]
    axis, cos = cross(start, direction), (start * direction).sum(axis=-1)[..., None, None]
    turn = cross(axis[..., None, :], np.eye(3))  # turn @ v is v × axis
    shortest = cos * np.eye(3) - turn + axis[..., :, None] * axis[..., None, :] / np.maximum(1 + cos, TINY)  # Rodrigues
    no_shortest = cos < 1e-6 - 1  # the opposite direction: half a turn about the nail's axis
    return np.asarray(np.where(no_shortest, relaxed * [-1.0, 1.0, -1.0], shortest @ relaxed), np.float64)


def cross(first: Doubles, second: Doubles) -> Doubles:
    """The cross product of (..., 3) vectors, several times as fast as NumPy's for few of them."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def unit(vectors: Doubles, fallback: Doubles) -> Doubles:
    """(..., 3) vectors scaled to length 1; where they have no length, the fallback."""
    length = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    return np.asarray(np.where(length > TINY, vectors / np.maximum(length, TINY), fallback), np.float64)


def perpendicular(vectors: Doubles, axis: Doubles) -> Doubles:
    """The part of (..., 3) vectors that is perpendicular to unit vectors."""
    return np.asarray(vectors - axis * (vectors * axis).sum(axis=-1, keepdims=True), np.float64)


def any_perpendicular(axis: Doubles) -> Doubles:
    """A unit vector perpendicular to each of (..., 3) unit vectors."""
    least = np.eye(3)[np.abs(axis).argmin(axis=-1)]
    across = perpendicular(least, axis)
    return np.asarray(across / np.linalg.norm(across, axis=-1, keepdims=True), np.float64)
