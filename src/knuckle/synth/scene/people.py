"""Who is in the picture: a person's shape, skin, gloves, sleeves and jewellery, and their hands with all that on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from knuckle.results import FloatArray
from knuckle.synth.body.model import PosedHand, Shape
from knuckle.synth.render import materials
from knuckle.synth.render.mesh import Floats, Material, Mesh, Thing, inflate, part, place
from knuckle.synth.scene import objects

GLOVE_M = 0.0012  # how far a glove's cloth lies from the skin
PHALANX = {"thumb": (2, 3), "index": (5, 6), "middle": (9, 10), "ring": (13, 14), "pinky": (17, 18)}


@dataclass(frozen=True, eq=False)
class Person:
    """One person for a picture or a whole clip.

    Attributes:
        shape: of the body, `number` of `casting.PEOPLE`. skin: of all that is bare.
        glove: of both hands, or None. sleeve: of both arms, or None; begins 0 at the wrist, 1 at the elbow.
        rings: (side, finger, place on the phalanx 0..1, width) each. ring: their material.
        watch: side or None; watch_size in metres. bracelet: side or None.
        words: for tables: tone, glove, sleeve, age.
    """

    shape: Shape
    skin: Material
    number: int = 0
    glove: Material | None = None
    sleeve: Material | None = None
    sleeve_begins: float = 0.1
    sleeve_loose: float = 0.008
    rings: tuple[tuple[str, str, float, float], ...] = ()
    ring: Material | None = None
    watch: str | None = None
    watch_size: float = 0.038
    bracelet: str | None = None
    band: Material | None = None
    words: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Actor:
    """A hand in a scene with what it wears and holds, in camera space.

    things: all share the hand's id but what it holds; points: (21, 3) landmarks, metres; about: pose, tone and so on.
    """

    things: tuple[Thing, ...]
    points: Floats
    handedness: str
    id: int
    about: Mapping[str, Any]
    track_id: int | None = None

    def moved(self, rotation: FloatArray, offset: Sequence[float] | FloatArray = (0, 0, 0)) -> Actor:
        """Turned by a (3, 3) rotation, then moved by (3,) metres."""
        offset = np.asarray(offset, np.float32)
        return replace(
            self,
            things=tuple(replace(thing, mesh=place(thing.mesh, rotation, offset)) for thing in self.things),
            points=(self.points @ np.asarray(rotation, np.float32).T + offset).astype(np.float32),
        )


def random_person(shape: Shape, number: int, rng: np.random.Generator) -> Person:
    """Anybody: a sixth wear gloves, half long sleeves, a third rings, a quarter a watch or a bracelet."""
    own = materials.random_skin(rng)
    glove = materials.random_glove(rng) if rng.random() < 0.14 else None
    sleeved = rng.random() < 0.5
    fingers = [
        finger for finger, chance in zip(PHALANX, (0.05, 0.1, 0.12, 0.22, 0.08), strict=True) if rng.random() < chance
    ]
    rings = [
        (str(rng.choice(["Left", "Right"])), finger, float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.0018, 0.006)))
        for finger in fingers
        if glove is None
    ]
    wrist = rng.random()
    side = str(rng.choice(["Left", "Right"], p=[0.7, 0.3]))
    return Person(
        shape,
        own,
        number,
        glove,
        materials.random_cloth(rng) if sleeved else None,
        float(rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.15, 0.75)])),
        float(rng.uniform(0.004, 0.016)),
        tuple(rings),
        materials.random_metal(rng),
        side if wrist < 0.15 else None,
        float(rng.uniform(0.028, 0.046)),
        side if 0.15 < wrist < 0.25 else None,
        materials.random_strap(rng),
        {"tone": own.tone, "glove": glove.pattern if glove else None, "sleeve": sleeved, "age": round(own.age, 2)},
    )


def dressed(hand: PosedHand, person: Person, hand_id: int, pose_name: str = "") -> Actor:
    """A person's hand in the hand's own space, with skin or glove, sleeve, rings and watch."""
    mesh = hand.mesh
    worn: list[tuple[Mesh, Material]] = []
    if person.glove is None:
        worn.append((mesh, person.skin))
    else:
        cuff = part(mesh, "forearm", inside=False)
        worn += [(part(mesh, "forearm"), person.skin), (inflate(cuff, GLOVE_M), person.glove)]
        worn += _hem(hand, person.glove)
    worn += _jewellery(hand, person) + _sleeve(hand, person)
    about = {**person.words, "pose": pose_name}
    return Actor(
        tuple(Thing(shape, material, hand_id) for shape, material in worn),
        hand.landmarks,
        hand.handedness,
        hand_id,
        about,
    )


def forearm_axis(hand: PosedHand) -> FloatArray:
    """(3,) metres from the wrist to the far end of the forearm's mesh."""
    weights = hand.mesh.masks["forearm"]
    middle = (weights[:, None] * hand.mesh.vertices).sum(0) / weights.sum()
    axis = middle - hand.landmarks[0]
    axis = axis / np.linalg.norm(axis)
    return np.asarray(axis * float(((hand.mesh.vertices - hand.landmarks[0]) @ axis).max()), np.float64)


