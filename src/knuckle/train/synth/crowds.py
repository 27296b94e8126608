"""Whole people before the camera: posed bodies with clothes, whose hands are labelled like any other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.results import FloatArray
from knuckle.train.synth import people, poses, skin
from knuckle.train.synth.body import BodyModel, load_body
from knuckle.train.synth.figures import SIDES, BodyPose, PosedBody, posed_body, reach
from knuckle.train.synth.mesh import Camera, Material, Mesh, Thing, inflate, place
from knuckle.train.synth.people import Actor, Person

FIRST_BODY_ID = 40
REGIONS = ("skin", "hair", "eye", "iris", "shirt", "sleeve", "trousers", "shoes", "hand")
OWNERS = ("body", "Left", "Right")
LOOSE_M = {"shirt": 0.008, "sleeve": 0.007, "trousers": 0.006, "shoes": 0.006, "hair": 0.006, "hand": people.GLOVE_M}
EYE = Material("plain", (0.62, 0.6, 0.58), 0.15, bump=0.0)


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
    shirt = skin.random_cloth(rng) if rng.random() < 0.94 else None
    long = shirt is not None and rng.random() < 0.5
    hair = tuple(float(v) for v in rng.choice(HAIR) * rng.uniform(0.6, 1.4))
    return Clothes(
        shirt,
        shirt if long else None,
        skin.random_cloth(rng),
        skin.random_cloth(rng),
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


def random_pose(body: BodyModel, person: Person, rng: np.random.Generator) -> tuple[dict[str, str], BodyPose]:
    """Arms anywhere before, beside and above a person, hands in any pose; names of the poses by side."""
    arms, names = {}, {}
    lean = (float(rng.normal(0, 0.12)), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.08)))
    for side in SIDES:
        names[side], hand = poses.random_pose(rng)
        out = 1.0 if side == "Left" else -1.0
        if rng.random() < 0.2:  # hanging
            wrist = np.array([out * rng.uniform(0.22, 0.35), rng.uniform(0.02, 0.12), rng.uniform(-0.15, 0.05)])
            turn = people.rotation(rng.normal(0, 0.2), out * rng.normal(1.4, 0.4), math.pi + rng.normal(0, 0.2))
        else:
            wrist = np.array([out * rng.uniform(-0.05, 0.55), rng.uniform(-0.8, 0.0), rng.uniform(-0.55, -0.22)])
            turn = people.rotation(0, 0, rng.normal(0, 0.6)) @ people.random_tilt(rng)
        arms[side] = reach(body, person.shape, side, wrist, turn, hand, lean)
    head = (float(rng.normal(0.05, 0.15)), float(rng.normal(0, 0.3)), float(rng.normal(0, 0.1)))
    return names, BodyPose(arms, lean, head)


def figure(body: BodyModel, person: Person, number: int, rng: np.random.Generator) -> Figure:
    """A person, upright, facing the camera, the nose at the origin; hands get the ids 2 number + 1 and + 2."""
    names, pose = random_pose(body, person, rng)
    posed = posed_body(body, person.shape, pose)
    nose = posed.points["nose"].astype(np.float64)
    clothes = random_clothes(person, rng)
    parts = dressed_parts(posed, person, clothes)
    actors = []
    for k, side in enumerate(("Left", "Right")):
        hand_id = 2 * number + 1 + k
        things = tuple(Thing(mesh, material, hand_id) for owner, mesh, material in parts if owner == side)
        about = {**person.words, "sleeve": clothes.sleeve is not None, "pose": names[side]}
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
    worn = {
        "skin": person.skin,
        "hair": clothes.hair or person.skin,
        "eye": EYE,
        "iris": Material("plain", (0.03, 0.02, 0.012), 0.1, bump=0.0),
        "shirt": clothes.shirt or person.skin,
        "sleeve": clothes.sleeve or person.skin,
        "trousers": clothes.trousers or person.skin,
        "shoes": clothes.shoes or person.skin,
        "hand": person.glove or person.skin,
    }
    found = []
    for (owner, region), (kept, faces) in cuts().items():
        mesh = Mesh(
            posed.mesh.vertices[kept],
            posed.mesh.normals[kept],
            posed.mesh.uv[kept],
            faces,
            {name: values[kept] for name, values in posed.mesh.masks.items()},
            None if posed.mesh.rest is None else posed.mesh.rest[kept],
        )
        material = worn[region]
        bare = material is person.skin
        found.append((owner, mesh if bare else inflate(mesh, LOOSE_M.get(region, 0.0)), material))
    return found


@lru_cache(maxsize=1)
def cuts() -> dict[tuple[str, str], tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]:
    """Vertices and triangles of each (owner, region); the same for all bodies, as they share their triangles."""
    model = load_body()
    faces, masks = model.arrays["body_faces"], model.body_masks
    share = {name: values[faces].mean(1) for name, values in masks.items()}
    region = np.zeros(len(faces), int)
    for name in ("hair", "shirt", "trousers", "sleeve", "shoes", "eye"):
        region[share[name] > 0.5] = REGIONS.index(name)
    region[(share["hand_left"] > 0.5) | (share["hand_right"] > 0.5)] = REGIONS.index("hand")
    region[_iris(model, faces, region)] = REGIONS.index("iris")
    owner = np.where(share["arm_left"] > 0.5, 1, np.where(share["arm_right"] > 0.5, 2, 0))
    found = {}
    for o, of in enumerate(OWNERS):
        for r, what in enumerate(REGIONS):
            chosen = faces[(owner == o) & (region == r)]
            if len(chosen):
                kept, renumbered = np.unique(chosen, return_inverse=True)
                found[of, what] = kept, np.ascontiguousarray(renumbered.reshape(-1, 3).astype(np.int32))
    return found


def _iris(model: BodyModel, faces: npt.NDArray[np.int32], region: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(m,) the eyes' triangles within 6 mm of the eyeball's foremost point."""
    rest = model.arrays["adult"][model.arrays["body_seams"]]
    middle = rest[faces].mean(1)
    chosen = np.zeros(len(faces), bool)
    for side in (middle[:, 0] < 0, middle[:, 0] > 0):
        eye = (region == REGIONS.index("eye")) & side
        if eye.any():
            front = middle[eye][middle[eye][:, 2].argmin()]
            chosen |= eye & (np.linalg.norm(middle - front, axis=1) < 0.006)
    return chosen
