"""The anatomy of a hand: its bones and joint centres, the angles of its joints, their limits and couplings.

Space: the right hand's own frame. x is ulnar (towards the little finger), y distal (towards the finger tips),
z dorsal (out of the back of the hand); metres; the origin is the wrist landmark. Angles are radians. Flexion bends
towards the palm. Abduction moves a finger away from the middle finger, and the middle finger towards the thumb.

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

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

DIGITS = ("thumb", "index", "middle", "ring", "pinky")
FINGERS = DIGITS[1:]

# Degrees, (lowest, highest). Active ranges of [2] and [3], without passive extension.
LIMITS_DEG: Mapping[str, tuple[float, float]] = {
    "thumb_radial": (-25, 65),  # metacarpal, in the plane of the palm; 0 is along the hand, negative crosses the palm
    "thumb_palmar": (-10, 65),  # metacarpal, out of the plane of the palm
    "thumb_pronation": (-30, 50),
    "thumb_mcp": (-10, 60),
    "thumb_ip": (-20, 85),
    **{
        f"{finger}_{joint}": limits
        for finger, spread in zip(FINGERS, ((-12, 25), (-15, 15), (-12, 22), (-14, 35)), strict=True)
        for joint, limits in (("mcp", (-25, 95)), ("spread", spread), ("pip", (-5, 112)), ("dip", (-12, 85)))
    },
    "cup": (0, 25),  # flexion of the little finger's metacarpal; the ring finger's moves half as much [3]
    "wrist_flexion": (-70, 75),  # [5]; negative is extension
    "wrist_radial": (-35, 21),  # [5]; negative is ulnar deviation
    "forearm_twist": (-60, 60),  # rotation of the hand relative to the elbow; the skin twists along the forearm
}
ANGLES = tuple(LIMITS_DEG)
INDEX: Mapping[str, int] = {name: k for k, name in enumerate(ANGLES)}
# Columns of the same joint of all four fingers.
MCP, SPREAD, PIP, DIP = (
    [INDEX[f"{finger}_{joint}"] for finger in FINGERS] for joint in ("mcp", "spread", "pip", "dip")
)
LOW, HIGH = (np.radians(np.array([LIMITS_DEG[name][k] for name in ANGLES])) for k in (0, 1))

TIP = 0.80  # the tip landmark lies this far from the end joint to the end of the finger: in the middle of the pad
# The 21 landmarks. Each is a fixed mixture of the mesh's joints and finger ends, so it follows every body shape.
# The mesh's knuckles lie in the webs between the fingers; the lengths in [1] put them 8 to 18 mm further back.
# The thumb's CMC is not at the joint but where annotators see the base of the thumb: 11 mm further along the
# metacarpal, measured against the reference network. To change the landmark convention, change this table only.
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
# Centres of rotation that are not landmarks: the wrist's centre, the bases of the metacarpals, the elbow.
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
    "elbow",  # the far end of the forearm; the skin between wrist and elbow twists
)
BONE: Mapping[str, int] = {name: k for k, name in enumerate(HAND_BONES)}
# Direction of the nails in the mesh's rest pose (the thin axis of the end phalanx), hand frame.
REST_DORSAL: Mapping[str, tuple[float, float, float]] = {
    "thumb": (-0.95, -0.24, 0.2),
    "index": (-0.38, 0.43, 0.82),
    "middle": (-0.14, 0.45, 0.88),
    "ring": (0.08, 0.43, 0.90),
    "pinky": (0.16, 0.5, 0.85),
}
# Roll of each finger's flexion axis, degrees: fingers that close point towards the scaphoid [3].
CLOSING_DEG: Mapping[str, float] = {"index": -8.0, "middle": -2.0, "ring": 5.0, "pinky": 12.0}


# Joints of an average adult at rest (landmarks, then pivots), millimetres, where no body model is loaded.
AVERAGE_MM = (
    *((0, 0, 0), (-27, 23, -15), (-52, 53, -31), (-69, 76, -47), (-77, 96, -60)),
    *((-23, 92, -4), (-32, 136, -12), (-34, 158, -23), (-37, 179, -35)),
    *((0, 93, 0), (6, 142, -11), (8, 170, -24), (10, 190, -33)),
    *((22, 89, 0), (33, 130, -8), (39, 155, -19), (45, 176, -29)),
    *((40, 82, -4), (53, 109, -12), (58, 123, -21), (65, 137, -30)),
    *((0, -8, 0), (-21, 16, -12), (-2, 14, -2), (-2, 14, -2), (12, 17, -2), (16, 25, -3), (-28, -264, -17)),
)
AVERAGE_JOINTS = np.array(AVERAGE_MM, np.float64) / 1000
# Half the thickness of each free bone with its flesh, as a share of the palm's length (wrist to middle MCP).
THICKNESS: Mapping[str, float] = {"mc": 0.105, "pp": 0.100, "mp": 0.090, "dp": 0.070}
SLENDER: Mapping[str, float] = {"thumb": 1.12, "pinky": 0.86}


def clamp(angles: npt.ArrayLike) -> Floats:
    """Move (..., 25) angles into the joints' ranges and apply the couplings between joints.

    Abduction at the MCP shrinks to nothing at 90 degrees of flexion [4]. The end joint follows 2/3 of the middle
    joint [2], plus 30 degrees (pressed on a table) or minus 40 (a hook).
    """
    values = np.clip(np.asarray(angles, np.float64), LOW, HIGH)
    free = np.clip(1 - values[..., MCP] / np.radians(90), 0.15, 1.0)
    values[..., SPREAD] = np.clip(values[..., SPREAD], LOW[SPREAD] * free, HIGH[SPREAD] * free)
    coupled = 2 / 3 * np.maximum(values[..., PIP], 0)
    values[..., DIP] = np.clip(values[..., DIP], coupled - np.radians(40), coupled + np.radians(30))
    return np.asarray(np.clip(values, LOW, HIGH), np.float32)


def joints_of(points: Mapping[str, npt.ArrayLike]) -> Doubles:
    """(28, 3) landmarks and pivots of a right hand in its own frame, from the mesh's named joints in any frame."""
    mixtures = (*LANDMARKS, *PIVOTS.values())
    rotation, origin = hand_frame(points)
    return np.asarray((np.array([_mixed(points, mixture) for mixture in mixtures]) - origin) @ rotation.T)


