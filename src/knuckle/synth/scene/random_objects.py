"""Random objects: bottles, books, phones and so on, of random size and material."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from knuckle.results import FloatArray
from knuckle.synth.appearance import random_materials
from knuckle.synth.render.mesh import place
from knuckle.synth.render.primitives import Material, Mesh, SceneObject
from knuckle.synth.scene import object_meshes, placement
from knuckle.synth.scene.stage import SceneHand

FIRST_OBJECT_ID = 100  # lower ids belong to hands and bodies
# Smallest and largest size of each kind, metres, as `object_meshes.make` takes them.
SIZES: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cylinder": ((0.02, 0.05), (0.08, 0.2)),
    "bottle": ((0.05, 0.16), (0.09, 0.3)),
    "stick": ((0.01, 0.12), (0.035, 0.4)),
    "ball": ((0.02,), (0.12,)),
    "box": ((0.03, 0.03, 0.02), (0.15, 0.2, 0.1)),
    "card": ((0.05, 0.08, 0.0008), (0.12, 0.18, 0.001)),
    "book": ((0.1, 0.14, 0.008), (0.18, 0.26, 0.035)),
    "phone": ((0.065, 0.135, 0.007), (0.08, 0.17, 0.011)),
    "cup": ((0.06, 0.07), (0.095, 0.12)),
    "glass": ((0.055, 0.08), (0.085, 0.17)),
    "pen": ((0.007, 0.12), (0.012, 0.16)),
}

Parts = list[tuple[Material, Mesh]]


def random_object(rng: np.random.Generator) -> Parts:
    """Any object of `object_meshes.MAKERS` in its own frame: material and mesh of its parts."""
    kind = str(rng.choice(list(object_meshes.MAKERS)))
    low, high = SIZES[kind]
    return object_of(kind, [float(rng.uniform(a, b)) for a, b in zip(low, high, strict=True)], rng)


def object_of(kind: str, size: Sequence[float], rng: np.random.Generator) -> Parts:
    """An object of a kind and size, of random materials. Parts with the same name share a material."""
    chosen: dict[str, Material] = {}
    parts = []
    for name, mesh in object_meshes.make(kind, size):
        if name not in chosen:
            chosen[name] = random_materials.random_material(rng, kind, name)
        parts.append((chosen[name], mesh))
    return parts


def placed(parts: Parts, turn: FloatArray, offset: FloatArray, object_id: int) -> list[SceneObject]:
    """The parts of an object, turned by (3, 3) and moved by (3,) metres, with one id."""
    return [SceneObject(place(mesh, turn, offset), material, object_id) for material, mesh in parts]


def object_near(hand: SceneHand, rng: np.random.Generator) -> list[SceneObject]:
    """An object between a hand and the camera, or behind the hand."""
    centre = hand.points.mean(0)
    share = rng.uniform(0.6, 0.9) if rng.random() < 0.4 else rng.uniform(1.05, 1.5)
    offset = centre * share + np.append(rng.normal(0, 0.07, 2), 0) * share
    return placed(random_object(rng), placement.random_rotation(rng), offset, FIRST_OBJECT_ID)
