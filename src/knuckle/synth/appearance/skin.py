"""Skin of ten Monk tones: its colour, and random skin with age, hair, nail polish and tattoos."""

from __future__ import annotations

import numpy as np

from knuckle.synth.render.materials import linear
from knuckle.synth.render.primitives import Colour, Floats, Material, as_colour

# The Monk Skin Tone scale as published (skintone.google, CC BY 4.0), sRGB.
MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
NAIL_POLISH = np.array(
    [
        [0.7, 0.05, 0.1],
        [0.45, 0.03, 0.08],
        [0.95, 0.55, 0.6],
        [0.1, 0.1, 0.12],
        [0.93, 0.9, 0.88],
        [0.2, 0.3, 0.7],
        [0.5, 0.15, 0.5],
    ]
)
# Luminance that the back of a hand of each tone reflects, measured in photos beside white paper.
LIGHTNESS = (0.56, 0.51, 0.46, 0.40, 0.31, 0.20, 0.135, 0.088, 0.060, 0.042)


def monk_colour(tone: float) -> Floats:
    """(3,) linear colour of a Monk tone, 1 (lightest) to 10; fractions are interpolated."""
    table = linear([[int(code[k : k + 2], 16) / 255 for k in (0, 2, 4)] for code in MONK])
    return np.stack([np.interp(tone, np.arange(1, 11), table[:, k]) for k in range(3)]).astype(np.float32)


def skin_colour(tone: float, warmth: float = 0.0, redness: float = 0.0) -> Colour:
    """Linear colour of the back of a hand with a Monk tone.

    The swatches of the scale are paler than lit skin. We keep their hue, add red, and take the lightness from
    `LIGHTNESS`.
    """
    swatch = monk_colour(tone).astype(np.float64)
    colour = swatch * np.array([1.12, 0.90, 0.82]) ** (1.1 + 0.6 * float(np.clip((7 - tone) / 5, 0, 1)))
    colour = colour * np.exp(np.array([0.03, 0.0, -0.07]) * warmth + np.array([0.03, -0.05, -0.03]) * redness)
    lightness = float(np.interp(tone, np.arange(1, 11), LIGHTNESS))
    return as_colour(colour * lightness / float(colour @ np.array([0.2126, 0.7152, 0.0722])))


def random_skin(rng: np.random.Generator, tone: float | None = None, age: float | None = None) -> Material:
    """Random skin. Tone (Monk scale, 1 to 10) and age (0 child to 1 old) are drawn if None."""
    tone = float(rng.uniform(0.6, 10.4)) if tone is None else tone
    age = float(rng.uniform(0.1, 1.0)) if age is None else age
    grown = min(1.0, age * 2)
    painted = rng.random() < 0.15
    return Material(
        "skin",
        skin_colour(tone, float(rng.normal()), float(rng.normal())),
        tone=int(np.clip(round(tone), 1, 10)),
        seed=int(rng.integers(1 << 30)),
        redness=float(rng.uniform(0.35, 1.0)),
        mottle=float(rng.uniform(0.3, 1.0)),
        veins=float(rng.uniform(0, 0.8) * grown),
        crease=float(rng.uniform(0.5, 1.0)),
        age=float(np.clip(0.25 + age * rng.uniform(0.5, 0.9), 0, 1)),
        hair=float(rng.uniform(0.2, 0.9)) if age > 0.45 and rng.random() < 0.35 else 0.0,
        hair_colour=as_colour(np.array([0.09, 0.05, 0.025]) * rng.uniform(0.15, 1.6)),
        nail_colour=as_colour(linear(rng.choice(NAIL_POLISH))) if painted else None,
        tattoo=float(rng.uniform(0.5, 0.95)) if age > 0.4 and rng.random() < 0.07 else 0.0,
        wet=float(np.clip(rng.normal(0.0, 0.3), 0, 1)),
    )
