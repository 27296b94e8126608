"""From joint angles to the positions of the bones: how each bone's skin moves, and whether fingers run into each other.

Space: the right hand's own frame, see `anatomy`; the palm never moves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from knuckle.synth.body.anatomy import (
    BONE,
    CLOSING_DEG,
    DIGITS,
    DIP,
    FINGERS,
    HAND_BONES,
    INDEX,
    MCP,
    PIP,
    PIVOT_INDEX,
    REST_DORSAL,
    SLENDER,
    SPREAD,
    THICKNESS,
    Doubles,
    bone_frame,
    unit,
)

FINGER_BASES = [PIVOT_INDEX[f"{finger}_base"] for finger in FINGERS]
FINGER_BONES = np.array([[BONE[f"{finger}_{bone}"] for bone in ("mc", "pp", "mp", "dp")] for finger in FINGERS])
THUMB_BONES = [BONE[f"thumb_{bone}"] for bone in ("mc", "pp", "dp")]
FINGER_DORSAL = np.array([REST_DORSAL[finger] for finger in FINGERS])
CUP_SHARE = np.array([0.0, 0.0, 0.5, 1.0])  # how much of the `cup` angle each finger's metacarpal makes
SPREAD_SIGN = np.array([1, 1, -1, -1])  # abduction leads to the thumb's side for the first two fingers
# The bone that carries each of the 21 landmarks.
CARRIERS = [BONE["hand"], BONE["thumb_mc"], BONE["thumb_mc"], BONE["thumb_pp"], BONE["thumb_dp"], *FINGER_BONES.ravel()]


def rotations_about(axis: int, angles: npt.ArrayLike) -> Doubles:
    """(..., 3, 3) rotations about a coordinate axis (0 is x, 1 is y, 2 is z) by (...) angles in radians."""
    angles = np.asarray(angles, np.float64)
    vectors = np.zeros((*angles.shape, 3))
    vectors[..., axis] = angles
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices.reshape(*angles.shape, 3, 3), np.float64)


CLOSING = rotations_about(1, np.radians([CLOSING_DEG[finger] for finger in FINGERS]))


def shortest_rotation(start: Doubles, end: Doubles) -> Rotation:
    """The smallest rotation that takes one unit vector (3,) to another."""
    return Rotation.from_quat([*np.cross(start, end), 1 + float(start @ end)])


def bone_transforms(joints: Doubles, angles: npt.ArrayLike) -> Doubles:
    """(22, 3, 4) affine maps of each of `HAND_BONES` from the rest pose to a pose.

    Args:
        joints: (28, 3) at rest, from `anatomy.joints_of`.
        angles: (25,) as in `anatomy.ANGLES`, within their limits.
    """
    a = np.asarray(angles, np.float64)
    transforms = np.zeros((len(HAND_BONES), 3, 4))
    transforms[BONE["hand"], :, :3] = np.eye(3)
    wrist, elbow = joints[PIVOT_INDEX["wrist"]], joints[PIVOT_INDEX["elbow"]]
    forearm = wrist_rotation(joints, a).T
    twist = Rotation.from_rotvec(unit(elbow - wrist) * a[INDEX["forearm_twist"]]).as_matrix()
    transforms[BONE["forearm"]] = _rotated_about(forearm, wrist, wrist)
    transforms[BONE["elbow"]] = _rotated_about(forearm @ twist, wrist, wrist)
    transforms[THUMB_BONES] = _thumb_transforms(joints, a)
    transforms[FINGER_BONES] = _finger_transforms(joints, a)
    return transforms


def _rotated_about(rotation: Doubles, pivot: Doubles, moved_pivot: Doubles) -> Doubles:
    """(..., 3, 4) affine maps that rotate about `pivot` and take it to `moved_pivot`."""
    return np.concatenate([rotation, moved_pivot[..., None] - rotation @ pivot[..., None]], axis=-1)


def _finger_transforms(joints: Doubles, a: Doubles) -> Doubles:
    """(4 fingers, 4 bones, 3, 4)."""
    chain = joints[5:21].reshape(4, 4, 3)  # MCP, PIP, DIP, tip of each finger
    bones = np.diff(chain, axis=1)
    bases = joints[FINGER_BASES]
    metacarpal, mcp, pip, dip = rotations_about(0, -np.stack([a[INDEX["cup"]] * CUP_SHARE, a[MCP], a[PIP], a[DIP]]))
    proximal = metacarpal @ CLOSING @ mcp @ rotations_about(2, a[SPREAD] * SPREAD_SIGN)
    middle = proximal @ pip
    frames = np.stack([proximal, middle, middle @ dip], axis=1)
    rest = bone_frame(bones, FINGER_DORSAL[:, None])
    rotations = frames @ np.swapaxes(rest, -1, -2)
    knuckles = bases + (metacarpal @ (chain[:, 0] - bases)[..., None])[..., 0]
    starts = _chained(knuckles[:, None], rotations, bones)
    phalanges = _rotated_about(rotations, chain[:, :3], starts)
    return np.concatenate([_rotated_about(metacarpal, bases, bases)[:, None], phalanges], axis=1)


def _chained(first: Doubles, rotations: Doubles, bones: Doubles) -> Doubles:
    """(..., 3 bones, 3) where each bone of a chain starts once all are rotated; the first starts at `first`."""
    moved = (rotations @ bones[..., None])[..., 0]
    before = np.cumsum(moved, axis=-2) - moved
    return first + before


def _thumb_transforms(joints: Doubles, a: Doubles) -> Doubles:
    """(3 bones, 3, 4)."""
    chain = joints[[PIVOT_INDEX["thumb_base"], 2, 3, 4]]  # CMC, MCP, IP, tip
    bones = np.diff(chain, axis=0)
    radial, palmar, pronation, mcp_flexion, ip_flexion = a[:5]
    rest = bone_frame(bones, np.array(REST_DORSAL["thumb"]))
    aim = np.array([-np.sin(radial) * np.cos(palmar), np.cos(radial) * np.cos(palmar), -np.sin(palmar)])
    # The shortest rotation to the aim keeps the side of the nail; opposition adds pronation about the bone [6].
    swing = shortest_rotation(rest[0, :, 1], aim).as_matrix()
    mcp, ip = rotations_about(0, [-mcp_flexion, -ip_flexion])
    metacarpal = swing @ rest[0] @ rotations_about(1, pronation)
    frames = np.stack([metacarpal, metacarpal @ mcp, metacarpal @ mcp @ ip])
    rotations = frames @ np.swapaxes(rest, -1, -2)
    return _rotated_about(rotations, chain[:3], _chained(chain[:1], rotations, bones))


def wrist_rotation(joints: Doubles, angles: npt.ArrayLike) -> Doubles:
    """(3, 3) rotation of the hand against its forearm, from the rest pose."""
    a = np.asarray(angles, np.float64)
    along = unit(joints[PIVOT_INDEX["wrist"]] - joints[PIVOT_INDEX["elbow"]])
    straight = shortest_rotation(along, np.array([0.0, 1.0, 0.0]))
    bend = Rotation.from_euler("XZ", [a[INDEX["wrist_flexion"]], -a[INDEX["wrist_radial"]]])
    return np.asarray((bend * straight).inv().as_matrix(), np.float64)


def landmarks_after(joints: Doubles, transforms: Doubles) -> Doubles:
    """(21, 3) landmarks of a pose, from the joints at rest and `bone_transforms`."""
    chosen = transforms[CARRIERS]
    return np.asarray(np.einsum("kij,kj->ki", chosen[:, :, :3], joints[:21]) + chosen[:, :, 3])


def _capsule_table() -> tuple[tuple[str, ...], list[list[int]], list[float]]:
    """Names of the digits' bones, their ends (rows of landmarks followed by the joints at rest), and their radii."""
    names, ends, radii = [], [], []
    for digit, name in enumerate(DIGITS):
        bones = ("mc", "pp", "dp") if name == "thumb" else ("mc", "pp", "mp", "dp")
        last = 4 + 4 * digit  # the tip
        chain = [21 + PIVOT_INDEX[f"{name}_base"], *range(last + 1 - len(bones), last + 1)]
        for bone, start, end in zip(bones, chain[:-1], chain[1:], strict=True):
            names.append(f"{name}_{bone}")
            ends.append([start, end])
            radii.append(THICKNESS[bone] * SLENDER.get(name, 1.0))
    return tuple(names), ends, radii


