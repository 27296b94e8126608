"""Hands that hold objects: the types of the GRASP taxonomy, closed around an object until the flesh touches it.

There are two main ways to close a hand. "wrap": the object lies against the palm, and each joint bends until its
bone meets the object. "span": the hand opens until thumb and finger tips are as far apart as the object is thick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.synth.body.anatomy import ANGLES, BONE, DIGITS, FINGERS, INDEX, REST_DORSAL, Doubles, bone_frame, clamp
from knuckle.synth.body.grasp_types import TYPES, GraspType
from knuckle.synth.body.hand_poses import NAMED, HandPose, pose_of
from knuckle.synth.body.kinematics import CAPSULE_NAMES, bone_transforms, capsules
from knuckle.synth.body.model import Shape

Floats = npt.NDArray[np.float32]
Distance = Callable[[Doubles], Doubles]  # (n, 3) points to (n,) metres from the object's surface, negative inside
TO_CAMERA = np.diag([-1.0, -1.0, 1.0])
PRESS_M = 0.002  # how far the flesh gives way under a grip
FLAT_KINDS = ("box", "card", "book", "phone")


def _phalanges_of(digit: str) -> list[int]:
    """Rows of `capsules`: the bones of a digit that can touch an object, which are all but its metacarpal."""
    return [row for row, name in enumerate(CAPSULE_NAMES) if name.startswith(digit) and not name.endswith("_mc")]


PHALANGES = [_phalanges_of(digit) for digit in DIGITS]


@dataclass(frozen=True, eq=False)
class Grasp:
    """A right hand that holds an object, in the neutral position: palm to the camera, fingers up, wrist at the origin.

    Attributes:
        name: of the grasp type, a key of `grasp_types.TYPES`.
        pose: of the hand.
        kind, size: of the object, as `object_meshes.make` takes them.
        rotation, offset: (3, 3) and (3,) metres, from the object's own frame.
    """

    name: str
    pose: HandPose
    kind: str
    size: tuple[float, ...]
    rotation: Floats
    offset: Floats

    def mirrored(self) -> Grasp:
        """The same for a left hand. Flat objects are mirrored across their width, so that screens stay in front."""
        object_mirror = np.diag([-1.0, 1, 1] if self.kind in FLAT_KINDS else [1.0, 1, -1])
        mirror = np.diag([-1.0, 1, 1])
        rotation, offset = mirror @ self.rotation @ object_mirror, self.offset * [-1, 1, 1]
        return Grasp(self.name, self.pose, self.kind, self.size, rotation.astype(np.float32), offset.astype(np.float32))


WRITING = pose_of(
    thumb_radial=18, thumb_palmar=36, thumb_pronation=5, thumb_mcp=22, thumb_ip=30,
    index_mcp=52, index_pip=42, index_dip=18,
    middle_mcp=58, middle_pip=56, middle_dip=34,
    ring_mcp=60, ring_pip=70, ring_dip=42,
    pinky_mcp=60, pinky_pip=70, pinky_dip=42,
)  # fmt: skip


def random_grasp(shape: Shape, rng: np.random.Generator, name: str | None = None) -> Grasp:
    """A hand of a person that holds a random object.

    Args:
        name: of the grasp type, a key of `grasp_types.TYPES`; drawn if None.

    Raises:
        InputError: there is no such type.
    """
    if name is None:
        name = str(rng.choice(list(TYPES)))
    if name not in TYPES:
        raise InputError(f"there is no grasp called {name!r}; expected one of {', '.join(TYPES)}")
    grasp_type = TYPES[name]
    kind = str(rng.choice(grasp_type.kinds))
    joints = shape.hand[1]
    scale = min(1.0, float(np.linalg.norm(joints[9])) / 0.093)  # small hands hold small objects
    size = tuple(float(rng.uniform(a, b)) for a, b in zip(grasp_type.low, grasp_type.high, strict=True))
    if kind in FLAT_KINDS and len(size) < 3:
        size = (*size, 0.01)
    size = tuple(edge * scale for edge in size)
    pose, rotation, offset = METHODS[grasp_type.how](joints, grasp_type, kind, size, rng)
    pose = pose.replacing(
        wrist_flexion=float(rng.normal(-8, 18)),
        wrist_radial=float(rng.normal(-2, 8)),
        forearm_twist=float(rng.normal(0, 20)),
    )
    rotation, offset = TO_CAMERA @ rotation, TO_CAMERA @ offset
    return Grasp(name, pose, kind, size, rotation.astype(np.float32), offset.astype(np.float32))


Size = tuple[float, ...]
Held = tuple[HandPose, Doubles, Doubles]  # pose, and the object's rotation and offset in the hand's frame


def _wrap(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """The object lies in the palm; all fingers close around it."""
    radius = size[0] / 2
    palm = float(np.linalg.norm(joints[9]))
    tilt = np.radians(grasp_type.tilt_deg + rng.normal(0, 5))
    axis = np.array([np.cos(tilt), -np.sin(tilt), 0.0])  # the thumb's end points away from the wrist
    axis = axis * rng.choice([-1, 1])
    hook = grasp_type.open == "hook"
    centre = np.array([0.12 * palm, (1.02 if hook else 0.86) * palm, -0.14 * palm - radius])
    if hook:
        centre[1:] += [0.28 * palm, 0.04 * palm]
    is_ball = kind == "ball"
    angles = close_hand(
        joints, grasp_type, distance_to_ball(centre, radius) if is_ball else distance_to_bar(centre, axis, radius)
    )
    shift = 0.0 if is_ball else rng.normal(0, 0.12) * size[1]
    return HandPose(angles), _axes(axis, np.array([0.0, 0, 1])), centre + shift * axis


def _span(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """The object lies between the pads of the thumb and the fingers."""
    thickness = size[2] if kind in FLAT_KINDS else size[0]
    opened, shut = _with_idle_fingers(grasp_type, grasp_type.open), _with_idle_fingers(grasp_type, grasp_type.shut)
    low, high = 0.0, 1.0
    for _ in range(9):  # bisection: close until the pads are as far apart as the object is thick
        share = (low + high) / 2
        thumb, fingers = pads(joints, opened.mix(shut, share).angles, grasp_type.fingers)
        if np.linalg.norm(fingers - thumb) > thickness - PRESS_M:
            low = share
        else:
            high = share
    pose = opened.mix(shut, low)
    thumb, fingers = pads(joints, pose.angles, grasp_type.fingers)
    across = (fingers - thumb) / max(float(np.linalg.norm(fingers - thumb)), 1e-6)
    along = np.array([1.0, 0, 0]) - across * across[0]
    middle = (thumb + fingers) / 2
    if kind in FLAT_KINDS:
        out = np.cross(along / np.linalg.norm(along), across)
        out *= np.sign(out @ (middle - joints[9])) or 1.0
        return pose, _axes(out, across), middle + out * size[1] * rng.uniform(0.25, 0.45)
    if kind == "cylinder" and size[1] < size[0]:  # a disk lies flat between the tips
        return pose, _axes(np.cross(along, across), across), middle
    return pose, _axes(along, across), middle + along * rng.normal(0, 0.15) * size[-1]


def _pen(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """Like holding a pen to write: between the pads of thumb, index and middle finger, resting on the index knuckle."""
    pose = WRITING.mix(NAMED["relaxed"], float(rng.uniform(0, 0.08)))
    thumb, fingers = pads(joints, pose.angles, ("index", "middle"))
    ends, radii = capsules(joints, bone_transforms(joints, pose.angles))
    bone = CAPSULE_NAMES.index("index_pp")
    root = ends[bone][0] - [1.2 * radii[bone], 0, 0]
    grip = (thumb + fingers) / 2
    back = (root - grip) / np.linalg.norm(root - grip)
    return pose, _axes(back, np.array([0.0, 0, 1])), grip + back * (size[1] / 2 - rng.uniform(0.025, 0.04))


def _side(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """Like holding a key: between the thumb and the side of the index finger."""
    pose = NAMED["loose_fist"].replacing(
        thumb_radial=22, thumb_palmar=22, thumb_pronation=0, thumb_mcp=18, thumb_ip=20, index_mcp=50, index_pip=75
    )
    pose = HandPose(clamp(pose.angles + np.radians(rng.normal(0, 2, len(ANGLES)))))
    thumb, _ = pads(joints, pose.angles, ("index",))
    ends, radii = capsules(joints, bone_transforms(joints, pose.angles))
    bone = CAPSULE_NAMES.index("index_mp")
    side = ends[bone].mean(axis=0) - np.array([radii[bone], 0, 0])
    across = (thumb - side) / np.linalg.norm(thumb - side)
    out = np.array([0, 0.5, -0.85]) - across * (across @ [0, 0.5, -0.85])
    out /= np.linalg.norm(out)
    return pose, _axes(out, across), (thumb + side) / 2 + out * size[1] * 0.35


def _between(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """Like holding a cigarette: between the index and the middle finger."""
    pose = NAMED["relaxed"].mix(NAMED["flat"], float(rng.uniform(0.2, 0.9)))
    for joint in ("mcp", "pip", "dip"):
        pose = pose.replacing(**{f"middle_{joint}": float(np.degrees(pose.angles[INDEX[f"index_{joint}"]]))})
    pose = pose.replacing(index_spread=2, middle_spread=-1)
    ends, _ = capsules(joints, bone_transforms(joints, pose.angles))
    index, middle = (ends[CAPSULE_NAMES.index(f"{finger}_mp")] for finger in ("index", "middle"))
    frame = bone_frame(middle[1] - middle[0], (0, 0, 1))
    centre = (index.mean(axis=0) + middle.mean(axis=0)) / 2
    return pose, _axes(frame[:, 2], frame[:, 1]), centre - frame[:, 2] * size[1] * rng.uniform(0.1, 0.4)


def _tray(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """The object lies on the open palm."""
    pose = NAMED["cupped"].mix(NAMED["open"], float(rng.uniform(0.2, 1.0)))
    palm = float(np.linalg.norm(joints[9]))
    rotation, height = np.eye(3), (size[2] if kind in ("box", "book") else size[0]) / 2
    if kind == "cup":  # it stands on the palm: its mouth, -y, points away from the palm
        rotation, height = _axes(np.array([0.0, 0, 1]), np.array([0.0, 1, 0])), size[1] / 2
    return pose, rotation, np.array([0.02 * palm, 0.85 * palm, -0.16 * palm - height])


def _phone(joints: Doubles, grasp_type: GraspType, kind: str, size: Size, rng: np.random.Generator) -> Held:
    """The screen faces away from the palm; the fingers close around the edges."""
    palm = float(np.linalg.norm(joints[9]))
    lean = np.radians(rng.normal(-14, 6))
    up = np.array([np.sin(lean), np.cos(lean), -0.12])
    up /= np.linalg.norm(up)
    centre = np.array([-0.12 * palm, 1.05 * palm, -0.3 * palm - size[2]])
    rotation = _axes(up, np.array([0.0, 0, -1]))
    box = distance_to_box(centre, rotation, np.array(size) / 2)
    angles = close_hand(joints, GraspType((kind,), size, size, "wrap", open="open", shut="fist"), box)
    return HandPose(angles), rotation, centre


METHODS: Mapping[str, Callable[[Doubles, GraspType, str, Size, np.random.Generator], Held]] = {
    "wrap": _wrap,
    "span": _span,
    "pen": _pen,
    "side": _side,
    "between": _between,
    "tray": _tray,
    "phone": _phone,
}


def close_hand(joints: Doubles, grasp_type: GraspType, distance: Distance) -> Floats:
    """(25,) angles of a hand that closes around an object, from the knuckles outwards, the thumb last.

    Every joint bends until its bone, or one further out, touches the object.

    Args:
        distance: metres from (n, 3) points to the object's surface, negative inside.
    """
    angles = _with_idle_fingers(grasp_type, grasp_type.open).angles.astype(np.float64)
    goal = _with_idle_fingers(grasp_type, grasp_type.shut).angles.astype(np.float64)
    held = [finger for finger in FINGERS if finger in grasp_type.fingers]
    digits = [DIGITS.index(finger) for finger in held]
    for joint in ("mcp", "pip", "dip"):
        columns = [INDEX[f"{finger}_{joint}"] for finger in held]
        _bend(joints, angles, columns, np.maximum(goal[columns], angles[columns]), digits, distance)
    thumb = list(range(5))
    _bend(joints, angles, thumb, goal[thumb], [0] * len(thumb), distance)
    return clamp(angles)


def _bend(
    joints: Doubles, angles: Doubles, columns: list[int], goal: Doubles, digits: list[int], distance: Distance
) -> None:
    """Move some `angles`, in place, towards their goal until their digit touches the object. Bisection."""
    start = angles[columns].copy()
    low, high = np.zeros(len(columns)), np.ones(len(columns))
    for _ in range(7):
        share = (low + high) / 2
        angles[columns] = start + share * (goal - start)
        free = _gaps(joints, angles, distance)[digits] > -PRESS_M
        low, high = np.where(free, share, low), np.where(free, high, share)
    angles[columns] = start + low * (goal - start)


def _gaps(joints: Doubles, angles: Doubles, distance: Distance) -> Doubles:
    """(5,) metres between the flesh of each digit and the object; metacarpals do not count."""
    ends, radii = capsules(joints, bone_transforms(joints, clamp(angles)))
    along = np.linspace(0.15, 1, 5)[:, None]
    points = ends[:, None, 0] + along * (ends[:, 1] - ends[:, 0])[:, None]
    gaps = distance(points.reshape(-1, 3)).reshape(len(radii), 5).min(axis=1) - radii
    return np.array([gaps[bones].min() for bones in PHALANGES])


def pads(joints: Doubles, angles: npt.ArrayLike, fingers: tuple[str, ...]) -> tuple[Doubles, Doubles]:
    """(3,) the middle of the thumb's pad, and the mean of the fingers' pads, hand frame."""
    transforms = bone_transforms(joints, angles)
    ends, radii = capsules(joints, transforms)
    found = []
    for digit in ("thumb", *fingers):
        bone, tip = CAPSULE_NAMES.index(f"{digit}_dp"), 4 + 4 * DIGITS.index(digit)
        frame = bone_frame(joints[tip] - joints[tip - 1], REST_DORSAL[digit])
        palmar = -transforms[BONE[f"{digit}_dp"]][:, :3] @ frame[:, 2]
        found.append(ends[bone][1] + palmar * radii[bone])
    return found[0], np.mean(found[1:], axis=0)


def _with_idle_fingers(grasp_type: GraspType, name: str) -> HandPose:
    """A named pose in which the fingers that do not hold the object take their angles from the type's `rest`."""
    angles = NAMED[name].angles.copy()
    for k, angle in enumerate(ANGLES):
        digit = angle.split("_")[0]
        if digit in FINGERS and digit not in grasp_type.fingers:
            angles[k] = NAMED[grasp_type.rest].angles[k]
    return HandPose(angles)


def _axes(y: Doubles, z: Doubles) -> Doubles:
    """(3, 3) rotation whose second column is along y, and whose third column is as near to z as possible."""
    y = y / np.linalg.norm(y)
    x = np.cross(y, z)
    x = x / np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def distance_to_ball(centre: Doubles, radius: float) -> Distance:
    """Distance to the surface of a ball."""
    return lambda points: np.asarray(np.linalg.norm(points - centre, axis=1) - radius)


def distance_to_bar(centre: Doubles, axis: Doubles, radius: float) -> Distance:
    """Distance to the surface of an endless round bar along a unit axis."""
    return lambda points: np.asarray(np.linalg.norm(np.cross(points - centre, axis), axis=1) - radius)


def distance_to_box(centre: Doubles, rotation: Doubles, half: Doubles) -> Distance:
    """Distance to the surface of a box of half sizes `half` (3,)."""

    def distance(points: Doubles) -> Doubles:
        beyond = np.abs((points - centre) @ rotation) - half
        return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0))

    return distance
