"""What a hand can do: joint centres, angles, limits, couplings, and the bones' rotations for a pose.

The frame of this module is the right hand's own: x ulnar (towards the little finger), y distal (towards the
finger tips), z dorsal, metres, origin at the wrist landmark. Angles are radians; flexion bends towards the palm,
abduction of a finger leads away from the middle finger (of the middle finger: to the thumb's side).

Sources:
    [1] Buryanov & Kotiuk, Proportions of Hand Segments, Int. J. Morphol. 28(3), 2010: lengths of the bones.
    [2] Lin, Wu & Huang, Modeling the Constraints of Human Hand Motion, HUMO 2000: ranges; DIP = 2/3 PIP.
    [3] Kapandji, The Physiology of the Joints, vol. 1: extension at the MCP, the oblique closing of the fingers
        towards the scaphoid, cupping of the ring and little metacarpals, the thumb's saddle joint.
    [4] Cobos, Ferre, Sanchez-Uran, Ortego & Pena, Efficient Human Hand Kinematics for Manipulation Tasks,
        IROS 2008: MCP abduction shrinks with flexion; coupling between neighbouring fingers.
    [5] Boone & Azen, Normal range of motion of joints in male subjects, J. Bone Joint Surg. 61-A, 1979: wrist.
    [6] Li & Tang, Coordination of thumb joints during opposition, J. Biomech. 40, 2007: the thumb's pronation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

DIGITS = ("thumb", "index", "middle", "ring", "pinky")
FINGERS = DIGITS[1:]

# Degrees, (least, most). Active ranges of [2] and [3]; passive extension is left out.
LIMITS_DEG: Mapping[str, tuple[float, float]] = {
    "thumb_radial": (-25, 65),  # the metacarpal in the palm's plane; 0 is along the hand, negative crosses the palm
    "thumb_palmar": (-10, 65),  # the metacarpal out of the palm's plane
    "thumb_pronation": (-30, 50),
    "thumb_mcp": (-10, 60),
    "thumb_ip": (-20, 85),
    **{
        f"{finger}_{joint}": limits
        for finger, spread in zip(FINGERS, ((-12, 25), (-15, 15), (-12, 22), (-14, 35)), strict=True)
        for joint, limits in (("mcp", (-25, 95)), ("spread", spread), ("pip", (-5, 112)), ("dip", (-12, 85)))
    },
    "cup": (0, 25),  # the little finger's metacarpal; the ring finger's moves half as much [3]
    "wrist_flexion": (-70, 75),  # [5]; negative is extension
    "wrist_radial": (-35, 21),  # [5]; negative is ulnar deviation
    "forearm_twist": (-60, 60),  # the hand against the elbow: skin twists along the forearm
}
ANGLES = tuple(LIMITS_DEG)
INDEX: Mapping[str, int] = {name: k for k, name in enumerate(ANGLES)}
LOW, HIGH = (np.radians(np.array([LIMITS_DEG[name][k] for name in ANGLES])) for k in (0, 1))

TIP = 0.80  # of the way from the end joint to the end of the finger: the middle of the pad
# The 21 landmarks: each a fixed mixture of the mesh's own joints and finger ends, so that it follows every body
# shape. The mesh's knuckles lie in the webs; [1] gives PP : MP : DP, which puts them 8 to 18 mm back.
# To correct the convention, change this table alone. The thumb's CMC is not at the joint but where annotators see
# the base of the thumb (measured against the reference network: 11 mm along the metacarpal).
LANDMARKS: tuple[Mapping[str, float], ...] = (
    {"wrist": 0.93, "finger3-1": 0.07},
    {"wrist": 0.44, "finger1-2": 0.56},
    {"finger1-2": 0.82, "finger1-3": 0.18},
    {"finger1-3": 1.0},
    {"finger1-3": 1 - TIP, "finger1-end": TIP},
    {"finger2-1": 0.80, "metacarpal1": 0.20},
    {"finger2-2": 1.0},
    {"finger2-3": 1.0},
    {"finger2-3": 1 - TIP, "finger2-end": TIP},
    {"finger3-1": 0.82, "metacarpal2": 0.18},
    {"finger3-2": 1.0},
    {"finger3-3": 1.0},
    {"finger3-3": 1 - TIP, "finger3-end": TIP},
    {"finger4-1": 0.83, "metacarpal3": 0.17},
    {"finger4-2": 1.0},
    {"finger4-3": 1.0},
    {"finger4-3": 1 - TIP, "finger4-end": TIP},
    {"finger5-1": 0.875, "metacarpal4": 0.125},
    {"finger5-2": 1.0},
    {"finger5-3": 1.0},
    {"finger5-3": 1 - TIP, "finger5-end": TIP},
)
# Where bones turn and no landmark is: the wrist's centre, the bases of the metacarpals, the elbow.
PIVOTS: Mapping[str, Mapping[str, float]] = {
    "wrist": {"wrist": 1.0},
    "thumb_base": {"wrist": 0.57, "finger1-2": 0.43},
    "index_base": {"wrist": 0.4, "metacarpal1": 0.6},
    "middle_base": {"wrist": 0.4, "metacarpal2": 0.6},
    "ring_base": {"wrist": 0.4, "metacarpal3": 0.6},
    "pinky_base": {"wrist": 0.35, "metacarpal4": 0.55, "finger5-1": 0.1},
    "elbow": {"lowerarm01": 1.0},
}
PIVOT_INDEX: Mapping[str, int] = {name: 21 + k for k, name in enumerate(PIVOTS)}
HAND_BONES = (
    "forearm",
    "hand",
    "thumb_mc",
    "thumb_pp",
    "thumb_dp",
    *(f"{finger}_{bone}" for finger in FINGERS for bone in ("mc", "pp", "mp", "dp")),
    "elbow",  # the forearm's far end, which the skin between twists against
)
BONE: Mapping[str, int] = {name: k for k, name in enumerate(HAND_BONES)}
# Which way the nails look in the mesh's rest pose (the thin axis of the end phalanx), hand frame.
REST_DORSAL: Mapping[str, tuple[float, float, float]] = {
    "thumb": (-0.95, -0.24, 0.2),
    "index": (-0.38, 0.43, 0.82),
    "middle": (-0.14, 0.45, 0.88),
    "ring": (0.08, 0.43, 0.90),
    "pinky": (0.16, 0.5, 0.85),
}
# Roll of each finger's flexion axis: flexed fingers close obliquely towards the scaphoid [3]. Degrees.
CLOSING_DEG: Mapping[str, float] = {"index": -8.0, "middle": -2.0, "ring": 5.0, "pinky": 12.0}


# A grown person's joints at rest (landmarks, then pivots), millimetres: for what must hold without a body at hand.
AVERAGE_MM = (
    *((0, 0, 0), (-27, 23, -15), (-52, 53, -31), (-69, 76, -47), (-77, 96, -60)),
    *((-23, 92, -4), (-32, 136, -12), (-34, 158, -23), (-37, 179, -35)),
    *((0, 93, 0), (6, 142, -11), (8, 170, -24), (10, 190, -33)),
    *((22, 89, 0), (33, 130, -8), (39, 155, -19), (45, 176, -29)),
    *((40, 82, -4), (53, 109, -12), (58, 123, -21), (65, 137, -30)),
    *((0, -8, 0), (-21, 16, -12), (-2, 14, -2), (-2, 14, -2), (12, 17, -2), (16, 25, -3), (-28, -264, -17)),
)
AVERAGE_JOINTS = np.array(AVERAGE_MM, np.float64) / 1000
# Half the thickness of each bone with its flesh, where it stands free; fractions of the palm's length (wrist to MCP).
THICKNESS: Mapping[str, float] = {"mc": 0.105, "pp": 0.100, "mp": 0.090, "dp": 0.070}
SLENDER: Mapping[str, float] = {"thumb": 1.12, "pinky": 0.86}


def clamp(angles: npt.ArrayLike) -> Floats:
    """(…, 26) angles moved into the joints' ranges, with what ties the joints together.

    Abduction at the MCP shrinks to nothing at 90° of flexion [4]; the end joint follows 2/3 of the middle one [2],
    give or take what a table top (30° more) or a hook (40° less) can force on it.
    """
    values = np.clip(np.asarray(angles, np.float64), LOW, HIGH)
    for finger in FINGERS:
        mcp, spread, pip, dip = (values[..., INDEX[f"{finger}_{joint}"]] for joint in ("mcp", "spread", "pip", "dip"))
        free = np.clip(1 - mcp / np.radians(90), 0.15, 1.0)
        spread[...] = np.clip(spread, LOW[INDEX[f"{finger}_spread"]] * free, HIGH[INDEX[f"{finger}_spread"]] * free)
        tied = 2 / 3 * np.maximum(pip, 0)
        dip[...] = np.clip(dip, tied - np.radians(40), tied + np.radians(30))
    return np.asarray(np.clip(values, LOW, HIGH), np.float32)


def joints_of(points: Mapping[str, npt.ArrayLike]) -> Doubles:
    """(21 landmarks + pivots, 3) of the right hand in its own frame, from the mesh's named joints anywhere."""
    mixtures = (*LANDMARKS, *PIVOTS.values())
    turn, origin = hand_frame(points)
    return np.asarray((np.array([_mixed(points, mixture) for mixture in mixtures]) - origin) @ turn.T)


