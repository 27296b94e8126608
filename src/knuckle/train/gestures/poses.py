"""Landmarks of posed hands, as the landmark network would read them, without rendering: thousands a second.

A hand shape is the way in which fingers are held, whichever way the hand points. Each has poses of `synth` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from knuckle.gestures.network import OTHER
from knuckle.results import FINGERS, FloatArray
from knuckle.synth.body.anatomy import ANGLES, INDEX, Doubles, clamp
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
OTHERS += ("tabletop", "piano", "mouse", "free", "mixed", "each", "between")
SHARE_OF_OTHERS = 0.22
# Random poses whose fingers bend by nearly the same angles as those of a named pose (root mean square) are left out,
# wherever their thumbs are: people would call many of them by that name.
NEAR_RAD = 0.35
# Shapes whose fingers people hold anywhere up to those of another pose.
NEIGHBOURS = {"thumb": "loose_fist", "open": "flat", "flat": "open", "asl_A": "loose_fist"}
# A thumb that is stretched out: the first five of `ANGLES`, lowest and highest, degrees.
THUMBS_OUT_DEG = ((22, -8, -12, -8, -20), (65, 38, 12, 16, 16))
PEOPLE = 96
LOOSE = 0.12  # standard deviation of how far people hold a pose towards a relaxed hand
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
        pose = pose.mix(with_fingers_of(pose, NEIGHBOURS[shape]), float(rng.uniform(0, 0.7)))
    if shape == "thumb":
        low, high = THUMBS_OUT_DEG
        degrees = dict(zip(ANGLES[:5], rng.uniform(low, high).tolist(), strict=True))
        return HandPose(clamp(pose.replacing(**degrees).angles + np.radians(rng.normal(0, SPREAD_DEG, len(ANGLES)))))
    loose = pose.mix(NAMED["relaxed"], min(abs(float(rng.normal(0, LOOSE))), 0.35))
    return HandPose(clamp(loose.angles + np.radians(rng.normal(0, SPREAD_DEG, len(ANGLES)))))


def with_fingers_of(pose: HandPose, name: str) -> HandPose:
    """The pose with the fingers of a named one; the thumb and the wrist stay."""
    angles = NAMED[name].angles.copy()
    kept = [k for k, angle in enumerate(ANGLES) if angle.startswith(("thumb", "wrist", "forearm"))]
    angles[kept] = pose.angles[kept]
    return HandPose(angles)


def _other_pose(rng: np.random.Generator) -> HandPose | None:
    """A pose that is none of the named ones; None if the draw came close to one."""
    kind = str(rng.choice(OTHERS))
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
    span = np.linalg.norm(turned[:, 0] - turned[:, 9], axis=1)[:, None, None]
    near = turned + _error(count, rng, across=0.035, depth=0.06) * span
    distance = rng.uniform(3, 14, (count, 1)) * span[:, :, 0]
    landmarks = near.copy()
    landmarks[:, :, :2] = near[:, :, :2] / (1 + near[:, :, 2:] / distance[:, :, None]) / span * 100
    world = turned + _error(count, rng, across=0.04, depth=0.10) * span
    world[:, :, 2] *= rng.uniform(0.45, 1.15, (count, 1))  # networks draw depth towards the middle
    return landmarks.astype(np.float32), world.astype(np.float32)


def _views(count: int, rng: np.random.Generator) -> Doubles:
    """(count, 3, 3) rotations: half of them the palm or the back of a raised hand, the others anything."""
    anything = Rotation.random(count, random_state=rng)
    tilt = Rotation.from_euler("xyz", rng.normal(0, np.radians([25, 30, 30]), (count, 3)))
    back = Rotation.from_rotvec(np.pi * np.outer(rng.random(count) < 0.35, [0, 1, 0]))
    raised = (tilt * back).as_matrix()
    return np.asarray(np.where((rng.random(count) < 0.5)[:, None, None], raised, anything.as_matrix()))


def _error(count: int, rng: np.random.Generator, across: float, depth: float) -> Doubles:
    """(count, 21, 3) errors in palm lengths: of single landmarks, and of fingers, growing towards their tips."""
    scale = np.array([across, across, depth])
    quality = rng.gamma(2, 0.5, (count, 1, 1))  # some hands are small, blurred or hidden
    error = rng.normal(0, 0.5, (count, 21, 3))
    for numbers in FINGERS.values():
        error[:, list(numbers)] += rng.normal(0, 1, (count, 1, 3)) * np.array([0.2, 0.5, 0.8, 1.0])[:, None]
    return np.asarray(error * scale * quality)
