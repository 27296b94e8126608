"""Hands that hold things: the types of the GRASP taxonomy, closed round a thing of any size until the flesh touches.

Two ways to close a hand. `wrap`: the thing lies against the palm and each joint bends until its bone meets it.
`span`: the hand opens between thumb and finger tips as wide as the thing is thick. Types and names follow Feix,
Romero, Schmiedmayer, Dollar & Kragic, The GRASP Taxonomy of Human Grasp Types, IEEE Trans. Human-Machine Systems
46(1), 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import (
    ANGLES,
    BONE,
    DIGITS,
    FINGERS,
    INDEX,
    REST_DORSAL,
    Doubles,
    bone_frame,
    bone_turns,
    capsules,
    clamp,
)
from knuckle.synth.body.model import Shape
from knuckle.synth.body.poses import NAMED, HandPose, pose_of

Floats = npt.NDArray[np.float32]
Distance = Callable[[Doubles], Doubles]
TO_CAMERA = np.diag([-1.0, -1.0, 1.0])
PRESS_M = 0.002  # how far the flesh gives way under a grip


@dataclass(frozen=True, eq=False)
class Grasp:
    """A hand that holds a thing, right hand, before it is placed (palm to the camera, fingers up, wrist at zero).

    Attributes:
        name: of the grasp type. pose: of the hand.
        kind, size: of the thing, as `things.make` takes them.
        rotation, offset: (3, 3) and (3,) metres, where the thing's own frame lies.
    """

    name: str
    pose: HandPose
    kind: str
    size: tuple[float, ...]
    rotation: Floats
    offset: Floats

    def mirrored(self) -> Grasp:
        """For a left hand. Flat things are mirrored across their width, round ones along z: screens stay in front."""
        flat = np.diag([-1.0, 1, 1] if self.kind in ("box", "card", "book", "phone") else [1.0, 1, -1])
        mirror = np.diag([-1.0, 1, 1])
        turn, offset = mirror @ self.rotation @ flat, self.offset * [-1, 1, 1]
        return Grasp(self.name, self.pose, self.kind, self.size, turn.astype(np.float32), offset.astype(np.float32))


@dataclass(frozen=True)
class Type:
    """One row of the taxonomy: what is held, its least and greatest size, how, by which fingers, and the thumb.

    kinds: for `things.make`. low, high: sizes, for a grown hand. how: a key of `HOLDS`. fingers: those that hold, the
    others take the angles of the pose `rest`. open, shut: the poses between which the hand closes. tilt_deg: of a bar
    across the palm.
    """

    kinds: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    how: str
    fingers: tuple[str, ...] = FINGERS
    rest: str = "relaxed"
    open: str = "open"
    shut: str = "fist"
    tilt_deg: float = 18.0


def _tips(kinds: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...], fingers: tuple[str, ...]) -> Type:
    """Held between the tips of the thumb and these fingers, the others folded."""
    return Type(kinds, low, high, "span", fingers, rest="loose_fist", open="claw", shut="beak")


TYPES: Mapping[str, Type] = {
    "large_diameter": Type(("cylinder", "bottle", "glass", "cup"), (0.06, 0.1), (0.095, 0.2), "wrap", open="wide"),
    "medium_wrap": Type(("cylinder", "bottle", "glass"), (0.035, 0.1), (0.06, 0.2), "wrap", open="open"),
    "small_diameter": Type(("stick", "cylinder"), (0.018, 0.12), (0.034, 0.35), "wrap"),
    "light_tool": Type(("stick", "pen"), (0.009, 0.12), (0.018, 0.3), "wrap"),
    "adducted_thumb": Type(("stick", "cylinder"), (0.02, 0.15), (0.032, 0.4), "wrap", open="flat", shut="thumb_out"),
    "index_extension": Type(
        ("stick", "pen"), (0.012, 0.14), (0.026, 0.3), "wrap", ("middle", "ring", "pinky"), "point"
    ),
    "fixed_hook": Type(("stick", "cylinder"), (0.015, 0.1), (0.035, 0.3), "wrap", open="hook", shut="hook", tilt_deg=4),
    "power_sphere": Type(("ball",), (0.045,), (0.085,), "wrap", open="wide"),
    "power_disk": Type(("cylinder",), (0.075, 0.015), (0.11, 0.03), "span", open="wide", shut="beak"),
    "ring": Type(("glass", "cylinder"), (0.04, 0.08), (0.07, 0.14), "wrap", ("index",), "loose_fist"),
    "palmar_pinch": _tips(("card", "book", "box"), (0.03, 0.04, 0.001), (0.1, 0.15, 0.02), ("index",)),
    "tip_pinch": Type(
        ("pen", "stick"), (0.004, 0.08), (0.008, 0.14), "span", ("index",), open="pinch_open", shut="pinch"
    ),
    "inferior_pincer": Type(
        ("ball",), (0.015,), (0.035,), "span", ("index",), open="pinch_open", shut="ok", rest="loose"
    ),
    "prismatic_2": _tips(("stick", "pen"), (0.006, 0.1), (0.014, 0.2), ("index", "middle")),
    "prismatic_3": _tips(("stick", "cylinder"), (0.008, 0.1), (0.03, 0.2), ("index", "middle", "ring")),
    "prismatic_4": _tips(("stick", "cylinder"), (0.008, 0.12), (0.03, 0.25), FINGERS),
    "tripod": _tips(("ball", "bottle"), (0.02, 0.05), (0.05, 0.08), ("index", "middle")),
    "quadpod": _tips(("ball",), (0.03,), (0.06,), ("index", "middle", "ring")),
    "precision_sphere": Type(("ball",), (0.04,), (0.075,), "span", open="claw", shut="beak"),
    "precision_disk": Type(("cylinder",), (0.05, 0.008), (0.085, 0.02), "span", open="claw", shut="beak"),
    "sphere_3_finger": Type(("ball",), (0.04,), (0.07,), "wrap", ("index", "middle"), "loose_fist", open="open"),
    "sphere_4_finger": Type(
        ("ball",), (0.045,), (0.08,), "wrap", ("index", "middle", "ring"), "loose_fist", open="open"
    ),
    "parallel_extension": Type(
        ("book", "box"), (0.08, 0.12, 0.008), (0.16, 0.2, 0.035), "span", open="asl_C", shut="tabletop"
    ),
    "extension": Type(("box", "book"), (0.06, 0.1, 0.008), (0.09, 0.16, 0.03), "span", open="asl_C", shut="tabletop"),
    "phone": Type(("phone",), (0.062, 0.13, 0.007), (0.08, 0.165, 0.01), "phone"),
    "lateral": Type(("card",), (0.05, 0.08, 0.0008), (0.09, 0.12, 0.002), "side", rest="loose_fist"),
    "writing_tripod": Type(("pen",), (0.007, 0.13), (0.012, 0.16), "pen"),
    "adduction": Type(("stick", "pen"), (0.006, 0.08), (0.01, 0.14), "between", rest="relaxed"),
    "palm_up": Type(("ball", "box", "cup", "book"), (0.05, 0.05, 0.01), (0.1, 0.12, 0.05), "tray"),
}
WRITING = pose_of(
    **{"thumb_radial": 18, "thumb_palmar": 36, "thumb_pronation": 5, "thumb_mcp": 22, "thumb_ip": 30},
    **{"index_mcp": 52, "index_pip": 42, "index_dip": 18, "middle_mcp": 58, "middle_pip": 56, "middle_dip": 34},
    **{"ring_mcp": 60, "ring_pip": 70, "ring_dip": 42, "pinky_mcp": 60, "pinky_pip": 70, "pinky_dip": 42},
)  # fmt: skip


def random_grasp(shape: Shape, rng: np.random.Generator, name: str | None = None) -> Grasp:
    """A hand of this person that holds a thing, any type or the one named.

    Raises:
        InputError: there is no such type.
    """
    if name is None:
        name = str(rng.choice(list(TYPES)))
    if name not in TYPES:
        raise InputError(f"there is no grasp called {name!r}; expected one of {', '.join(TYPES)}")
    kind_of = TYPES[name]
    kind = str(rng.choice(kind_of.kinds))
    scale = float(np.linalg.norm(shape.hand[1][9])) / 0.093
    size = tuple(float(rng.uniform(a, b)) for a, b in zip(kind_of.low, kind_of.high, strict=True))
    if kind in ("box", "card", "book", "phone") and len(size) < 3:
        size = (*size, 0.01)
    size = tuple(edge * (scale if scale < 1 else 1.0) for edge in size)
    joints = shape.hand[1]
    pose, turn, offset = HOLDS[kind_of.how](joints, kind_of, kind, size, rng)
    pose = pose.but(
        wrist_flexion=float(rng.normal(-8, 18)),
        wrist_radial=float(rng.normal(-2, 8)),
        forearm_twist=float(rng.normal(0, 20)),
    )
    turn, offset = TO_CAMERA @ turn, TO_CAMERA @ offset
    return Grasp(name, pose, kind, size, turn.astype(np.float32), offset.astype(np.float32))


Held = tuple[HandPose, Doubles, Doubles]


def _wrap(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    radius = size[0] / 2
    palm = float(np.linalg.norm(joints[9]))
    tilt = np.radians(kind_of.tilt_deg + rng.normal(0, 5))
    axis = np.array([np.cos(tilt), -np.sin(tilt), 0.0]) * rng.choice(
        [-1, 1]
    )  # the thumb's end points away from the wrist
    reach = 1.02 if kind_of.open == "hook" else 0.86
    place = np.array([0.12 * palm, reach * palm, -0.14 * palm - radius])
    if kind_of.open == "hook":
        place[1:] += [0.28 * palm, 0.04 * palm]
    distance = _ball(place, radius) if kind == "ball" else _bar(place, axis, radius)
    angles = close(joints, kind_of, distance)
    shift = 0.0 if kind == "ball" else rng.normal(0, 0.12) * size[1]
    return HandPose(angles), _axes(axis, np.array([0.0, 0, 1])), place + shift * axis


def _span(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    thick = size[2] if kind in ("box", "card", "book", "phone") else size[0]
    spread, shut = _with(kind_of, kind_of.open), _with(kind_of, kind_of.shut)
    low, high = 0.0, 1.0
    for _ in range(9):  # halve where the tips are as far apart as the thing is thick
        share = (low + high) / 2
        thumb, fingers = pads(joints, spread.mix(shut, share).angles, kind_of.fingers)
        low, high = (share, high) if np.linalg.norm(fingers - thumb) > thick - PRESS_M else (low, share)
    pose = spread.mix(shut, low)
    thumb, fingers = pads(joints, pose.angles, kind_of.fingers)
    across = (fingers - thumb) / max(float(np.linalg.norm(fingers - thumb)), 1e-6)
    along = np.array([1.0, 0, 0]) - across * across[0]
    middle = (thumb + fingers) / 2
    if kind in ("box", "card", "book", "phone"):
        out = np.cross(along / np.linalg.norm(along), across)
        out *= np.sign(out @ (middle - joints[9])) or 1.0
        return pose, _axes(out, across), middle + out * size[1] * rng.uniform(0.25, 0.45)
    if kind_of.how == "span" and kind == "cylinder" and size[1] < size[0]:  # a disk lies between the tips
        return pose, _axes(np.cross(along, across), across), middle
    return pose, _axes(along, across), middle + along * rng.normal(0, 0.15) * size[-1]


def _pen(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    pose = WRITING.mix(NAMED["relaxed"], float(rng.uniform(0, 0.08)))
    thumb, fingers = pads(joints, pose.angles, ("index", "middle"))
    turns = bone_turns(joints, pose.angles)
    ends, radii, names = capsules(joints, turns)
    root = ends[names.index("index_pp")][0] - [1.2 * radii[names.index("index_pp")], 0, 0]
    grip = (thumb + fingers) / 2
    back = (root - grip) / np.linalg.norm(root - grip)
    return pose, _axes(back, np.array([0.0, 0, 1])), grip + back * (size[1] / 2 - rng.uniform(0.025, 0.04))


def _side(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    pose = NAMED["loose_fist"].but(
        thumb_radial=22, thumb_palmar=22, thumb_pronation=0, thumb_mcp=18, thumb_ip=20, index_mcp=50, index_pip=75
    )
    pose = HandPose(clamp(pose.angles + np.radians(rng.normal(0, 2, len(ANGLES)))))
    thumb, _ = pads(joints, pose.angles, ("index",))
    ends, radii, names = capsules(joints, bone_turns(joints, pose.angles))
    bone = names.index("index_mp")
    side = ends[bone].mean(axis=0) - np.array([radii[bone], 0, 0])
    across = (thumb - side) / np.linalg.norm(thumb - side)
    out = np.array([0, 0.5, -0.85]) - across * (across @ [0, 0.5, -0.85])
    out /= np.linalg.norm(out)
    return pose, _axes(out, across), (thumb + side) / 2 + out * size[1] * 0.35


def _between(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    pose = NAMED["relaxed"].mix(NAMED["flat"], float(rng.uniform(0.2, 0.9)))
    for joint in ("mcp", "pip", "dip"):
        pose = pose.but(**{f"middle_{joint}": float(np.degrees(pose.angles[INDEX[f"index_{joint}"]]))})
    pose = pose.but(index_spread=2, middle_spread=-1)
    ends, _, names = capsules(joints, bone_turns(joints, pose.angles))
    first, second = (ends[names.index(f"{finger}_mp")].mean(axis=0) for finger in ("index", "middle"))
    frame = bone_frame(ends[names.index("middle_mp")][1] - ends[names.index("middle_mp")][0], (0, 0, 1))
    return pose, _axes(frame[:, 2], frame[:, 1]), (first + second) / 2 - frame[:, 2] * size[1] * rng.uniform(0.1, 0.4)


def _tray(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    pose = NAMED["cupped"].mix(NAMED["open"], float(rng.uniform(0.2, 1.0)))
    palm = float(np.linalg.norm(joints[9]))
    turn, height = np.eye(3), (size[2] if kind in ("box", "book") else size[0]) / 2
    if kind == "cup":  # stands upright on the palm: its mouth, -y, looks away from it
        turn, height = _axes(np.array([0.0, 0, 1]), np.array([0.0, 1, 0])), size[1] / 2
    return pose, turn, np.array([0.02 * palm, 0.85 * palm, -0.16 * palm - height])


def _phone(joints: Doubles, kind_of: Type, kind: str, size: tuple[float, ...], rng: np.random.Generator) -> Held:
    palm = float(np.linalg.norm(joints[9]))
    lean = np.radians(rng.normal(-14, 6))
    up = np.array([np.sin(lean), np.cos(lean), -0.12])
    up /= np.linalg.norm(up)
    place = np.array([-0.12 * palm, 1.05 * palm, -0.3 * palm - size[2]])
    turn = _axes(up, np.array([0.0, 0, -1]))
    box = _box(place, turn, np.array(size) / 2)
    angles = close(joints, Type((kind,), size, size, "wrap", open="open", shut="fist"), box)
    return HandPose(angles), turn, place


HOLDS: Mapping[str, Callable[[Doubles, Type, str, tuple[float, ...], np.random.Generator], Held]] = {
    **{"wrap": _wrap, "span": _span, "pen": _pen, "side": _side, "between": _between, "tray": _tray, "phone": _phone}
}


def close(joints: Doubles, kind_of: Type, distance: Distance) -> Floats:
    """(26,) angles: every joint bent until its bone, or one beyond it, meets the thing, from the knuckle outwards.

    distance: metres from (n, 3) points to the thing's surface, negative inside.
    """
    angles = _with(kind_of, kind_of.open).angles.astype(np.float64)
    goal = _with(kind_of, kind_of.shut).angles.astype(np.float64)
    held = [finger for finger in FINGERS if finger in kind_of.fingers]
    stages = [([f"{f}_{joint}" for f in held], [DIGITS.index(f) for f in held]) for joint in ("mcp", "pip", "dip")]
    stages += [(list(ANGLES[:5]), [0] * 5)]
    for names, digits in stages:
        columns = [INDEX[name] for name in names]
        start, end = (
            angles[columns].copy(),
            np.maximum(goal[columns], angles[columns]) if digits != [0] * 5 else goal[columns],
        )
        low, high = np.zeros(len(columns)), np.ones(len(columns))
        for _ in range(7):
            share = (low + high) / 2
            angles[columns] = start + share * (end - start)
            free = _gaps(joints, angles, distance)[digits] > -PRESS_M
            low, high = np.where(free, share, low), np.where(free, high, share)
        angles[columns] = start + low * (end - start)
    return clamp(angles)


def _gaps(joints: Doubles, angles: Doubles, distance: Distance) -> Doubles:
    """(5,) metres between each digit's flesh and the thing, metacarpals left out."""
    ends, radii, names = capsules(joints, bone_turns(joints, clamp(angles)))
    along = np.linspace(0.15, 1, 5)[:, None]
    points = ends[:, None, 0] + along * (ends[:, 1] - ends[:, 0])[:, None]
    apart = distance(points.reshape(-1, 3)).reshape(len(names), 5).min(axis=1) - radii
    apart[[k for k, name in enumerate(names) if name.endswith("mc")]] = np.inf
    return np.array([min(apart[k] for k, name in enumerate(names) if name.startswith(digit)) for digit in DIGITS])


