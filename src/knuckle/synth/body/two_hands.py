"""Two hands that touch, cross, clasp or shake, and whole people at rest, talking, waving, touching their face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import FINGERS, Doubles, bone_turns, landmarks_after, rotation_about
from knuckle.synth.body.figures import SIDES, ArmPose, BodyPose, mark_of, reach
from knuckle.synth.body.model import BodyModel, Shape
from knuckle.synth.body.poses import NAMED, HandPose, pose_of, random_pose

MIRROR = np.diag([-1.0, 1.0, 1.0])
ELBOWS_OUT = np.linspace(0.7, 1.5, 4)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two hands, each with a rotation and an offset (metres) from its unplaced position (palm to the camera, fingers
    up, wrist at zero); `handedness` of both: a handshake is two right hands."""

    name: str
    handedness: tuple[str, str]
    poses: tuple[HandPose, HandPose]
    rotations: tuple[Doubles, Doubles]
    offsets: tuple[Doubles, Doubles]


def turn(pitch: float, yaw: float, roll: float) -> Doubles:
    """(3, 3): about x, then y, then z, degrees. Yaw -90 turns a right palm to the left hand, roll 90 lays it down."""
    x, y, z = (rotation_about(axis, np.radians(a)) for axis, a in zip(np.eye(3), (pitch, yaw, roll), strict=True))
    return np.asarray(z @ y @ x)


_LACED = pose_of(
    **{f"{f}_{j}": v for f in ("index", "middle", "ring", "pinky") for j, v in (("mcp", 52), ("pip", 50), ("dip", 25))},
    **{"index_spread": 8, "middle_spread": 1, "ring_spread": 5, "pinky_spread": 8},
    **{"thumb_radial": 22, "thumb_palmar": 30, "thumb_mcp": 20, "thumb_ip": 20},
)  # fmt: skip
_SHAKE = pose_of(
    **{"index_mcp": 22, "middle_mcp": 26, "ring_mcp": 30, "pinky_mcp": 32},
    **{"index_pip": 28, "middle_pip": 32, "ring_pip": 36, "pinky_pip": 38},
    **{f"{finger}_dip": 16 for finger in FINGERS},
    **{"thumb_radial": 42, "thumb_palmar": 22, "thumb_mcp": 12, "thumb_ip": 18},
)  # fmt: skip
_BOTH = ("Right", "Left")
Place = tuple[Doubles, tuple[float, float, float]]


@dataclass(frozen=True, eq=False)
class Row:
    """Two poses, and where each hand is: its rotation and its offset in lengths of the palm. Without a `second` place
    the other hand is the first one's mirror image."""

    poses: tuple[HandPose, HandPose]
    first: Place
    second: Place | None = None
    handedness: tuple[str, str] = _BOTH


def _same(pose: HandPose) -> tuple[HandPose, HandPose]:
    return pose, pose


_FLAT, _OPEN, _CUPPED, _RELAXED = (NAMED[name] for name in ("flat", "open", "cupped", "relaxed"))
_TWO_RIGHT = ("Right", "Right")
PAIRS: Mapping[str, Row] = {
    "prayer": Row(_same(_FLAT), (turn(0, -90, 0), (-0.17, 0, 0))),
    "clap": Row(_same(_OPEN), (turn(0, -80, 12), (-0.75, 0, 0))),
    "clasp": Row(_same(_LACED), (turn(0, -90, 30), (-0.66, 0, 0.10)), (turn(0, 90, -30), (0.66, 0, -0.12))),
    "steeple": Row(_same(NAMED["loose"]), (turn(0, -90, 24), (-0.98, 0, 0))),
    "fist_in_palm": Row(
        (NAMED["fist"], _CUPPED), (turn(0, -60, 55), (-0.95, 0.2, 0)), (turn(0, 75, -12), (0.30, 0.45, 0))
    ),
    "crossed": Row(_same(_OPEN), (turn(0, 0, 42), (-0.55, 0, -0.18)), (turn(0, 0, -42), (0.55, 0, 0.22))),
    "folded": Row(_same(_RELAXED), (turn(0, 180, 72), (-1.0, 0, -0.25)), (turn(0, 180, -72), (1.0, 0.1, 0.15))),
    "on_back": Row((_FLAT, _CUPPED), (turn(0, 180, 60), (-0.8, 0, 0)), (turn(0, 180, -70), (0.95, -0.1, -0.3))),
    # Palms up, little fingers side by side, fingers to the camera.
    "bowl": Row(_same(_CUPPED), (turn(90, 0, 0) @ turn(0, 180, 0), (-0.48, 0, 0))),
    "tips": Row(_same(NAMED["point"]), (turn(0, -60, 90), (-1.98, 0, 0))),
    "side_by_side": Row(_same(_OPEN), (turn(0, 0, -4), (-0.75, 0, 0))),
    "high_five": Row((_FLAT, _OPEN), (turn(0, -90, 0), (-0.16, 0, 0)), (turn(0, 90, 0), (0.16, 0, 0)), _TWO_RIGHT),
    "shake": Row(
        _same(_SHAKE),
        (turn(0, 0, -90), (0.95, 0, 0.14)),
        (turn(0, 180, 0) @ turn(0, 0, -90), (-0.95, 0, -0.14)),
        _TWO_RIGHT,
    ),
}