def hand_frame(points: Mapping[str, npt.ArrayLike]) -> tuple[Doubles, Doubles]:
    """Rotation (3, 3) and origin (3,) of the hand's frame: point_hand = (point - origin) @ rotation.T."""
    wrist, index, middle, pinky = (_mixed(points, LANDMARKS[k]) for k in (0, 5, 9, 17))
    distal = unit(middle - wrist)
    across = pinky - index
    ulnar = unit(across - distal * (across @ distal))
    return np.stack([ulnar, distal, np.cross(ulnar, distal)]), wrist


def _mixed(points: Mapping[str, npt.ArrayLike], mixture: Mapping[str, float]) -> Doubles:
    return np.asarray(np.sum([weight * np.asarray(points[name]) for name, weight in mixture.items()], axis=0))


def bone_frame(along: Doubles, dorsal: npt.ArrayLike) -> Doubles:
    """(..., 3, 3) axes of bones, in columns: lateral, along the bone, dorsal. From two (..., 3) directions."""
    distal = unit(along)
    dorsal = np.asarray(dorsal, np.float64)
    back = unit(dorsal - distal * (dorsal * distal).sum(axis=-1, keepdims=True))
    return np.stack([np.cross(distal, back), distal, back], axis=-1)


def unit(vectors: Doubles) -> Doubles:
    """(..., 3) vectors scaled to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
