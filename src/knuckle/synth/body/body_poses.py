"""Random poses of whole people: standing or sitting, at rest, talking, waving, touching their face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from knuckle.synth.body.anatomy import Doubles
from knuckle.synth.body.hand_pairs import MIRROR, PAIRS, random_pair, turn
from knuckle.synth.body.hand_poses import NAMED, random_pose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after
from knuckle.synth.body.model import Shape
from knuckle.synth.body.whole_body import SIDES, ArmPose, BodyPose, mark_of, reach

OUTWARDS = {"Left": 1.0, "Right": -1.0}  # sign of x that leads away from the body on each side
ELBOWS_OUT = np.linspace(0.7, 1.5, 4)
# Touching the face: the mark on the face, the pose, the landmark that touches it, and how a right hand is turned.
AT_FACE: tuple[tuple[str, str, int, Doubles], ...] = (
    ("right_cheek", "cupped", 9, turn(0, -150, 10)),
    ("chin", "loose_fist", 6, turn(0, -160, 12)),
    ("chin", "asl_L", 5, turn(0, -150, 20)),
    ("mouth", "point", 8, turn(0, 180, 20)),
    ("mouth", "cupped", 12, turn(0, 170, 55)),
    ("nose", "pinch", 8, turn(0, 175, 30)),
    ("forehead", "flat", 8, turn(15, -100, 75)),
    ("right_ear", "cupped", 12, turn(10, -80, 20)),
    ("right_ear", "relaxed", 8, turn(0, -120, 10)),
    ("brow", "beak", 8, turn(0, 180, 25)),
    ("crown", "relaxed", 12, turn(-20, -120, 40)),
    ("right_cheek", "point", 8, turn(0, -140, 15)),
)


def random_body_pose(shape: Shape, rng: np.random.Generator) -> tuple[str, BodyPose]:
    """The pose of a person who roughly faces the camera, and the name of what they do (a key of `ACTIONS`)."""
    back = tuple(np.radians(rng.normal((4, 0, 0), (5, 9, 4))).tolist())
    head = tuple(np.radians(rng.normal(0, (9, 18, 6))).tolist())
    bend_rad = 1.45 if rng.random() < 0.35 else 0.0  # sitting or standing
    name = str(rng.choice(list(ACTIONS), p=[0.34, 0.16, 0.2, 0.12, 0.08, 0.1]))
    hanging = {side: _hanging_arm(shape, side, rng) for side in SIDES}
    at_rest = BodyPose(hanging, back, head, bend_rad, bend_rad)
    arms = ACTIONS[name](shape, at_rest, rng)
    return name, BodyPose({**hanging, **arms}, back, head, bend_rad, bend_rad)


def _joint(shape: Shape, name: str) -> Doubles:
    return np.asarray(shape.points[shape.names[name]], np.float64)


def _shoulder(shape: Shape, side: str) -> Doubles:
    return _joint(shape, f"upperarm01.{side[0]}")


def _arm_length(shape: Shape) -> float:
    """Metres from the shoulder over the elbow to the wrist."""
    joints = [_joint(shape, f"{name}.R") for name in ("upperarm01", "lowerarm01", "wrist")]
    return float(sum(np.linalg.norm(b - a) for a, b in pairwise(joints)))


def _hanging_arm(shape: Shape, side: str, rng: np.random.Generator) -> ArmPose:
    down = _arm_length(shape) * np.array([OUTWARDS[side] * rng.uniform(0.12, 0.3), 0.93, -rng.uniform(0.0, 0.2)])
    hand = NAMED["relaxed"].mix(NAMED["loose_fist"], float(rng.uniform(0, 0.8)))
    swivel, pronation = float(rng.normal(0.2, 0.15)), float(rng.normal(0.2, 0.3))
    return ArmPose(_shoulder(shape, side) + down, swivel, pronation, hand)


def _one_or_both(rng: np.random.Generator, both: float) -> tuple[str, ...]:
    """Both sides with the chance `both`, else one of them."""
    return SIDES if rng.random() < both else (str(rng.choice(SIDES)),)


Arms = dict[str, ArmPose]


def _gesture(shape: Shape, pose: BodyPose, rng: np.random.Generator) -> Arms:
    """One or both hands somewhere in front of the shoulders."""
    arms = {}
    for side in _one_or_both(rng, 0.6):
        out = OUTWARDS[side]
        from_shoulder = np.array([out * rng.normal(0.12, 0.28), rng.normal(-0.05, 0.16), -rng.uniform(0.35, 0.85)])
        pitch = float(rng.normal(0, 22))
        yaw = float(rng.choice([0, 180], p=[0.6, 0.4]) + rng.normal(0, 35))
        tilt = turn(pitch, yaw, float(rng.normal(out * -8, 28)))
        _, hand = random_pose(rng, wrist=False)
        wrist = _shoulder(shape, side) + _arm_length(shape) * from_shoulder
        arms[side] = reach(shape, side, wrist, tilt, hand, pose.back)
    return arms


def _raise(shape: Shape, pose: BodyPose, rng: np.random.Generator) -> Arms:
    """One or both hands above the shoulders, palms to the camera."""
    arms = {}
    for side in _one_or_both(rng, 0.25):
        out = OUTWARDS[side]
        from_shoulder = np.array([out * rng.uniform(0.1, 0.5), -rng.uniform(0.3, 0.75), -rng.uniform(0.2, 0.5)])
        tilt = turn(float(rng.normal(0, 12)), float(rng.normal(0, 22)), float(out * rng.normal(8, 18)))
        _, hand = random_pose(rng, wrist=False)
        wrist = _shoulder(shape, side) + _arm_length(shape) * from_shoulder
        arms[side] = reach(shape, side, wrist, tilt, hand, pose.back)
    return arms


def _touch_face(shape: Shape, pose: BodyPose, rng: np.random.Generator) -> Arms:
    side = str(rng.choice(SIDES))
    mark, name, landmark, tilt = AT_FACE[int(rng.integers(len(AT_FACE)))]
    tilt = turn(*rng.normal(0, 8, 3)) @ tilt
    if side == "Left":
        tilt, mark = MIRROR @ tilt @ MIRROR, mark.replace("right", "left")
    touched = mark_of(shape, pose, mark)
    hand = NAMED[name]
    joints = shape.hand[1]
    to_camera = np.array([-1, -1, 1]) if side == "Right" else np.array([1, -1, 1])
    tip = landmarks_after(joints, bone_transforms(joints, hand.angles))[landmark] * to_camera
    wrist = touched - tilt @ tip + [0, 0, -0.012] + rng.normal(0, 0.006, 3)
    return {side: reach(shape, side, wrist, tilt, hand, pose.back)}


def _hands_on_hips(shape: Shape, pose: BodyPose, rng: np.random.Generator) -> Arms:
    arms = {}
    for side in _one_or_both(rng, 0.6):
        out = OUTWARDS[side]
        wrist = _joint(shape, f"upperleg01.{side[0]}") + np.array([out * 0.14, -0.12, -0.02])
        tilt = turn(0, out * 90, 0) @ turn(0, 0, out * 60)
        arms[side] = reach(shape, side, wrist, tilt, NAMED["relaxed"], pose.back, ELBOWS_OUT)
    return arms


def _hands_together(shape: Shape, pose: BodyPose, rng: np.random.Generator) -> Arms:
    """One of `PAIRS` in front of the chest."""
    names = [name for name, template in PAIRS.items() if template.handedness == ("Right", "Left")]
    pair = random_pair(float(np.linalg.norm(shape.hand[1][9])), rng, str(rng.choice(names)))
    chest = (_shoulder(shape, "Right") + _shoulder(shape, "Left")) / 2
    from_chest = np.array([rng.normal(0, 0.08), rng.normal(0.25, 0.22), -rng.uniform(0.5, 0.72)])
    centre = chest + _arm_length(shape) * from_chest
    arms = {}
    for side, hand, rotation, offset in zip(pair.handedness, pair.poses, pair.rotations, pair.offsets, strict=True):
        arms[side] = reach(shape, side, centre + offset, rotation, hand, pose.back)
    return arms


ACTIONS: Mapping[str, Callable[[Shape, BodyPose, np.random.Generator], Arms]] = {
    "gesture": _gesture,
    "raise": _raise,
    "face": _touch_face,
    "two": _hands_together,
    "hips": _hands_on_hips,
    "hang": lambda shape, pose, rng: {},  # both arms hang, as they do before any action
}
