"""Landmarks of posed hands, as the landmark network would read them, without rendering: thousands a second.

A hand shape is the way in which fingers are held, whichever way the hand points. Each has poses of `synth` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from knuckle.gestures.network import OTHER
from knuckle.results import FINGERS, FloatArray
from knuckle.synth.body.anatomy import ANGLES, AVERAGE_JOINTS, INDEX, Doubles, clamp
from knuckle.synth.body.hand_poses import NAMED, HandPose, free_angles, random_pose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after
from knuckle.synth.body.model import TO_CAMERA, load_body
from knuckle.train.gestures.shapes import SHAPES

# Poses of each shape. Poses that several people hold differently have several.
POSES: Mapping[str, tuple[str, ...]] = {
    "fist": ("fist", "loose_fist", "asl_S"),
    "asl_A": ("asl_A",),
    "asl_E": ("asl_E",),
    "asl_M": ("asl_M",),
    "asl_N": ("asl_N",),
    "asl_T": ("asl_T",),
    "thumb_in": ("thumb_in",),
    "thumb": ("thumb_up", "thumb_out"),
    "open": ("open", "wide", "salute", "open", "loose"),
    "flat": ("flat", "stop"),
    "asl_B": ("asl_B",),
    "one": ("point", "asl_Z"),
    "asl_D": ("asl_D",),
    "asl_G": ("asl_G", "asl_Q"),
    "hook": ("asl_X", "beckon"),
    "two": ("two", "asl_V"),
    "two_together": ("asl_U", "asl_H"),
    "crossed": ("crossed", "asl_R"),
    "asl_K": ("asl_K", "asl_P"),
    "three": ("three", "asl_W"),
    "three_thumb": ("three_thumb",),
    "four": ("four",),
    "six": ("six",),
    "seven": ("seven",),
    "eight": ("eight",),
    "ok": ("ok", "asl_F"),
    "pinch": ("pinch",),
    "beak": ("beak", "asl_O"),
    "asl_C": ("asl_C",),
    "rock": ("horns",),
    "love": ("love",),
    "call": ("shaka", "asl_Y"),
    "gun": ("gun",),
    "ell": ("asl_L",),
    "pinky": ("pinky", "asl_I", "asl_J"),
    "middle_finger": ("bird",),
}
# Poses that are no gesture by themselves.
OTHERS: tuple[str, ...] = ("relaxed", "claw", "cupped", "pinch_open", "hook", "ring_only", "finger_heart", "snap")
OTHERS += ("tabletop", "piano", "mouse", "free", "mixed", "each", "between", "pinching", "pinching")
SHARE_OF_OTHERS = 0.22
# Random poses whose fingers bend by nearly the same angles as those of a named pose (root mean square) are left out,
# wherever their thumbs are: people would call many of them by that name.
NEAR_RAD = 0.35
# Shapes whose fingers people hold anywhere up to a share of the way to those of another pose.
NEIGHBOURS = {
    "thumb": ("loose_fist", 0.7),
    "open": ("flat", 0.35),
    "flat": ("open", 0.35),
    "asl_A": ("loose_fist", 0.7),
}
NEIGHBOURS |= {"asl_C": ("cupped", 0.8)}
# Joints that people hold anywhere between two angles, degrees: a thumb that is stretched out; an index finger that
# points forward or down from a level hand, the thumb over the other fingers or beside them; a C, wide or narrow.
RANGES_DEG: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "thumb": {
        "thumb_radial": (22, 65),
        "thumb_palmar": (-8, 38),
        "thumb_pronation": (-12, 12),
        "thumb_mcp": (-8, 16),
        "thumb_ip": (-20, 16),
    },
    "one": {
        "index_mcp": (-5, 60),
        "index_pip": (0, 22),
        "thumb_radial": (3, 26),
        "thumb_palmar": (15, 45),
        "thumb_mcp": (8, 58),
        "thumb_ip": (8, 68),
    },
    "asl_C": {"thumb_radial": (10, 55), "thumb_palmar": (30, 60)},
    "ok": {"middle_mcp": (0, 28), "ring_mcp": (0, 20), "pinky_mcp": (0, 15)},
}
# Shapes in which the tips of thumb and index finger meet, in a ring that may be wide, narrow, round or long.
RINGS = ("ok", "pinch")
RING_DEG: Mapping[str, tuple[float, float]] = {
    "thumb_radial": (-5, 60),
    "thumb_palmar": (10, 55),
    "thumb_pronation": (-12, 14),
    "thumb_mcp": (-5, 45),
    "thumb_ip": (-5, 55),
    "index_mcp": (10, 72),
    "index_pip": (25, 95),
    "index_dip": (0, 55),
}
RING_COUNT, DRAWS_PER_RING, MEET_M = 80, 60, 0.022
PARTED_M = (0.03, 0.07)  # tips of thumb and index finger that are about to pinch
PEOPLE = 96
LOOSE = 0.12  # standard deviation of how far people hold a pose towards a relaxed hand
WAVERING = 0.06  # share of hands that are read as a mean of two interpretations
# Of some hands the depth of the thumb and of the index finger is read quite wrongly, while the picture of them is read
# well: photos of large rings have tips that touch in the picture and are half a palm apart in depth.
MISREAD, MISREAD_PALMS = 0.35, 0.3
SPREAD_DEG = 4.0  # standard deviation of each joint between people
# The thumb under the folded fingers.
_THUMB_IN = NAMED["fist"].replacing(
    thumb_radial=-18,
    thumb_palmar=24,
    thumb_pronation=-5,
    thumb_mcp=40,
    thumb_ip=30,
    index_mcp=72,
    middle_mcp=76,
    ring_mcp=82,
)
GROWTH = np.array([0.2, 0.5, 0.8, 1.0])  # of errors from the first joint of a finger to its tip
_FLEXION = [INDEX[f"{finger}_{joint}"] for finger in FINGERS if finger != "thumb" for joint in ("mcp", "pip")]


@dataclass(frozen=True, eq=False)
class LandmarkRows:
    """Hands as rows: what `features_of` takes, and the shape of each.

    Attributes:
        landmarks: (n, 21, 3) pixels of some image.
        world: (n, 21, 3) metres.
        left: (n,) whether each is a left hand.
        shapes: (n,) index in `SHAPES`.
    """

    landmarks: FloatArray
    world: FloatArray
    left: npt.NDArray[np.bool_]
    shapes: npt.NDArray[np.int64]


def random_rows(count: int, views: int, rng: np.random.Generator) -> LandmarkRows:
    """`count` random poses of random people, each seen from `views` sides: (count * views) rows."""
    body, people = load_body(), np.random.default_rng(7)
    joints = [body.random_shape(people).hand[1] for _ in range(PEOPLE)]
    points, shapes = list[Doubles](), list[int]()
    names = [name for name in SHAPES if name != OTHER]
    while len(points) < count:
        shape = OTHER if rng.random() < SHARE_OF_OTHERS else str(rng.choice(names))
        pose = _other_pose(rng) if shape == OTHER else _pose_of(shape, rng)
        if pose is not None:
            bones = joints[rng.integers(len(joints))]
            points.append(landmarks_after(bones, bone_transforms(bones, pose.angles)) * TO_CAMERA)
            shapes.append(SHAPES.index(shape))
    seen = np.repeat(np.array(points), views, axis=0)
    landmarks, world = as_read(seen, rng)
    left = rng.random(len(seen)) < 0.5
    mirror = np.where(left, -1.0, 1.0)[:, None]
    landmarks[:, :, 0] *= mirror
    world[:, :, 0] *= mirror
    taken_for_left = left ^ (rng.random(len(seen)) < 0.01)  # sides that the network gets wrong
    return LandmarkRows(landmarks, world, taken_for_left, np.repeat(shapes, views))


def _pose_of(shape: str, rng: np.random.Generator) -> HandPose | None:
    name = str(rng.choice(POSES[shape]))
    if name == "thumb_in":
        return HandPose(clamp(_THUMB_IN.angles + np.radians(rng.normal(0, 5, len(ANGLES)))))
    found, pose = random_pose(rng, wrist=False, among=(name,))
    if found != name:
        return None
    if shape in NEIGHBOURS:
        neighbour, most = NEIGHBOURS[shape]
        pose = pose.mix(with_fingers_of(pose, neighbour), float(rng.uniform(0, most)))
    if shape in RINGS:
        ring = _rings()[rng.integers(RING_COUNT)]
        pose = pose.replacing(**ring)
    if shape in RANGES_DEG:
        pose = pose.replacing(**{name: float(rng.uniform(*span)) for name, span in RANGES_DEG[shape].items()})
    else:
        pose = pose.mix(NAMED["relaxed"], min(abs(float(rng.normal(0, LOOSE))), 0.35))
    return HandPose(clamp(pose.angles + np.radians(rng.normal(0, SPREAD_DEG, len(ANGLES)))))


@cache
def _rings() -> list[dict[str, float]]:
    """Angles in degrees of thumbs and index fingers whose tips meet: the nearest of several draws each."""
    rng, found = np.random.default_rng(11), list[dict[str, float]]()
    while len(found) < RING_COUNT:
        draws = [{name: float(rng.uniform(*span)) for name, span in RING_DEG.items()} for _ in range(DRAWS_PER_RING)]
        gaps = [gap_of(NAMED["ok"].replacing(**draw)) for draw in draws]
        if min(gaps) < MEET_M:
            found.append(draws[int(np.argmin(gaps))])
    return found


def gap_of(pose: HandPose) -> float:
    """Distance of the tips of thumb and index finger of an average hand, metres."""
    points = landmarks_after(AVERAGE_JOINTS, bone_transforms(AVERAGE_JOINTS, pose.angles))
    return float(np.linalg.norm(points[4] - points[8]))


def with_fingers_of(pose: HandPose, name: str) -> HandPose:
    """The pose with the fingers of a named one; the thumb and the wrist stay."""
    angles = NAMED[name].angles.copy()
    kept = [k for k, angle in enumerate(ANGLES) if angle.startswith(("thumb", "wrist", "forearm"))]
    angles[kept] = pose.angles[kept]
    return HandPose(angles)


def _other_pose(rng: np.random.Generator) -> HandPose | None:
    """A pose that is none of the named ones; None if the draw came close to one."""
    kind = str(rng.choice(OTHERS))
    if kind == "pinching":
        pose = random_pose(rng, wrist=False, among=(kind,))[1]
        return pose if PARTED_M[0] < gap_of(pose) < PARTED_M[1] else None
    if kind not in ("mixed", "each", "free", "between"):
        return random_pose(rng, wrist=False, among=(kind,))[1]
    pose = HandPose(free_angles(rng)) if kind == "free" else random_pose(rng, wrist=False)[1]
    if kind == "between":
        first, second = rng.choice(list(NAMED), 2, replace=False)
        pose = NAMED[first].mix(NAMED[second], float(rng.uniform(0.35, 0.65)))
    known = np.array([NAMED[name].angles for poses in POSES.values() for name in poses if name in NAMED])
    distance = np.sqrt(((known - pose.angles)[:, _FLEXION] ** 2).mean(axis=1)).min()
    return pose if distance > NEAR_RAD else None


def as_read(points: Doubles, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Landmarks and world landmarks of hands as a landmark network reads them from a random side.

    Cameras stand anywhere, more often before or behind a raised hand. Errors are larger in depth than across, and the
    landmarks of a finger err together.

    Args:
        points: (n, 21, 3) metres, camera axes, palm to the camera and fingers up.
        rng: random numbers.
    """
    count = len(points)
    turned = np.einsum("nij,nkj->nki", _views(count, rng), points - points[:, [9]])
    turned = _between_sides(turned, rng)
    span = np.linalg.norm(turned[:, 0] - turned[:, 9], axis=1)[:, None, None]
    near = turned + _error(count, rng, across=0.035, depth=0.06) * span
    distance = rng.uniform(3, 14, (count, 1)) * span[:, :, 0]
    landmarks = near.copy()
    landmarks[:, :, :2] = near[:, :, :2] / (1 + near[:, :, 2:] / distance[:, :, None]) / span * 100
    world = turned + _error(count, rng, across=0.04, depth=0.10) * span
    world[:, :, 2] *= rng.uniform(0.45, 1.15, (count, 1))  # networks draw depth towards the middle
    world[:, :, 2] += _misread_depth(count, rng) * span[:, :, 0]
    return landmarks.astype(np.float32), world.astype(np.float32)