def hand_frame(points: Mapping[str, npt.ArrayLike]) -> tuple[Doubles, Doubles]:
    """Rotation (3, 3) and origin (3,) with `hand = (point - origin) @ rotation.T`."""
    wrist, index, middle, pinky = (_mixed(points, LANDMARKS[k]) for k in (0, 5, 9, 17))
    distal = unit(middle - wrist)
    ulnar = unit(across(pinky - index, distal))
    return np.stack([ulnar, distal, cross(ulnar, distal)]), wrist


def _mixed(points: Mapping[str, npt.ArrayLike], mixture: Mapping[str, float]) -> Doubles:
    return np.asarray(np.sum([weight * np.asarray(points[name]) for name, weight in mixture.items()], axis=0))


def bone_turns(joints: Doubles, angles: npt.ArrayLike) -> Doubles:
    """(21 bones, 3, 4): where each bone's skin goes from the rest pose, hand frame; the palm stays where it is.

    joints: (28, 3) at rest, from `joints_of`; angles: (26,) as in `ANGLES`.
    """
    a = np.asarray(angles, np.float64)
    turns = np.zeros((len(HAND_BONES), 3, 4))
    turns[:, :, :3] = np.eye(3)
    turns[BONE["forearm"]] = turns[BONE["elbow"]] = _about(wrist_turn(joints, a).T, joints[PIVOT_INDEX["wrist"]])
    along = unit(joints[PIVOT_INDEX["elbow"]] - joints[PIVOT_INDEX["wrist"]])
    turns[BONE["elbow"], :, :3] = turns[BONE["forearm"], :, :3] @ rotation_about(along, a[INDEX["forearm_twist"]])
    turns[BONE["elbow"], :, 3] += (turns[BONE["forearm"], :, :3] - turns[BONE["elbow"], :, :3]) @ joints[
        PIVOT_INDEX["wrist"]
    ]
    _turn_thumb(turns, joints, a)
    for digit, finger in enumerate(FINGERS, 1):
        _turn_finger(turns, joints, a, digit, finger)
    return turns