def _jewellery(hand: PosedHand, person: Person) -> list[tuple[Mesh, Material]]:
    found: list[tuple[Mesh | None, Material | None]] = []
    points = hand.landmarks.astype(np.float64)
    for side, finger, along, width in person.rings:
        if side == hand.handedness:
            start, end = (points[k] for k in PHALANX[finger])
            at = start + (0.25 + 0.75 * along) * (end - start)
            found.append((objects.band(hand.mesh, at, end - start, width, 0.0013, 0.0135), person.ring))
    axis = forearm_axis(hand)
    unit = axis / np.linalg.norm(axis)
    covered = person.sleeve is not None and person.sleeve_begins < 0.25
    if person.watch == hand.handedness and not covered and person.glove is None:
        back = np.cross(points[17] - points[5], points[9] - points[0]) * (1 if hand.handedness == "Right" else -1)
        for what, mesh in objects.watch(hand.mesh, points[0] + 0.035 * unit, unit, back, person.watch_size):
            found.append((mesh, {"strap": person.band, "case": person.ring}.get(what, materials.WATCH_FACE)))
    if person.bracelet == hand.handedness and not covered and person.glove is None:
        found.append((objects.band(hand.mesh, points[0] + 0.03 * unit, unit, 0.006, 0.004, 0.06), person.band))
    return [(mesh, material) for mesh, material in found if mesh is not None and material is not None]


def _hem(hand: PosedHand, glove: Material) -> list[tuple[Mesh, Material]]:
    """The glove's edge round the wrist."""
    weights = hand.mesh.masks["forearm"]
    border = hand.mesh.vertices[(weights > 0.2) & (weights < 0.8)]
    if len(border) < 8:
        return []
    axis = forearm_axis(hand)
    hem = objects.band(hand.mesh, border.mean(0).astype(np.float64), axis, 0.016, 0.0022, 0.07)
    return [] if hem is None else [(hem, glove)]


def _sleeve(hand: PosedHand, person: Person) -> list[tuple[Mesh, Material]]:
    if person.sleeve is None:
        return []
    wrist = hand.landmarks[0].astype(np.float64)
    mesh = objects.sleeve(hand.mesh, wrist, wrist + forearm_axis(hand), person.sleeve_begins, person.sleeve_loose)
    return [] if mesh is None else [(mesh, person.sleeve)]


def random_turn(rng: np.random.Generator) -> FloatArray:
    """(3, 3) how a hand is held towards the camera: palm or back more often than edges, upright more than not."""
    if rng.random() < 0.1:
        return rotation(*rng.uniform(-math.pi, math.pi, 3))
    roll = rng.normal(0, 0.55) if rng.random() < 0.6 else rng.uniform(-math.pi, math.pi)
    return rotation(0, 0, roll) @ random_tilt(rng)


def random_tilt(rng: np.random.Generator) -> FloatArray:
    """(3, 3) how far a hand with the fingers up is turned away from showing its palm or its back."""
    facing = 0.0 if rng.random() < 0.55 else math.pi
    return rotation(rng.normal(0, 0.45), facing + rng.normal(0, 0.65), 0)


def rotation(about_x: float, about_y: float, about_z: float) -> FloatArray:
    """(3, 3) turn about y, then x, then z."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in (about_x, about_y, about_z))
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(z @ x @ y)
