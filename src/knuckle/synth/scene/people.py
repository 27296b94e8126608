"""People: body shape, skin, gloves, sleeves and jewellery, and their dressed hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from knuckle.results import HAND_POINTS, FloatArray, PointSet
from knuckle.synth.appearance import random_materials
from knuckle.synth.appearance.skin import random_skin
from knuckle.synth.body.hand_poses import HandPose
from knuckle.synth.body.model import PosedHand, Shape
from knuckle.synth.render.mesh import inflate, part
from knuckle.synth.render.primitives import Material, Mesh, SceneObject
from knuckle.synth.scene import object_meshes
from knuckle.synth.scene.stage import SceneHand

GLOVE_M = 0.0012  # distance of a glove from the skin
PHALANX = {"thumb": (2, 3), "index": (5, 6), "middle": (9, 10), "ring": (13, 14), "pinky": (17, 18)}
RING_CHANCES = {"thumb": 0.05, "index": 0.1, "middle": 0.12, "ring": 0.22, "pinky": 0.08}


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a picture or of a whole clip.

    Attributes:
        shape: of the body.
        skin: material of bare skin.
        number: which of `random_hands.PEOPLE` shapes this is.
        glove: material of both gloves, or None.
        sleeve: material of both sleeves, or None. sleeve_begins: 0 at the wrist, 1 at the elbow.
        sleeve_loose: metres between the arm and the sleeve.
        rings: (side, finger, position on the phalanx 0 to 1, width in metres) each. ring: their material.
        watch, bracelet: the side it is worn on, or None. watch_size: metres. band: material of strap and bracelet.
        metadata: for the labels: tone, glove, sleeve, age.
        points: the points of the hands that get labels.
        missing: fingers that both hands do not have.
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
    metadata: Mapping[str, Any] = field(default_factory=dict)
    points: PointSet = HAND_POINTS
    missing: tuple[str, ...] = ()

    def posed_hand(self, pose: HandPose, side: str) -> PosedHand:
        """A hand of this person, bare."""
        return self.shape.model.posed_hand(self.shape, pose, side, self.points, self.missing)

    @property
    def bare_wrists(self) -> bool:
        """Whether a watch or a bracelet would show."""
        return self.glove is None and (self.sleeve is None or self.sleeve_begins >= 0.25)


def random_person(shape: Shape, number: int, rng: np.random.Generator, gloves: float) -> Person:
    """Half of the people have sleeves, a third rings, a quarter a watch or a bracelet, a share of `gloves` gloves."""
    skin = random_skin(rng)
    glove = random_materials.random_glove(rng) if rng.random() < gloves else None
    sleeved = rng.random() < 0.5
    fingers = [finger for finger, chance in RING_CHANCES.items() if rng.random() < chance]
    rings = []
    if glove is None:
        for finger in fingers:
            side = str(rng.choice(["Left", "Right"]))
            rings.append((side, finger, float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.0018, 0.006))))
    wrist = rng.random()
    side = str(rng.choice(["Left", "Right"], p=[0.7, 0.3]))
    return Person(
        shape=shape,
        skin=skin,
        number=number,
        glove=glove,
        sleeve=random_materials.random_cloth(rng) if sleeved else None,
        sleeve_begins=float(rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.15, 0.75)])),
        sleeve_loose=float(rng.uniform(0.004, 0.016)),
        rings=tuple(rings),
        ring=random_materials.random_metal(rng),
        watch=side if wrist < 0.15 else None,
        watch_size=float(rng.uniform(0.028, 0.046)),
        bracelet=side if 0.15 < wrist < 0.25 else None,
        band=random_materials.random_strap(rng),
        metadata={
            "tone": skin.tone,
            "glove": glove.pattern if glove else None,
            "sleeve": sleeved,
            "age": round(skin.age, 2),
        },
    )


def dressed_hand(hand: PosedHand, person: Person, hand_id: int, pose_name: str = "") -> SceneHand:
    """A person's hand in the hand's own space, with skin or glove, sleeve, rings and watch."""
    mesh = hand.mesh
    worn: list[tuple[Mesh, Material]] = []
    if person.glove is None:
        worn.append((mesh, person.skin))
    else:
        worn.append((part(mesh, "forearm"), person.skin))
        worn.append((inflate(part(mesh, "forearm", inside=False), GLOVE_M), person.glove))
        worn += _glove_hem(hand, person.glove)
    worn += _rings(hand, person)
    if person.bare_wrists:
        worn += _wristwear(hand, person)
    worn += _sleeve(hand, person)
    return SceneHand(
        tuple(SceneObject(shape, material, hand_id) for shape, material in worn),
        hand.landmarks,
        hand.handedness,
        hand_id,
        {**person.metadata, "pose": pose_name} | ({"missing": list(hand.missing)} if hand.missing else {}),
        point_set=hand.points,
        extra=hand.extra,
        missing=hand.missing,
    )


def forearm_axis(hand: PosedHand) -> FloatArray:
    """(3,) metres from the wrist to the far end of the forearm's mesh."""
    weights = hand.mesh.masks["forearm"]
    middle = (weights[:, None] * hand.mesh.vertices).sum(0) / weights.sum()
    axis = middle - hand.landmarks[0]
    axis = axis / np.linalg.norm(axis)
    return np.asarray(axis * float(((hand.mesh.vertices - hand.landmarks[0]) @ axis).max()), np.float64)