def landmarks_after(joints: Doubles, turns: Doubles) -> Doubles:
    """(21, 3) landmarks of a pose, hand frame."""
    carrier = [BONE["hand"], BONE["thumb_mc"], BONE["thumb_mc"], BONE["thumb_pp"], BONE["thumb_dp"]]
    for finger in FINGERS:
        carrier += [BONE[f"{finger}_{bone}"] for bone in ("mc", "pp", "mp", "dp")]
    chosen = turns[carrier]
    return np.asarray(np.einsum("kij,kj->ki", chosen[:, :, :3], joints[:21]) + chosen[:, :, 3])


def capsules(joints: Doubles, turns: Doubles) -> tuple[Doubles, Doubles, tuple[str, ...]]:
    """(19, 2, 3) ends and (19,) radii of the digits' bones as round bars, and their names."""
    landmarks = landmarks_after(joints, turns)
    ends, radii, names = [], [], []
    palm = np.linalg.norm(joints[9])
    for digit, name in enumerate(DIGITS):
        chain = landmarks[1 + 4 * digit : 5 + 4 * digit]
        bones = ("mc", "pp", "dp") if name == "thumb" else ("mc", "pp", "mp", "dp")
        base = joints[PIVOT_INDEX[f"{name}_base"]][None]
        chain = np.concatenate([base, chain[name == "thumb" :]])
        for bone, start, end in zip(bones, chain[:-1], chain[1:], strict=True):
            ends.append((start, end))
            radii.append(THICKNESS[bone] * SLENDER.get(name, 1.0) * palm)
            names.append(f"{name}_{bone}")
    return np.array(ends), np.array(radii), tuple(names)