def _misread_depth(count: int, rng: np.random.Generator) -> Doubles:
    """(count, 21) errors in depth of whole thumbs and index fingers, palm lengths, growing towards their tips."""
    errors = np.zeros((count, 21))
    misread = rng.random((count, 1)) < MISREAD
    for finger in ("thumb", "index"):
        errors[:, list(FINGERS[finger])] = misread * rng.normal(0, MISREAD_PALMS, (count, 1)) * GROWTH
    return errors


def _between_sides(points: Doubles, rng: np.random.Generator) -> Doubles:
    """The hands, some as they are read while the network wavers between the palm of one and the back of the other hand.

    Seen upright from the front both look alike; what it then gives is a mean of both: narrow, and flat in depth.
    """
    wavers = rng.random(len(points)) < WAVERING
    kept = np.where(wavers, rng.uniform(-0.6, 0.9, len(points)), 1.0)[:, None]
    upright = points[:, 9] - points[:, 0]
    angle = np.arctan2(upright[:, 0], -upright[:, 1])  # by which the hand leans to the right in the image
    right = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across = np.einsum("nki,ni->nk", points[:, :, :2], right)
    middle = (across.max(axis=1) + across.min(axis=1))[:, None] / 2
    moved = ((kept - 1) * (across - middle))[:, :, None] * right[:, None]
    return np.concatenate([points[:, :, :2] + moved, points[:, :, 2:] * kept[:, :, None]], axis=2)