def pads(joints: Doubles, angles: npt.ArrayLike, fingers: tuple[str, ...]) -> tuple[Doubles, Doubles]:
    """(3,) the middle of the thumb's pad, and the mean of the fingers' pads, hand frame."""
    turns = bone_turns(joints, angles)
    ends, radii, names = capsules(joints, turns)
    found = []
    for digit in ("thumb", *fingers):
        k, tip = names.index(f"{digit}_dp"), 4 + 4 * DIGITS.index(digit)
        frame = bone_frame(joints[tip] - joints[tip - 1], REST_DORSAL[digit])
        palmar = -turns[BONE[f"{digit}_dp"]][:, :3] @ frame[:, 2]
        found.append(ends[k][1] + palmar * radii[k])
    return found[0], np.mean(found[1:], axis=0)


def _with(kind_of: Type, name: str) -> HandPose:
    """A named pose whose idle fingers take the angles of the type's `rest`."""
    angles = NAMED[name].angles.copy()
    idle = [
        k
        for k, angle in enumerate(ANGLES)
        if angle.split("_")[0] in FINGERS and angle.split("_")[0] not in kind_of.fingers
    ]
    angles[idle] = NAMED[kind_of.rest].angles[idle]
    return HandPose(angles)


def _axes(y: Doubles, z: Doubles) -> Doubles:
    """(3, 3) rotation whose second column is along y, and whose third is as near to z as can be."""
    y = y / np.linalg.norm(y)
    x = np.cross(y, z)
    x = x / np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _ball(centre: Doubles, radius: float) -> Distance:
    return lambda points: np.asarray(np.linalg.norm(points - centre, axis=1) - radius)


def _bar(centre: Doubles, axis: Doubles, radius: float) -> Distance:
    return lambda points: np.asarray(np.linalg.norm(np.cross(points - centre, axis), axis=1) - radius)


def _box(centre: Doubles, turn: Doubles, half: Doubles) -> Distance:
    def distance(points: Doubles) -> Doubles:
        beyond = np.abs((points - centre) @ turn) - half
        return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0))

    return distance
