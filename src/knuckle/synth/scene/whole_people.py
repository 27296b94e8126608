"""Whole people before the camera: posed bodies with clothes, whose hands are labelled like any other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray
from knuckle.synth.body import two_hands
from knuckle.synth.body.figures import PosedBody, posed_body
from knuckle.synth.body.model import BodyModel, load_body
from knuckle.synth.render import materials
from knuckle.synth.render.mesh import Camera, Material, Mesh, Thing, inflate, part, place
from knuckle.synth.scene import people
from knuckle.synth.scene.people import Actor, Person

FIRST_BODY_ID = 40
GLOVES_M = {"hand_left": people.GLOVE_M, "hand_right": people.GLOVE_M}
LOOSE_M = {"shirt": 0.008, "sleeve": 0.007, "trousers": 0.006, "shoes": 0.006, "hair": 0.006, **GLOVES_M}


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in a scene, in camera space: two hands, the rest of the body, and named points of the face."""

    actors: tuple[Actor, Actor]
    body: tuple[Thing, ...]
    points: Mapping[str, npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Clothes:
    """What a person wears, by region; None is bare skin."""

    shirt: Material | None
    sleeve: Material | None
    trousers: Material | None
    shoes: Material | None
    hair: Material | None


def random_clothes(person: Person, rng: np.random.Generator) -> Clothes:
    """Shirts with long or short sleeves, a bare chest now and then, hair of any colour."""
    shirt = materials.random_cloth(rng) if rng.random() < 0.94 else None
    long = shirt is not None and rng.random() < 0.5
    hair = tuple(float(v) for v in rng.choice(HAIR) * rng.uniform(0.6, 1.4))
    return Clothes(
        shirt,
        shirt if long else None,
        materials.random_cloth(rng),
        materials.random_cloth(rng),
        Material("cloth", (hair[0], hair[1], hair[2]), 0.7, "grain", (0.0, 0.0, 0.0), 0.004)
        if rng.random() < 0.85
        else None,
    )


HAIR = np.array(
    [
        [0.01, 0.008, 0.007],
        [0.03, 0.018, 0.01],
        [0.09, 0.05, 0.025],
        [0.3, 0.2, 0.1],
        [0.25, 0.07, 0.03],
        [0.4, 0.4, 0.4],
    ]
)


def figure(body: BodyModel, person: Person, number: int, rng: np.random.Generator) -> Figure:
    """A person, upright, facing the camera, the nose at the origin; hands get the ids 2 number + 1 and + 2."""
    name, pose = two_hands.random_body_pose(body, person.shape, rng)
    posed = posed_body(body, person.shape, pose)
    nose = posed.points["nose"].astype(np.float64)
    clothes = random_clothes(person, rng)
    parts = dressed_parts(posed, person, clothes)
    actors = []
    for k, side in enumerate(("Left", "Right")):
        hand_id = 2 * number + 1 + k
        things = tuple(Thing(mesh, material, hand_id) for owner, mesh, material in parts if owner == side)
        about = {**person.words, "sleeve": clothes.sleeve is not None, "pose": name}
        actors.append(Actor(things, posed.hands[side], side, hand_id, about))
    rest = tuple(Thing(mesh, material, FIRST_BODY_ID + number) for owner, mesh, material in parts if owner == "body")
    return moved(Figure((actors[0], actors[1]), rest, posed.points), np.eye(3), -nose)


def moved(who: Figure, rotation: FloatArray, offset: FloatArray) -> Figure:
    """Turned by (3, 3), then moved by (3,) metres."""
    first, second = (actor.moved(rotation, offset) for actor in who.actors)
    body = tuple(Thing(place(thing.mesh, rotation, offset), thing.material, thing.id) for thing in who.body)
    return Figure((first, second), body, {name: rotation @ point + offset for name, point in who.points.items()})


def placed(who: Figure, frame: Camera, tilt: FloatArray, rng: np.random.Generator) -> Figure:
    """Somewhere before the camera: near like a caller, half or whole at some metres; `tilt` is the camera's."""
    near = rng.random()
    distance = rng.uniform(0.55, 1.1) if near < 0.4 else rng.uniform(1.0, 2.2) if near < 0.75 else rng.uniform(2.0, 4.5)
    yaw = rng.normal(0, 0.45) if rng.random() < 0.9 else rng.uniform(-math.pi, math.pi)
    x = (rng.uniform(0.2, 0.8) * frame.width - frame.cx) / frame.fx
    y = (rng.uniform(0.1, 0.45) * frame.height - frame.cy) / frame.fy
    return moved(who, tilt @ people.rotation(0, yaw, 0), np.array([x, y, 1.0]) * distance)


def dressed_parts(posed: PosedBody, person: Person, clothes: Clothes) -> list[tuple[str, Mesh, Material]]:
    """The body cut into (owner, mesh, material), each with its clothes on."""
    found = []
    for owner, (kept, bare) in cuts().items():
        rest = replace(bare, vertices=posed.mesh.vertices[kept], normals=posed.mesh.normals[kept])
        for region, material in worn_by(person, clothes, owner):
            if material is not None:
                found.append((owner, inflate(part(rest, region), LOOSE_M[region]), material))
                rest = part(rest, region, inside=False)
        found.append((owner, rest, person.skin))
    return found


def worn_by(person: Person, clothes: Clothes, owner: str) -> list[tuple[str, Material | None]]:
    """(region, material) of what covers the trunk with head and legs ("body"), or an arm ("Left", "Right")."""
    if owner == "body":
        return [
            ("shirt", clothes.shirt),
            ("trousers", clothes.trousers),
            ("shoes", clothes.shoes),
            ("hair", clothes.hair),
        ]
    return [("shirt", clothes.shirt), ("sleeve", clothes.sleeve), (f"hand_{owner.lower()}", person.glove)]


@lru_cache(maxsize=1)
def cuts() -> dict[str, tuple[npt.NDArray[np.int64], Mesh]]:
    """Vertices of the arms and the rest, and all of their meshes but places and normals: bodies share it."""
    model = load_body()
    faces, masks, uv = model.body_faces, model.body_masks, model.arrays["body_uv"]
    left, right = (masks[f"arm_{side}"][faces].mean(1) > 0.5 for side in ("left", "right"))
    found = {}
    for owner, chosen in (("Left", left), ("Right", right), ("body", ~left & ~right)):
        kept, renumbered = np.unique(faces[chosen], return_inverse=True)
        triangles = np.ascontiguousarray(renumbered.reshape(-1, 3).astype(np.int32))
        own = {name: values[kept] for name, values in masks.items()}
        nowhere = np.empty((0, 3), np.float32)
        found[owner] = kept, Mesh(nowhere, nowhere, uv[kept], triangles, own, model.body_rest[kept])
    return found