def _views(count: int, rng: np.random.Generator) -> Doubles:
    """(count, 3, 3) rotations: half of them the palm or the back of a raised hand, the others anything."""
    anything = Rotation.random(count, random_state=rng)
    tilt = Rotation.from_euler("xyz", rng.normal(0, np.radians([25, 30, 30]), (count, 3)))
    back = Rotation.from_rotvec(np.pi * np.outer(rng.random(count) < 0.35, [0, 1, 0]))
    raised = (tilt * back).as_matrix()
    return np.asarray(np.where((rng.random(count) < 0.5)[:, None, None], raised, anything.as_matrix()))


def _error(count: int, rng: np.random.Generator, across: float, depth: float) -> Doubles:
    """(count, 21, 3) errors in palm lengths: of single landmarks, and of fingers, growing towards their tips."""
    quality = rng.gamma(2, 0.5, (count, 1, 1))  # some hands are small, blurred or hidden
    # Depth is guessed from the picture alone: mostly well, sometimes so badly that tips that meet come apart.
    scale = np.concatenate([np.full((count, 1, 2), across), depth * rng.gamma(1, 1.4, (count, 1, 1))], axis=2)
    error = rng.normal(0, 0.5, (count, 21, 3))
    for numbers in FINGERS.values():
        error[:, list(numbers)] += rng.normal(0, 1, (count, 1, 3)) * GROWTH[:, None]
    return np.asarray(error * scale * quality)