def random_pair(palm_m: float, rng: np.random.Generator, name: str | None = None) -> Pair:
    """Two hands together, any way or the one named, a little different each time; palm_m: wrist to middle MCP, metres.

    Raises:
        InputError: there is no such pair.
    """
    name = str(rng.choice(list(PAIRS))) if name is None else name
    if name not in PAIRS:
        raise InputError(f"there is no pair called {name!r}; expected one of {', '.join(PAIRS)}")
    row = PAIRS[name]
    (one, at_one), mirrored = row.first, (-row.first[1][0], *row.first[1][1:])
    two, at_two = row.second if row.second else (MIRROR @ one @ MIRROR, mirrored)
    wobble = [turn(*rng.normal(0, 4, 3)) for _ in range(2)]
    bent = [
        pose.mix(NAMED["relaxed"], float(abs(rng.normal(0, 0.08)))).but(
            wrist_flexion=float(rng.normal(-10, 15)),
            wrist_radial=float(rng.normal(0, 8)),
            forearm_twist=float(rng.normal(0, 20)),
        )
        for pose in row.poses
    ]
    whole = turn(float(rng.normal(0, 12)), float(rng.normal(0, 25)), float(rng.normal(0, 15)))
    offsets = [whole @ (palm_m * (np.array(place) + rng.normal(0, 0.02, 3))) for place in (at_one, at_two)]
    return Pair(
        name,
        row.handedness,
        (bent[0], bent[1]),
        (whole @ wobble[0] @ one, whole @ wobble[1] @ two),
        (offsets[0], offsets[1]),
    )


# Where a hand goes at the face: the mark, the pose, the landmark that touches it, and how a right hand is turned.
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


def random_body_pose(model: BodyModel, shape: Shape, rng: np.random.Generator) -> tuple[str, BodyPose]:
    """A person facing the camera, more or less: what they do, and the pose."""
    back = tuple(np.radians(rng.normal((4, 0, 0), (5, 9, 4))).tolist())
    head = tuple(np.radians(rng.normal(0, (9, 18, 6))).tolist())
    sitting = rng.random() < 0.35
    legs = {"hip_rad": 1.45 if sitting else 0.0, "knee_rad": 1.45 if sitting else 0.0}
    name = str(rng.choice(list(ACTIONS), p=[0.34, 0.16, 0.2, 0.12, 0.08, 0.1]))
    hanging = BodyPose({side: _hang(shape, side, rng) for side in SIDES}, back, head, **legs)
    arms = ACTIONS[name](model, shape, hanging, rng)
    return name, BodyPose({**hanging.arms, **arms}, back, head, **legs)


def _at(shape: Shape, name: str) -> Doubles:
    return np.asarray(shape.points[shape.names[name]], np.float64)


def _span(shape: Shape) -> float:
    """Length of the arm, shoulder to wrist, metres."""
    places = [_at(shape, f"{name}.R") for name in ("upperarm01", "lowerarm01", "wrist")]
    return float(sum(np.linalg.norm(b - a) for a, b in pairwise(places)))


def _hang(shape: Shape, side: str, rng: np.random.Generator) -> ArmPose:
    out = 1 if side == "Left" else -1
    down = _span(shape) * np.array([out * rng.uniform(0.12, 0.3), 0.93, -rng.uniform(0.0, 0.2)])
    hand = NAMED["relaxed"].mix(NAMED["loose_fist"], float(rng.uniform(0, 0.8)))
    return ArmPose(
        _at(shape, f"upperarm01.{side[0]}") + down, float(rng.normal(0.2, 0.15)), float(rng.normal(0.2, 0.3)), hand
    )


