"""Two hands together: they touch, cross, clasp or shake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import FINGERS, Doubles
from knuckle.synth.body.hand_poses import NAMED, HandPose, pose_of

MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Pair:
    """Two hands in one space.

    A rotation (3, 3) and an offset (3,) in metres move each hand from its neutral position: palm to the camera,
    fingers up, wrist at the origin.

    Attributes:
        name: a key of `PAIRS`.
        handedness: "Left" or "Right" of each; a handshake has two right hands.
    """

    name: str
    handedness: tuple[str, str]
    poses: tuple[HandPose, HandPose]
    rotations: tuple[Doubles, Doubles]
    offsets: tuple[Doubles, Doubles]


def turn(pitch: float, yaw: float, roll: float) -> Doubles:
    """(3, 3) rotation about the fixed axes x, then y, then z. Degrees.

    Yaw -90 turns a right palm towards the left hand, roll 90 lays the hand down.
    """
    return np.asarray(Rotation.from_euler("xyz", [pitch, yaw, roll], degrees=True).as_matrix(), np.float64)


Placement = tuple[Doubles, tuple[float, float, float]]  # rotation, and offset in palm lengths


@dataclass(frozen=True, eq=False)
class PairTemplate:
    """Poses and placements of two hands. Without `second`, the other hand mirrors the placement of the first."""

    poses: tuple[HandPose, HandPose]
    first: Placement
    second: Placement | None = None
    handedness: tuple[str, str] = ("Right", "Left")


_LACED = pose_of(
    **{f"{finger}_mcp": 52 for finger in FINGERS},
    **{f"{finger}_pip": 50 for finger in FINGERS},
    **{f"{finger}_dip": 25 for finger in FINGERS},
    **{"index_spread": 8, "middle_spread": 1, "ring_spread": 5, "pinky_spread": 8},
    **{"thumb_radial": 22, "thumb_palmar": 30, "thumb_mcp": 20, "thumb_ip": 20},
)
_SHAKE = pose_of(
    **{"index_mcp": 22, "middle_mcp": 26, "ring_mcp": 30, "pinky_mcp": 32},
    **{"index_pip": 28, "middle_pip": 32, "ring_pip": 36, "pinky_pip": 38},
    **{f"{finger}_dip": 16 for finger in FINGERS},
    **{"thumb_radial": 42, "thumb_palmar": 22, "thumb_mcp": 12, "thumb_ip": 18},
)
_FLAT, _OPEN, _CUPPED, _RELAXED = (NAMED[name] for name in ("flat", "open", "cupped", "relaxed"))
_TWO_RIGHT = ("Right", "Right")
PAIRS: Mapping[str, PairTemplate] = {
    "prayer": PairTemplate((_FLAT, _FLAT), (turn(0, -90, 0), (-0.17, 0, 0))),
    "clap": PairTemplate((_OPEN, _OPEN), (turn(0, -80, 12), (-0.75, 0, 0))),
    "clasp": PairTemplate((_LACED, _LACED), (turn(0, -90, 30), (-0.66, 0, 0.10)), (turn(0, 90, -30), (0.66, 0, -0.12))),
    "steeple": PairTemplate((NAMED["loose"], NAMED["loose"]), (turn(0, -90, 24), (-0.98, 0, 0))),
    "fist_in_palm": PairTemplate(
        (NAMED["fist"], _CUPPED), (turn(0, -60, 55), (-0.95, 0.2, 0)), (turn(0, 75, -12), (0.30, 0.45, 0))
    ),
    "crossed": PairTemplate((_OPEN, _OPEN), (turn(0, 0, 42), (-0.55, 0, -0.18)), (turn(0, 0, -42), (0.55, 0, 0.22))),
    "folded": PairTemplate(
        (_RELAXED, _RELAXED), (turn(0, 180, 72), (-1.0, 0, -0.25)), (turn(0, 180, -72), (1.0, 0.1, 0.15))
    ),
    "on_back": PairTemplate(
        (_FLAT, _CUPPED), (turn(0, 180, 60), (-0.8, 0, 0)), (turn(0, 180, -70), (0.95, -0.1, -0.3))
    ),
    # Palms up, little fingers side by side, fingers to the camera.
    "bowl": PairTemplate((_CUPPED, _CUPPED), (turn(90, 0, 0) @ turn(0, 180, 0), (-0.48, 0, 0))),
    "tips": PairTemplate((NAMED["point"], NAMED["point"]), (turn(0, -60, 90), (-1.98, 0, 0))),
    "side_by_side": PairTemplate((_OPEN, _OPEN), (turn(0, 0, -4), (-0.75, 0, 0))),
    "high_five": PairTemplate(
        (_FLAT, _OPEN), (turn(0, -90, 0), (-0.16, 0, 0)), (turn(0, 90, 0), (0.16, 0, 0)), _TWO_RIGHT
    ),
    "shake": PairTemplate(
        (_SHAKE, _SHAKE),
        (turn(0, 0, -90), (0.95, 0, 0.14)),
        (turn(0, 180, 0) @ turn(0, 0, -90), (-0.95, 0, -0.14)),
        _TWO_RIGHT,
    ),
}


def random_pair(palm_m: float, rng: np.random.Generator, name: str | None = None) -> Pair:
    """Two hands together, a little different each time.

    Args:
        palm_m: distance from the wrist to the middle finger's MCP, metres.
        name: a key of `PAIRS`; drawn if None.

    Raises:
        InputError: there is no pair with this name.
    """
    name = str(rng.choice(list(PAIRS))) if name is None else name
    if name not in PAIRS:
        raise InputError(f"there is no pair called {name!r}; expected one of {', '.join(PAIRS)}")
    template = PAIRS[name]
    first, first_offset = template.first
    if template.second:
        second, second_offset = template.second
    else:
        second, second_offset = MIRROR @ first @ MIRROR, (-first_offset[0], *first_offset[1:])
    wobble = [turn(*rng.normal(0, 4, 3)) for _ in range(2)]
    poses = [_varied(pose, rng) for pose in template.poses]
    whole = turn(float(rng.normal(0, 12)), float(rng.normal(0, 25)), float(rng.normal(0, 15)))
    offsets = [
        whole @ (palm_m * (np.array(offset) + rng.normal(0, 0.02, 3))) for offset in (first_offset, second_offset)
    ]
    return Pair(
        name,
        template.handedness,
        (poses[0], poses[1]),
        (whole @ wobble[0] @ first, whole @ wobble[1] @ second),
        (offsets[0], offsets[1]),
    )


def _varied(pose: HandPose, rng: np.random.Generator) -> HandPose:
    """The pose, a little more relaxed and with another bend of the wrist."""
    return pose.mix(NAMED["relaxed"], float(abs(rng.normal(0, 0.08)))).replacing(
        wrist_flexion=float(rng.normal(-10, 15)),
        wrist_radial=float(rng.normal(0, 8)),
        forearm_twist=float(rng.normal(0, 20)),
    )
