"""Random materials: gloves, cloth, metal, straps, and the parts of objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from knuckle.synth.render.materials import linear
from knuckle.synth.render.primitives import Colour, Material, as_colour


def any_colour(rng: np.random.Generator) -> Colour:
    """A random colour of cloth or paint; greys, black and white are common."""
    value = rng.uniform(0.01, 0.75) ** 1.3
    hue = np.clip(np.abs(np.mod(rng.random() * 6 + np.array([0, 4, 2]), 6) - 3) - 1, 0, 1)
    saturation = rng.choice([0.06, 0.4, 0.85], p=[0.4, 0.35, 0.25])
    return as_colour(value * (1 - saturation + saturation * hue))


def _random_pattern(rng: np.random.Generator, names: tuple[str, ...], plain: float) -> dict[str, Any]:
    """Arguments of `Material` for a pattern; none with the chance `plain`."""
    if rng.random() < plain:
        return {}
    size = float(np.exp(rng.uniform(np.log(0.006), np.log(0.05))))
    return {"pattern": str(rng.choice(names)), "pattern_colour": any_colour(rng), "pattern_size": size}


def random_glove(rng: np.random.Generator) -> Material:
    """Gloves of thin rubber, leather, knitted or patterned cloth."""
    kind = int(rng.integers(4))
    seed = int(rng.integers(1 << 30))
    if kind == 0:  # thin rubber
        colours = [[0.3, 0.5, 0.8], [0.85, 0.85, 0.82], [0.12, 0.12, 0.13], [0.45, 0.7, 0.75]]
        colour = as_colour(linear(rng.choice(colours)))
        return Material("glove", colour, 0.35, bump=0.4, crease=0.6, seed=seed)
    if kind == 1:  # leather
        colour = as_colour(np.array([0.16, 0.08, 0.04]) * rng.uniform(0.1, 2.5))
        return Material("glove", colour, 0.45, bump=0.8, crease=0.9, seed=seed)
    pattern = _random_pattern(rng, ("stripes", "dots", "checks", "noise", "marks"), 0.4)
    if kind == 2 and not pattern:
        pattern = {"pattern": "knit", "pattern_colour": any_colour(rng), "pattern_size": 0.004}
    return Material("glove", any_colour(rng), 0.9, bump=1.2, crease=0.3, seed=seed, **pattern)


def random_cloth(rng: np.random.Generator) -> Material:
    """Cloth of shirts, sleeves and trousers."""
    pattern = _random_pattern(rng, ("stripes", "checks", "dots", "noise", "knit", "weave", "marks"), 0.5)
    return Material(
        "cloth", any_colour(rng), float(rng.uniform(0.75, 1)), bump=1.0, seed=int(rng.integers(1 << 30)), **pattern
    )


def random_metal(rng: np.random.Generator) -> Material:
    """Gold, silver, steel, brass."""
    colours = ([0.95, 0.72, 0.32], [0.9, 0.89, 0.86], [0.55, 0.56, 0.57], [0.85, 0.62, 0.40])
    return Material("metal", as_colour(rng.choice(np.asarray(colours))), float(rng.uniform(0.12, 0.4)), bump=0.3)


def random_strap(rng: np.random.Generator) -> Material:
    """The strap of a watch: leather, rubber or metal."""
    if rng.random() < 0.3:
        return random_metal(rng)
    return Material("plain", any_colour(rng), float(rng.uniform(0.35, 0.7)), bump=0.7, seed=int(rng.integers(1 << 30)))


WATCH_FACE = Material("plain", (0.012, 0.012, 0.014), 0.12, bump=0.0)


def random_material(rng: np.random.Generator, kind: str, part: str) -> Material:
    """The material of one part of an object, by the object's kind and the name of the part (`object_meshes.MAKERS`)."""
    seed = int(rng.integers(1 << 30))
    if part == "screen":
        if rng.random() < 0.5:
            return WATCH_FACE
        return Material(
            "screen", as_colour(np.array(any_colour(rng)) * 0.5 + 0.15), 0.15, "marks", any_colour(rng), 0.02, 0.0, seed
        )
    if part in ("liquid", "glass") or (kind == "glass" and rng.random() < 0.7):
        return Material("glass", as_colour(rng.uniform(0.4, 0.8, 3)), 0.08, bump=0.1, seed=seed)
    if part == "pages":
        return Material("plain", (0.75, 0.72, 0.65), 0.9, "stripes", (0.55, 0.52, 0.45), 0.001, seed=seed)
    choice = rng.random()
    if choice < 0.12:
        return random_metal(rng)
    if choice < 0.24 and kind not in ("phone", "card"):
        wood = np.array([0.42, 0.24, 0.11]) * rng.uniform(0.3, 1.5)
        return Material("wood", as_colour(wood), 0.55, "grain", as_colour(wood * 0.55), 0.006, seed=seed)
    pattern = _random_pattern(rng, ("stripes", "checks", "dots", "noise", "marks"), 0.55)
    return Material("plain", any_colour(rng), float(rng.uniform(0.15, 0.7)), bump=0.3, seed=seed, **pattern)