def _free(model: BodyModel, shape: Shape, side: str, pose: BodyPose, rng: np.random.Generator, high: float) -> ArmPose:
    """A hand somewhere in front of the shoulder; `high`: arm lengths above it."""
    out = 1 if side == "Left" else -1
    place = np.array([out * rng.normal(0.12, 0.28), rng.normal(-high, 0.16), -rng.uniform(0.35, 0.85)])
    tilt = turn(
        float(rng.normal(0, 22)),
        float(rng.choice([0, 180], p=[0.6, 0.4]) + rng.normal(0, 35)),
        float(rng.normal(out * -8, 28)),
    )
    _, hand = random_pose(rng, wrist=False)
    return reach(model, shape, side, _at(shape, f"upperarm01.{side[0]}") + _span(shape) * place, tilt, hand, pose.back)


def _gesture(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    sides = SIDES if rng.random() < 0.6 else (str(rng.choice(SIDES)),)
    return {side: _free(model, shape, side, pose, rng, 0.05) for side in sides}


def _raise(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    sides = SIDES if rng.random() < 0.25 else (str(rng.choice(SIDES)),)
    found = {}
    for side in sides:
        out = 1 if side == "Left" else -1
        place = _span(shape) * np.array([out * rng.uniform(0.1, 0.5), -rng.uniform(0.3, 0.75), -rng.uniform(0.2, 0.5)])
        tilt = turn(float(rng.normal(0, 12)), float(rng.normal(0, 22)), float(out * rng.normal(8, 18)))
        _, hand = random_pose(rng, wrist=False)
        found[side] = reach(model, shape, side, _at(shape, f"upperarm01.{side[0]}") + place, tilt, hand, pose.back)
    return found


def _face(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    side = str(rng.choice(SIDES))
    mark, name, landmark, tilt = AT_FACE[int(rng.integers(len(AT_FACE)))]
    tilt = turn(*rng.normal(0, 8, 3)) @ tilt
    if side == "Left":
        tilt, mark = MIRROR @ tilt @ MIRROR, mark.replace("right", "left")
    at = mark_of(model, shape, pose, mark)
    hand = NAMED[name]
    joints = shape.hand[1]
    tip = landmarks_after(joints, bone_turns(joints, hand.angles))[landmark] * (
        [-1, -1, 1] if side == "Right" else [1, -1, 1]
    )
    wrist = at - tilt @ tip + [0, 0, -0.012] + rng.normal(0, 0.006, 3)
    return {side: reach(model, shape, side, wrist, tilt, hand, pose.back)}


def _hips(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    found = {}
    for side in SIDES if rng.random() < 0.6 else (str(rng.choice(SIDES)),):
        out = 1 if side == "Left" else -1
        place = _at(shape, f"upperleg01.{side[0]}") + np.array([out * 0.14, -0.12, -0.02])
        tilt = turn(0, float(out * 90), 0) @ turn(0, 0, float(out * 60))
        found[side] = reach(model, shape, side, place, tilt, NAMED["relaxed"], pose.back, ELBOWS_OUT)
    return found


def _two(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    names = [name for name, row in PAIRS.items() if row.handedness == _BOTH]
    pair = random_pair(float(np.linalg.norm(shape.hand[1][9])), rng, str(rng.choice(names)))
    chest = (_at(shape, "upperarm01.R") + _at(shape, "upperarm01.L")) / 2
    centre = chest + _span(shape) * np.array([rng.normal(0, 0.08), rng.normal(0.25, 0.22), -rng.uniform(0.5, 0.72)])
    arms = {}
    for side, hand, rotation, offset in zip(pair.handedness, pair.poses, pair.rotations, pair.offsets, strict=True):
        arms[side] = reach(model, shape, side, centre + offset, rotation, hand, pose.back)
    return arms


def _hang_both(model: BodyModel, shape: Shape, pose: BodyPose, rng: np.random.Generator) -> dict[str, ArmPose]:
    return {}


ACTIONS: Mapping[str, Callable[[BodyModel, Shape, BodyPose, np.random.Generator], dict[str, ArmPose]]] = {
    **{"gesture": _gesture, "raise": _raise, "face": _face, "two": _two, "hips": _hips, "hang": _hang_both}
}