def overlap(joints: Doubles, angles: npt.ArrayLike) -> float:
    """Metres by which the flesh of two digits, or of a digit and the palm, would run into each other at most.

    Soft tissue gives way by some millimetres: a tight fist reads about 6 mm here.
    """
    ends, radii, names = capsules(joints, bone_turns(joints, angles))
    along = np.linspace(0, 1, 7)[:, None]
    points = ends[:, None, 0] + along * (ends[:, 1] - ends[:, 0])[:, None]
    flat = points.reshape(-1, 3)
    apart = np.sqrt(np.maximum(((flat[:, None] - flat[None]) ** 2).sum(axis=2), 0))
    apart = apart.reshape(len(names), 7, len(names), 7).min(axis=(1, 3))
    depth = radii[:, None] + radii[None] - apart
    return float((depth * _may_not_meet(names)).max())


@lru_cache(maxsize=1)
def _may_not_meet(names: tuple[str, ...]) -> Doubles:
    """(19, 19) of 0 and 1: bones of different digits, where both are not rooted side by side in the palm."""
    rooted = ("mc", "pp")
    pairs = [[a[:-3] != b[:-3] and not (a[-2:] in rooted and b[-2:] in rooted) for b in names] for a in names]
    free = np.array(pairs, np.float64)
    for k, name in enumerate(names):  # the thumb's first phalanx may run into the palm and the fingers
        if name == "thumb_pp":
            others = [j for j, other in enumerate(names) if other[:-3] != "thumb" and other != "index_mc"]
            free[k, others] = free[others, k] = 1
    return free


def _turn_finger(turns: Doubles, joints: Doubles, a: Doubles, digit: int, finger: str) -> None:
    first = 1 + 4 * digit
    mcp, pip, dip, tip = joints[first : first + 4]
    cup = a[INDEX["cup"]] * {"pinky": 1.0, "ring": 0.5}.get(finger, 0.0)
    base = joints[PIVOT_INDEX[f"{finger}_base"]]
    metacarpal = rotation_x(-cup)
    carried = BONE[f"{finger}_mc"]
    turns[carried] = _about(metacarpal, base)
    spread = a[INDEX[f"{finger}_spread"]] * (1 if finger in ("index", "middle") else -1)
    roll = rotation_y(np.radians(CLOSING_DEG[finger]))
    frame = metacarpal @ roll @ rotation_x(-a[INDEX[f"{finger}_mcp"]]) @ rotation_z(spread)
    place = turns[carried] @ [*mcp, 1]
    bones = (
        (mcp, pip, "pp", 0.0),
        (pip, dip, "mp", a[INDEX[f"{finger}_pip"]]),
        (dip, tip, "dp", a[INDEX[f"{finger}_dip"]]),
    )
    for start, end, bone, flexion in bones:
        frame = frame @ rotation_x(-flexion)
        turn = frame @ bone_frame(end - start, REST_DORSAL[finger]).T
        turns[BONE[f"{finger}_{bone}"]] = _about(turn, start, place)
        place = place + turn @ (end - start)