def _rings(hand: PosedHand, person: Person) -> list[tuple[Mesh, Material]]:
    points = hand.landmarks.astype(np.float64)
    worn = []
    for side, finger, along, width in person.rings:
        if side != hand.handedness or finger in hand.missing:
            continue
        start, end = (points[k] for k in PHALANX[finger])
        centre = start + (0.25 + 0.75 * along) * (end - start)
        mesh = object_meshes.band(hand.mesh, centre, end - start, width, thickness=0.0013, reach=0.0135)
        if mesh is not None and person.ring is not None:
            worn.append((mesh, person.ring))
    return worn


def _wristwear(hand: PosedHand, person: Person) -> list[tuple[Mesh, Material]]:
    """Watch and bracelet."""
    points = hand.landmarks.astype(np.float64)
    axis = forearm_axis(hand)
    axis = axis / np.linalg.norm(axis)
    worn: list[tuple[Mesh | None, Material | None]] = []
    if person.watch == hand.handedness:
        back = np.cross(points[17] - points[5], points[9] - points[0]) * (1 if hand.handedness == "Right" else -1)
        worn_as = {"strap": person.band, "case": person.ring, "face": random_materials.WATCH_FACE}
        for name, mesh in object_meshes.watch(hand.mesh, points[0] + 0.035 * axis, axis, back, person.watch_size):
            worn.append((mesh, worn_as[name]))
    if person.bracelet == hand.handedness:
        bracelet = object_meshes.band(hand.mesh, points[0] + 0.03 * axis, axis, 0.006, thickness=0.004, reach=0.06)
        worn.append((bracelet, person.band))
    return [(mesh, material) for mesh, material in worn if mesh is not None and material is not None]


def _glove_hem(hand: PosedHand, glove: Material) -> list[tuple[Mesh, Material]]:
    """The edge of the glove around the wrist."""
    weights = hand.mesh.masks["forearm"]
    border = hand.mesh.vertices[(weights > 0.2) & (weights < 0.8)]
    if len(border) < 8:
        return []
    centre = border.mean(0).astype(np.float64)
    hem = object_meshes.band(hand.mesh, centre, forearm_axis(hand), 0.016, thickness=0.0022, reach=0.07)
    return [] if hem is None else [(hem, glove)]


def _sleeve(hand: PosedHand, person: Person) -> list[tuple[Mesh, Material]]:
    if person.sleeve is None:
        return []
    wrist = hand.landmarks[0].astype(np.float64)
    elbow = wrist + forearm_axis(hand)
    mesh = object_meshes.sleeve(hand.mesh, wrist, elbow, person.sleeve_begins, person.sleeve_loose)
    return [] if mesh is None else [(mesh, person.sleeve)]