CAPSULE_NAMES, _CAPSULE_ENDS, _CAPSULE_RADII = _capsule_table()


def capsules(joints: Doubles, transforms: Doubles) -> tuple[Doubles, Doubles]:
    """The digits as capsules, one for each of `CAPSULE_NAMES`: (19, 2, 3) ends and (19,) radii, metres."""
    points = np.concatenate([landmarks_after(joints, transforms), joints])
    return points[_CAPSULE_ENDS], np.array(_CAPSULE_RADII) * np.linalg.norm(joints[9])


def _must_stay_apart() -> Doubles:
    """(19, 19) of 0 and 1: pairs of bones of different digits that cannot overlap in a real hand."""
    rooted = ("mc", "pp")  # these lie side by side in the palm
    apart = np.zeros((len(CAPSULE_NAMES), len(CAPSULE_NAMES)))
    for j, first in enumerate(CAPSULE_NAMES):
        for k, second in enumerate(CAPSULE_NAMES):
            same_digit = first[:-3] == second[:-3]
            both_rooted = first[-2:] in rooted and second[-2:] in rooted
            apart[j, k] = not same_digit and not both_rooted
    thumb = CAPSULE_NAMES.index("thumb_pp")  # it moves freely and can meet every finger, unlike other rooted bones
    others = [k for k, name in enumerate(CAPSULE_NAMES) if name[:-3] != "thumb" and name != "index_mc"]
    apart[thumb, others] = apart[others, thumb] = 1
    return apart


MUST_STAY_APART = _must_stay_apart()


def overlap(joints: Doubles, angles: npt.ArrayLike) -> float:
    """The largest overlap of two digits, or of a digit and the palm, metres. A tight fist reads about 6 mm."""
    ends, radii = capsules(joints, bone_transforms(joints, angles))
    along = np.linspace(0, 1, 7)[:, None]
    points = (ends[:, None, 0] + along * (ends[:, 1] - ends[:, 0])[:, None]).reshape(-1, 3)
    distances = cdist(points, points).reshape(len(radii), 7, len(radii), 7).min(axis=(1, 3))
    depth = radii[:, None] + radii[None] - distances
    return float((depth * MUST_STAY_APART).max())