def _turn_thumb(turns: Doubles, joints: Doubles, a: Doubles) -> None:
    cmc, (mcp, ip, tip) = joints[PIVOT_INDEX["thumb_base"]], joints[2:5]
    radial, palmar, pronation, mcp_flexion, ip_flexion = a[:5]
    rest = bone_frame(mcp - cmc, REST_DORSAL["thumb"])
    aim = np.array([-np.sin(radial) * np.cos(palmar), np.cos(radial) * np.cos(palmar), -np.sin(palmar)])
    # The shortest turn from rest to the aim keeps the nail's side; opposition adds pronation about the bone [6].
    frame = shortest(rest[:, 1], aim) @ rest @ rotation_y(pronation)
    place = cmc
    for start, end, bone, flexion in ((cmc, mcp, "mc", 0.0), (mcp, ip, "pp", mcp_flexion), (ip, tip, "dp", ip_flexion)):
        frame = frame @ rotation_x(-flexion)
        turn = frame @ bone_frame(end - start, REST_DORSAL["thumb"]).T
        turns[BONE[f"thumb_{bone}"]] = _about(turn, start, place)
        place = place + turn @ (end - start)


def wrist_turn(joints: Doubles, angles: npt.ArrayLike) -> Doubles:
    """(3, 3) how the hand is turned against its forearm, from the rest pose, hand frame."""
    a = np.asarray(angles, np.float64)
    along = unit(joints[PIVOT_INDEX["wrist"]] - joints[PIVOT_INDEX["elbow"]])
    bend = rotation_x(a[INDEX["wrist_flexion"]]) @ rotation_z(-a[INDEX["wrist_radial"]])
    return np.asarray((bend @ shortest(along, np.array([0.0, 1.0, 0.0]))).T)


def _about(turn: Doubles, start: Doubles, place: Doubles | None = None) -> Doubles:
    """(3, 4): turned about `start`, which lands on `place` or stays."""
    place = start if place is None else place
    return np.concatenate([turn, (place - turn @ start)[:, None]], axis=1)


def bone_frame(along: Doubles, dorsal: npt.ArrayLike) -> Doubles:
    """Columns lateral, along, dorsal: a bone's own axes."""
    distal = unit(along)
    back = unit(across(np.asarray(dorsal, np.float64), distal))
    return np.stack([cross(distal, back), distal, back], axis=1)


def unit(v: Doubles) -> Doubles:
    return np.asarray(v / math.sqrt(float(v @ v)))


def cross(a: Doubles, b: Doubles) -> Doubles:
    """For single vectors a tenth of the cost of numpy's."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def across(v: Doubles, axis: Doubles) -> Doubles:
    """The part of v at right angles to a unit axis."""
    return np.asarray(v - axis * (v @ axis))


def shortest(start: Doubles, end: Doubles) -> Doubles:
    """The smallest rotation that takes one unit vector to another (Rodrigues)."""
    axis, cosine = cross(start, end), float(start @ end)
    turning = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + turning + turning @ turning / (1 + cosine))


def rotation_about(axis: Doubles, angle: float) -> Doubles:
    """(3, 3) rotation about a unit axis (Rodrigues)."""
    turning = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * turning + (1 - math.cos(angle)) * turning @ turning)


def rotation_x(angle: float) -> Doubles:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(angle: float) -> Doubles:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotation_z(angle: float) -> Doubles:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
