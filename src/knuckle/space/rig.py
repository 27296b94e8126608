"""A person's hand as a rig: joints with constant bone lengths, and the poses that it takes.

`rig_of` measures the lengths over a clip, `pose_of` reads the rotation of each bone from landmarks, `Rig.place` puts
the joints where a pose says. Landmarks of the rig's own lengths come back exactly: the rig keeps the directions of all
bones and replaces their lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knuckle.errors import InputError
from knuckle.results import Handedness
from knuckle.space.bones import (
    BASE_SHARES,
    FOUR_FINGERS,
    JOINTS,
    METACARPALS,
    PARENTS,
    THUMB,
    Doubles,
    Points,
    frames_of_joints,
    hinged,
    joint_positions,
    palm_frame,
    side_of,
    thumb_metacarpal,
    unit,
)

# The directions of the first phalanges in the rest pose of a right hand, in the palm's frame: an open, flat hand.
REST_SPREAD_DEG = (-8.0, 0.0, 7.0, 15.0)
THUMB_AT_REST = (-0.66, -0.27, -0.70)


@dataclass(frozen=True, eq=False)
class Rig:
    """The bones of one hand.

    Attributes:
        handedness: "Left" or "Right".
        offsets: (25, 3) metres: where each of `JOINTS` lies in the frame of the joint before it. The wrist is at 0, the
            metacarpals' bases are at points of the palm, and every other joint is at (0, 0, -length of the bone).
    """

    handedness: Handedness
    offsets: Doubles

    def place(self, wrist: Doubles, frames: Doubles) -> Doubles:
        """Forward kinematics: (..., 25, 3) positions of the joints.

        Args:
            wrist: (..., 3) position of the wrist, metres.
            frames: (..., 25, 3, 3) frame of each joint, in the space of `wrist`.
        """
        positions = np.empty(frames.shape[:-1])
        positions[..., 0, :] = wrist
        for joint, parent in enumerate(PARENTS[1:], 1):  # a parent stands before its children
            positions[..., joint, :] = positions[..., parent, :] + frames[..., parent, :, :] @ self.offsets[joint]
        return positions

    @property
    def rest(self) -> Doubles:
        """(25, 3, 3) frames of the rest pose, an open hand whose palm has the identity as its frame."""
        spread_rad = np.radians(REST_SPREAD_DEG) * side_of(self.handedness)
        frames: Doubles = np.tile(np.eye(3), (len(JOINTS), 1, 1))
        directions = np.stack([np.sin(spread_rad), np.zeros(4), -np.cos(spread_rad)], axis=-1)
        thumb = unit(np.array(THUMB_AT_REST) * [side_of(self.handedness), 1, 1], np.zeros(3))
        frames[THUMB] = thumb_metacarpal(np.eye(3), thumb, self.handedness)
        for chain, direction in zip(FOUR_FINGERS, directions, strict=True):
            base = self.offsets[chain[0]]
            frames[chain[0]] = hinged(np.eye(3), unit(base / BASE_SHARES - base, np.array([0.0, 0.0, -1.0])))
            frames[chain[1:]] = hinged(np.eye(3), direction)
        return frames


def rig_of(points: Points, handedness: Handedness) -> Rig:
    """Measure the rig of a hand: the median of each length over all frames, so that single bad frames do not count.

    Args:
        points: (T, 21, 3) landmarks of one hand in T frames, metres.
        handedness: "Left" or "Right".

    Raises:
        InputError: there is no frame, or the landmarks are not (T, 21, 3).
    """
    values = np.asarray(points, np.float64)
    if values.ndim != 3 or not len(values):
        raise InputError(f"a rig is measured on landmarks (frames, 21, 3), got shape {values.shape}")
    palm = palm_frame(values, handedness)
    joints = joint_positions(values, palm)
    offsets = np.zeros((len(JOINTS), 3))
    offsets[METACARPALS] = np.median((joints[:, METACARPALS] - joints[:, :1]) @ palm, axis=0)
    joints[:, METACARPALS] = bases(joints[:, 0], palm, offsets)
    lengths = np.linalg.norm(joints - joints[:, PARENTS], axis=-1)
    bones = [joint for joint in range(1, len(JOINTS)) if joint not in METACARPALS]
    offsets[bones, 2] = -np.median(lengths[:, bones], axis=0)
    return Rig(handedness, offsets)


def pose_of(rig: Rig, points: Points) -> Doubles:
    """Inverse kinematics: (..., 25, 3, 3) frames of the rig's joints, from (..., 21, 3) landmarks in metres.

    They are those of `bone_frames`, but the bases of the metacarpals are the rig's own points of the palm.

    Raises:
        InputError: the landmarks have another shape or are not finite.
    """
    palm = palm_frame(points, rig.handedness)
    joints = joint_positions(points, palm)
    joints[..., METACARPALS, :] = bases(joints[..., 0, :], palm, rig.offsets)
    return frames_of_joints(joints, palm, rig.handedness)


def bases(wrist: Doubles, palm: Doubles, offsets: Doubles) -> Doubles:
    """(..., 5, 3) the bases of the metacarpals, which are points of the palm."""
    return np.asarray(wrist[..., None, :] + offsets[METACARPALS] @ np.swapaxes(palm, -1, -2), np.float64)


def relative_to_parents(frames: Doubles) -> Doubles:
    """(..., 25, 3, 3) rotations of joints against the joints before them, from frames in space; the wrist's stays."""
    local = np.swapaxes(frames[..., PARENTS, :, :], -1, -2) @ frames
    local[..., 0, :, :] = frames[..., 0, :, :]
    return np.asarray(local, np.float64)
