"""Hand poses: named gestures, mixtures of them, and random poses.

A pose has no handedness: the same angles give a left and a right hand that are exact mirror images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import ANGLES, AVERAGE_JOINTS, DIGITS, FINGERS, INDEX, clamp
from knuckle.synth.body.kinematics import overlap

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HandPose:
    """(25,) `angles` in radians, in the order of `anatomy.ANGLES`."""

    angles: Floats = field(default_factory=lambda: np.zeros(len(ANGLES), np.float32))

    def mix(self, other: HandPose, share: float) -> HandPose:
        """The pose at `share` (0 to 1) of the way to another pose; angles change linearly."""
        return HandPose(clamp(self.angles * (1 - share) + other.angles * share))

    def replacing(self, **degrees: float) -> HandPose:
        """The same pose with some angles replaced, by name and in degrees.

        Raises:
            InputError: there is no such angle.
        """
        angles = self.angles.copy()
        for name, value in degrees.items():
            if name not in INDEX:
                raise InputError(f"there is no angle {name!r}; expected one of {', '.join(ANGLES)}")
            angles[INDEX[name]] = np.radians(value)
        return HandPose(clamp(angles))


def pose_of(**degrees: float) -> HandPose:
    """A pose from some angles in degrees, by name; the others are zero."""
    return HandPose().replacing(**degrees)


Finger = tuple[float, ...]  # mcp, pip, spread[, dip]; without dip, the end joint bends 2/3 as far as the middle one
PoseRow = tuple[tuple[float, float, float, float, float], Finger, Finger, Finger, Finger]


def _pose_from_table(row: PoseRow) -> HandPose:
    """The pose of a row of the tables below; the palm cups as the ring and little fingers close."""
    thumb, *fingers = row
    angles = dict(zip(ANGLES[:5], thumb, strict=True))
    for name, (mcp, pip, spread, *dip) in zip(FINGERS, fingers, strict=True):
        angles |= {f"{name}_mcp": mcp, f"{name}_pip": pip, f"{name}_spread": spread}
        angles[f"{name}_dip"] = dip[0] if dip else 2 / 3 * pip
    closed = (angles["ring_mcp"] + angles["pinky_mcp"]) / 180
    return pose_of(**angles, cup=12 * max(0.0, closed))


# Thumb: radial, palmar, pronation, mcp, ip. Then index, middle, ring, pinky: mcp, pip, spread[, dip]. Degrees.
# Fingers folded into the palm.
_INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED = (84, 104, -3), (88, 106, 0), (90, 104, -3), (90, 100, -6)
# Fingers straight, side by side.
_INDEX_STRAIGHT, _MIDDLE_STRAIGHT, _RING_STRAIGHT, _PINKY_STRAIGHT = (0, 4, 0), (0, 4, 0), (0, 4, -2), (2, 5, -5)
_OVER = (29, 35, 4, 56, 68)  # the thumb over the folded index and middle fingers
_ON_RING = (14, 45, 1, 58, 64)
_UP = (62, 5, 0, 0, -5)

GESTURES: Mapping[str, PoseRow] = {
    "open": ((45, 20, 0, 8, 5), (3, 5, 8), (3, 5, 1), (3, 5, 6), (3, 5, 16)),
    "wide": ((60, 15, 0, 0, -10), (-5, 2, 20), (-5, 2, 0), (-5, 2, 14), (-5, 2, 30)),
    "flat": ((16, 8, 0, 8, 5), _INDEX_STRAIGHT, _MIDDLE_STRAIGHT, _RING_STRAIGHT, _PINKY_STRAIGHT),
    "relaxed": ((25, 28, 0, 12, 18), (22, 28, 4), (28, 34, 0), (32, 36, 0), (34, 36, 6)),
    "loose": ((30, 25, 0, 10, 15), (10, 15, 4), (14, 20, 0), (18, 22, 0), (20, 24, 8)),
    "claw": ((45, 40, 0, 20, 40), (10, 60, 8), (10, 60, 0), (10, 60, 6), (10, 58, 16)),
    "cupped": ((10, 30, 0, 12, 15), (28, 20, -3), (30, 22, 0), (32, 22, -4), (34, 20, -8)),
    "fist": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "loose_fist": ((15, 42, 0, 25, 30), (60, 85, -2), (66, 88, 0), (70, 86, -3), (70, 82, -5)),
    "thumb_up": (_UP, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "thumb_out": ((45, 20, 0, 5, 5), _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "point": (_OVER, (0, 3, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "gun": (_UP, (2, 3, 0), (4, 6, 0), _RING_FOLDED, _PINKY_FOLDED),
    "two": (_ON_RING, (0, 3, 12), (0, 3, -10), _RING_FOLDED, _PINKY_FOLDED),
    "three": ((-2, 36, -7, 43, 46), (0, 3, 12), (0, 3, 0), (0, 3, 10), (84, 93, -2)),
    "three_thumb": (_UP, (0, 3, 12), (0, 3, -8), _RING_FOLDED, _PINKY_FOLDED),
    "four": ((-12, 22, 0, 30, 35), (0, 3, 10), (0, 3, 0), (0, 3, 7), (0, 3, 16)),
    "six": ((-6, 42, -11, 26, 22), (0, 3, 10), (0, 3, 0), (0, 3, 6), (53, 31, 0)),
    "seven": ((0, 43, 2, 19, 17), (0, 3, 10), (0, 3, 0), (53, 44, 0), (0, 5, 12)),
    "eight": ((8, 40, 7, 18, 20), (0, 3, 10), (54, 52, 0), (0, 5, 4), (0, 5, 14)),
    "ok": ((20, 35, 5, 19, 25), (48, 52, 0), (8, 14, 2), (3, 8, 8), (0, 5, 16)),
    "pinch": ((20, 35, 5, 19, 25), (48, 52, 0), (55, 60, 0), (60, 62, 0), (62, 62, 0)),
    "pinch_open": ((30, 40, 5, 10, 15), (38, 30, 0), (55, 60, 0), (60, 62, 0), (62, 62, 0)),
    "beak": ((8, 47, 7, 19, 21), (66, 30, -3), (67, 36, 0), (68, 32, -3), (74, 30, -2)),
    "horns": (_OVER, (0, 3, 4), _MIDDLE_FOLDED, _RING_FOLDED, (0, 3, 10)),
    "love": ((58, 10, 0, 0, 0), (0, 3, 6), _MIDDLE_FOLDED, _RING_FOLDED, (0, 3, 12)),
    "shaka": ((60, 10, 0, 0, -8), _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, (0, 3, 24)),
    "salute": ((45, 15, 0, 5, 5), (0, 3, 9), (0, 3, 11), (0, 3, 10), (0, 3, 12)),
    "crossed": (_ON_RING, (4, 5, -11), (22, 16, 11), _RING_FOLDED, _PINKY_FOLDED),
    "hook": ((25, 20, 0, 10, 10), (0, 95, 0), (0, 95, 0), (0, 95, -3), (0, 92, -6)),
    "bird": ((10, 42, -9, 38, 47), (66, 98, -3), (0, 3, 0), (78, 95, -2), _PINKY_FOLDED),
    "pinky": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, (0, 5, 8)),
    "ring_only": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, (6, 12, 0), (60, 80, 0)),
    "finger_heart": ((18, 25, -5, 4, 32), (63, 38, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "snap": ((6, 44, 6, 16, 16), (30, 35, 6), (61, 44, 0), (75, 80, 0), (75, 82, 0)),
    "beckon": ((15, 40, 0, 25, 30), (8, 80, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "tabletop": ((16, 20, 0, 5, 5), (80, 3, -2), (82, 3, 0), (82, 3, -3), (82, 5, -6)),
    "piano": ((35, 35, 0, 8, 18), (25, 40, 4), (28, 44, 0), (28, 42, 3), (26, 36, 10)),
    "mouse": ((28, 30, 0, 8, 12), (22, 20, 3), (22, 20, 0), (28, 32, 2), (30, 34, 8)),
    "stop": ((30, 12, 0, 5, 0), (-12, 0, 2), (-14, 0, 0), (-12, 0, 0), (-10, 0, 2)),
}

ASL: Mapping[str, PoseRow] = {
    "A": ((13, 22, 1, 5, 10), _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "B": ((-14, 20, 0, 30, 40), _INDEX_STRAIGHT, _MIDDLE_STRAIGHT, _RING_STRAIGHT, _PINKY_STRAIGHT),
    "C": ((30, 52, 5, 12, 25), (38, 45, -2), (40, 46, 0), (42, 46, -4), (44, 44, -9)),
    "D": ((6, 46, 6, 14, 18), (0, 4, 0), (63, 41, 0), (61, 37, -3), (66, 50, -4)),
    "E": ((18, 31, -6, 45, 62), (38, 104, -3, 60), (40, 104, 0, 60), (42, 103, -3, 60), (42, 99, -6, 58)),
    "F": ((20, 35, 5, 19, 25), (48, 52, 0), (4, 6, 4), (0, 4, 8), (0, 4, 16)),
    "G": ((26, 30, 0, 0, 8), (42, 6, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "H": (_ON_RING, (3, 4, -2), (3, 4, 0), _RING_FOLDED, _PINKY_FOLDED),
    "I": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, (0, 4, 2)),
    "J": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, (4, 8, 6)),
    "K": ((18, 4, -15, 27, 29), (0, 4, 6), (38, 6, -4), _RING_FOLDED, _PINKY_FOLDED),
    "L": ((62, 8, 0, 0, -5), (0, 3, 3), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "M": ((4, 23, -3, 23, 25), (62, 66, -3), (51, 57, 0), (46, 51, -3), (80, 95, -2)),
    "N": ((10, 23, -6, 20, 24), (43, 56, -3), (53, 56, 0), (84, 98, -2), _PINKY_FOLDED),
    "O": ((5, 46, 4, 13, 13), (73, 19, -3), (64, 35, 0), (60, 44, -3), (66, 44, -4)),
    "P": ((18, 4, -15, 27, 29), (4, 6, 6), (44, 10, -4), _RING_FOLDED, _PINKY_FOLDED),
    "Q": ((24, 36, 0, 0, 8), (48, 8, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "R": (_ON_RING, (4, 5, -11), (22, 16, 11), _RING_FOLDED, _PINKY_FOLDED),
    "S": (_OVER, _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "T": ((3, 19, -2, 13, 29), (60, 79, 5), (80, 98, -1), _RING_FOLDED, _PINKY_FOLDED),
    "U": (_ON_RING, (0, 3, -4), (0, 3, 1), _RING_FOLDED, _PINKY_FOLDED),
    "V": (_ON_RING, (0, 3, 13), (0, 3, -11), _RING_FOLDED, _PINKY_FOLDED),
    "W": ((-7, 28, -4, 29, 35), (0, 3, 13), (0, 3, 0), (2, 5, 11), (72, 69, 0)),
    "X": (_OVER, (12, 88, 0, 40), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
    "Y": ((60, 10, 0, 0, -8), _INDEX_FOLDED, _MIDDLE_FOLDED, _RING_FOLDED, (0, 3, 26)),
    "Z": (_OVER, (2, 4, 0), _MIDDLE_FOLDED, _RING_FOLDED, _PINKY_FOLDED),
}

NAMED: Mapping[str, HandPose] = {
    **{name: _pose_from_table(row) for name, row in GESTURES.items()},
    **{f"asl_{letter}": _pose_from_table(row) for letter, row in ASL.items()},
}
OPEN = NAMED["open"]

TOUCH_M = 0.006  # flesh gives way by about this much; random poses with a larger overlap are discarded
_COLUMNS = {digit: [k for k, name in enumerate(ANGLES) if name.startswith(digit)] for digit in DIGITS}
_WRIST = [INDEX[name] for name in ("wrist_flexion", "wrist_radial", "forearm_twist")]
# Fingers do not move alone. Row: the finger that follows; column: the finger that bends by 1 (Hager-Ross & Schieber,
# J. Neurosci. 20, 2000). The ring finger is the least independent, the index finger the most.
_COUPLING = np.array([[1, 0.10, 0.03, 0.01], [0.12, 1, 0.22, 0.06], [0.04, 0.28, 1, 0.30], [0.01, 0.06, 0.30, 1]])


def random_pose(rng: np.random.Generator, wrist: bool = True, among: Sequence[str] = ()) -> tuple[str, HandPose]:
    """A random pose in which no two digits run into each other, and the name of what it came from.

    Half are named poses, held a little differently. The others lie between two named poses ("mixed"), take each
    finger from another named pose ("each"), or are free within the joints' limits ("free"). A pose that runs into
    itself is drawn again; after the twelfth attempt the result is "relaxed".

    Args:
        wrist: also draw the angles of the wrist.
        among: draw only from these, names of `NAMED` and `FAMILIES`.
    """
    for _ in range(12):
        name, angles = _variant_of(str(rng.choice(among)), rng) if among else _random_angles(rng)
        angles = angles + np.radians(rng.normal(0, 3.5, len(ANGLES)))
        if wrist:
            angles[_WRIST] = np.radians(rng.normal(0, (20, 8, 25)))
        pose = HandPose(clamp(angles))
        if overlap(AVERAGE_JOINTS, pose.angles) < TOUCH_M:
            return name, pose
    return "relaxed", NAMED["relaxed"]


def _variant_of(name: str, rng: np.random.Generator) -> tuple[str, Floats]:
    """A member of a family, or a named pose that is a little more relaxed."""
    if name in FAMILIES:
        return name, FAMILIES[name](rng)
    return name, NAMED[name].mix(NAMED["relaxed"], max(0.0, float(rng.normal(0, 0.12)))).angles.copy()


def _random_angles(rng: np.random.Generator) -> tuple[str, Floats]:
    names = list(NAMED)
    first, second = (NAMED[names[k]].angles for k in rng.integers(len(names), size=2))
    kind = rng.choice(4, p=[0.5, 0.2, 0.12, 0.18])
    if kind == 0:
        return _variant_of(str(rng.choice(names)), rng)
    if kind == 1:
        return "mixed", np.asarray(first + (second - first) * rng.uniform(0.2, 0.8), np.float32)
    if kind == 2:
        angles = np.zeros(len(ANGLES), np.float32)
        for digit in DIGITS:
            angles[_COLUMNS[digit]] = NAMED[str(rng.choice(names))].angles[_COLUMNS[digit]]
        return "each", angles
    return "free", free_angles(rng)


def free_angles(rng: np.random.Generator) -> Floats:
    """(25,) angles: each finger bends by its own amount and moves its neighbours; the thumb goes anywhere."""
    closed = np.clip(_COUPLING @ rng.beta(0.7, 0.9, 4) / _COUPLING.sum(axis=1) * 1.15, 0, 1)
    angles = np.zeros(len(ANGLES))
    for finger, share in zip(FINGERS, closed, strict=True):
        lean = rng.normal(0, 0.15)  # positive bends more at the knuckle, negative more at the middle joint
        angles[INDEX[f"{finger}_mcp"]] = np.radians(-8 + 95 * share * (1 + lean))
        angles[INDEX[f"{finger}_pip"]] = np.radians(108 * share * (1 - lean))
        angles[INDEX[f"{finger}_dip"]] = angles[INDEX[f"{finger}_pip"]] * rng.normal(2 / 3, 0.12)
        angles[INDEX[f"{finger}_spread"]] = np.radians(rng.normal(4, 7))
    low, high = np.radians([(-15, 5, -15, -5, -10), (60, 55, 20, 50, 70)])
    angles[:5] = rng.uniform(low, high)
    angles[INDEX["cup"]] = np.radians(12) * max(0.0, closed[2] + closed[3] - 1)
    return np.asarray(angles, np.float32)


def pinching(rng: np.random.Generator) -> Floats:
    """(25,) angles of pointing, pinching and zooming: thumb and index finger anywhere from far apart to touching.

    The other fingers are closed, loosely or firmly.
    """
    share = rng.dirichlet(np.full(len(_PINCHING), 0.5))
    angles = sum(part * NAMED[name].angles for part, name in zip(share, _PINCHING, strict=True))
    angles = np.asarray(angles, np.float32)
    closed = float(rng.beta(2, 1))
    for finger in FINGERS[1:]:
        own = np.clip(closed + rng.normal(0, 0.1), 0, 1)
        angles[INDEX[f"{finger}_mcp"]] = np.radians(15 + 75 * own)
        angles[INDEX[f"{finger}_pip"]] = np.radians(25 + 80 * own)
        angles[INDEX[f"{finger}_dip"]] = angles[INDEX[f"{finger}_pip"]] * rng.normal(2 / 3, 0.1)
    mcp, pip = rng.uniform(-5, 55), rng.uniform(0, 75)
    angles[INDEX["index_mcp"]], angles[INDEX["index_pip"]] = np.radians([mcp, pip])
    angles[INDEX["index_dip"]] = np.radians(pip * rng.normal(2 / 3, 0.15))
    return angles


_PINCHING = ("asl_L", "asl_G", "asl_Q", "gun", "pinch", "pinch_open")
FAMILIES: Mapping[str, Callable[[np.random.Generator], Floats]] = {"free": free_angles, "pinching": pinching}


def eased(share: float) -> float:
    """Minimum-jerk time course from 0 to 1 (Flash & Hogan, J. Neurosci. 5, 1985), as human hands move."""
    t = min(max(share, 0.0), 1.0)
    return t * t * t * (10 + t * (6 * t - 15))
