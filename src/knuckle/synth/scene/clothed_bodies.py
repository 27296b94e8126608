"""Whole people: posed bodies with clothes. Their hands get labels like all other hands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray
from knuckle.synth.appearance import random_materials
from knuckle.synth.body.body_poses import random_body_pose
from knuckle.synth.body.model import load_body
from knuckle.synth.body.whole_body import PosedBody, posed_body
from knuckle.synth.render.mesh import inflate, part, place_object
from knuckle.synth.render.primitives import Camera, Material, Mesh, SceneObject
from knuckle.synth.scene.people import GLOVE_M, Person
from knuckle.synth.scene.placement import rotation
from knuckle.synth.scene.stage import SceneHand

FIRST_BODY_ID = 40  # lower ids belong to hands
# Metres between the skin and what covers it, by the mask of the region.
LOOSE_M = {
    "shirt": 0.008,
    "sleeve": 0.007,
    "trousers": 0.006,
    "shoes": 0.006,
    "hair": 0.006,
    "hand_left": GLOVE_M,
    "hand_right": GLOVE_M,
}
HAIR_COLOURS = np.array(
    [
        [0.01, 0.008, 0.007],
        [0.03, 0.018, 0.01],
        [0.09, 0.05, 0.025],
        [0.3, 0.2, 0.1],
        [0.25, 0.07, 0.03],
        [0.4, 0.4, 0.4],
    ]
)


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in camera space.

    Attributes:
        hands: the left and the right hand, each with its arm.
        body: the rest of the body.
        points: (3,) by name: of the face and the wrists.
    """

    hands: tuple[SceneHand, SceneHand]
    body: tuple[SceneObject, ...]
    points: Mapping[str, npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Clothes:
    """Materials of what a person wears, by region; None is bare skin."""

    shirt: Material | None
    sleeve: Material | None
    trousers: Material | None
    shoes: Material | None
    hair: Material | None


def random_clothes(rng: np.random.Generator) -> Clothes:
    """Shirts with long or short sleeves, sometimes a bare chest; hair of any colour, or none."""
    shirt = random_materials.random_cloth(rng) if rng.random() < 0.94 else None
    long_sleeves = shirt is not None and rng.random() < 0.5
    red, green, blue = (float(v) for v in rng.choice(HAIR_COLOURS) * rng.uniform(0.6, 1.4))
    trousers, shoes = random_materials.random_cloth(rng), random_materials.random_cloth(rng)
    hair = Material("cloth", (red, green, blue), 0.7, "grain", (0.0, 0.0, 0.0), 0.004)
    return Clothes(
        shirt=shirt,
        sleeve=shirt if long_sleeves else None,
        trousers=trousers,
        shoes=shoes,
        hair=hair if rng.random() < 0.85 else None,
    )


def random_figure(person: Person, number: int, rng: np.random.Generator) -> Figure:
    """A person in a random pose, upright, facing the camera, the nose at the origin.

    The hands get the ids 2 number + 1 (left) and 2 number + 2 (right).
    """
    name, pose = random_body_pose(person.shape, rng)
    posed = posed_body(person.shape, pose)
    clothes = random_clothes(rng)
    parts = dressed_parts(posed, person, clothes)
    metadata = {**person.metadata, "sleeve": clothes.sleeve is not None, "pose": name}
    hands = []
    for hand_id, side in enumerate(("Left", "Right"), 2 * number + 1):
        objects = tuple(SceneObject(mesh, material, hand_id) for owner, mesh, material in parts if owner == side)
        hands.append(SceneHand(objects, posed.hands[side], side, hand_id, metadata))
    body_id = FIRST_BODY_ID + number
    rest = tuple(SceneObject(mesh, material, body_id) for owner, mesh, material in parts if owner == "body")
    nose = posed.points["nose"].astype(np.float64)
    return moved(Figure((hands[0], hands[1]), rest, posed.points), np.eye(3), -nose)


def moved(figure: Figure, turn: FloatArray, offset: FloatArray) -> Figure:
    """Turned by (3, 3), then moved by (3,) metres."""
    left, right = (hand.moved(turn, offset) for hand in figure.hands)
    body = tuple(place_object(item, turn, offset) for item in figure.body)
    points = {name: turn @ point + offset for name, point in figure.points.items()}
    return Figure((left, right), body, points)


def placed(figure: Figure, frame: Camera, tilt: FloatArray, rng: np.random.Generator) -> Figure:
    """A random place in front of the camera: near as in a video call, or some metres away, half or wholly in view.

    `tilt` (3, 3) is the camera's rotation against what stands upright.
    """
    range_draw = rng.random()
    if range_draw < 0.4:
        distance = rng.uniform(0.55, 1.1)
    elif range_draw < 0.75:
        distance = rng.uniform(1.0, 2.2)
    else:
        distance = rng.uniform(2.0, 4.5)
    yaw = rng.normal(0, 0.45) if rng.random() < 0.9 else rng.uniform(-math.pi, math.pi)
    x = (rng.uniform(0.2, 0.8) * frame.width - frame.cx) / frame.fx
    y = (rng.uniform(0.1, 0.45) * frame.height - frame.cy) / frame.fy
    return moved(figure, tilt @ rotation(0, yaw, 0), np.array([x, y, 1.0]) * distance)


def dressed_parts(posed: PosedBody, person: Person, clothes: Clothes) -> list[tuple[str, Mesh, Material]]:
    """The body with its clothes, cut into (owner, mesh, material); the owner is "Left", "Right" (arms) or "body"."""
    parts = []
    for owner, (kept, template) in body_parts().items():
        bare = replace(template, vertices=posed.mesh.vertices[kept], normals=posed.mesh.normals[kept])
        for region, material in covers_of(person, clothes, owner):
            if material is not None:
                parts.append((owner, inflate(part(bare, region), LOOSE_M[region]), material))
                bare = part(bare, region, inside=False)
        parts.append((owner, bare, person.skin))
    return parts


def covers_of(person: Person, clothes: Clothes, owner: str) -> list[tuple[str, Material | None]]:
    """(region, material) of what covers a part of the body, or None for bare skin; earlier regions win overlaps."""
    if owner == "body":
        return [
            ("shirt", clothes.shirt),
            ("trousers", clothes.trousers),
            ("shoes", clothes.shoes),
            ("hair", clothes.hair),
        ]
    return [("shirt", clothes.shirt), ("sleeve", clothes.sleeve), (f"hand_{owner.lower()}", person.glove)]


@lru_cache(maxsize=1)
def body_parts() -> dict[str, tuple[npt.NDArray[np.int64], Mesh]]:
    """Both arms and the rest of the body: their vertex numbers, and their mesh without vertices and normals.

    All bodies share these arrays.
    """
    model = load_body()
    faces, masks, uv = model.body_faces, model.body_masks, model.arrays["body_uv"]
    left, right = (masks[f"arm_{side}"][faces].mean(1) > 0.5 for side in ("left", "right"))
    parts = {}
    for owner, chosen in (("Left", left), ("Right", right), ("body", ~left & ~right)):
        kept, renumbered = np.unique(faces[chosen], return_inverse=True)
        triangles = np.ascontiguousarray(renumbered.reshape(-1, 3).astype(np.int32))
        own_masks = {name: values[kept] for name, values in masks.items()}
        empty = np.empty((0, 3), np.float32)
        parts[owner] = kept, Mesh(empty, empty, uv[kept], triangles, own_masks, model.body_rest[kept])
    return parts
