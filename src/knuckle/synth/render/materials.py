"""Materials: skin of ten Monk tones, gloves, cloth and other surfaces, and what the shaders read of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.synth.render import skin_textures
from knuckle.synth.render.primitives import Colour, Floats, Material

Bytes = npt.NDArray[np.uint8]

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
PATTERNS = ("none", "stripes", "checks", "dots", "noise", "knit", "weave", "grain", "marks")


def linear(srgb: npt.ArrayLike) -> Floats:
    """sRGB 0..1 to linear light (IEC 61966-2-1)."""
    s = np.asarray(srgb, np.float32)
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)


def monk_colour(tone: float) -> Floats:
    """(3,) linear colour of a Monk tone, 1 (lightest) to 10; fractions are interpolated."""
    table = linear([[int(code[k : k + 2], 16) / 255 for k in (0, 2, 4)] for code in MONK])
    return np.stack([np.interp(tone, np.arange(1, 11), table[:, k]) for k in range(3)]).astype(np.float32)


def noise_texture() -> Bytes:
    """(32, 32, 32, 4) smooth noise that repeats, with a mean of 0.5 in each channel."""
    rng = np.random.default_rng(7)
    spectrum = np.fft.rfftn(rng.standard_normal((4, 32, 32, 32)), axes=(1, 2, 3))
    f = np.fft.fftfreq(32)
    radius = np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + np.fft.rfftfreq(32)[None, None] ** 2)
    band = np.exp(-((radius / 0.16) ** 2)) / (radius + 0.06)
    band[0, 0, 0] = 0
    noise = np.fft.irfftn(spectrum * band, s=(32, 32, 32), axes=(1, 2, 3))
    noise = noise / noise.std(axis=(1, 2, 3), keepdims=True) * 0.18 + 0.5
    return np.ascontiguousarray(np.moveaxis(np.clip(noise * 255, 0, 255).astype(np.uint8), 0, -1))


def shift_of(material: Material) -> Colour:
    """Offset of a material in the noise texture: three numbers from 0 to 1, computed from its seed."""
    mixed = (material.seed * 2654435761) % (1 << 30)
    return (mixed % 1009) / 1009, (mixed % 1013) / 1013, (mixed % 1019) / 1019


def uniforms(material: Material) -> dict[str, Any]:
    """The shader uniforms of a material."""
    m = material
    x, y, width, height = skin_textures.REGION
    shift = shift_of(m)
    values: dict[str, Any] = {
        "shift": shift,
        "hand_region": (x, y, 1 / width, 1 / height),
        "finest": skin_textures.METRES_PER_UNIT / skin_textures.SIDE,
        "mirror_line": skin_textures.MIRROR_LINE,
    }
    if m.kind == "skin":
        return values | _skin_uniforms(m, shift[0])
    fuzz = {"cloth": 1.0, "glove": 0.6}.get(m.kind, 0.0)
    values |= {
        "base_colour": m.colour,
        "pattern_colour": m.pattern_colour,
        "finish": (m.roughness, 1.0 if m.kind == "metal" else 0.0, m.bump, 1 / max(m.pattern_size, 1e-4)),
        "pattern": PATTERNS.index(m.pattern),
        "nature": (fuzz, 1.0 if m.kind == "screen" else 0.0, m.crease if m.kind == "glove" else 0.0, 0.0),
    }
    return values


def skin_colour(tone: float, warmth: float = 0.0, redness: float = 0.0) -> Colour:
    """Linear colour of the back of a hand with a Monk tone.

    The swatches of the scale are paler than lit skin: the hue is theirs with more red, the lightness is `LIGHTNESS`.
    """
    swatch = monk_colour(tone).astype(np.float64)
    colour = swatch * np.array([1.12, 0.90, 0.82]) ** (1.1 + 0.6 * float(np.clip((7 - tone) / 5, 0, 1)))
    colour = colour * np.exp(np.array([0.03, 0.0, -0.07]) * warmth + np.array([0.03, -0.05, -0.03]) * redness)
    lightness = float(np.interp(tone, np.arange(1, 11), LIGHTNESS))
    return _triple(colour * lightness / float(colour @ np.array([0.2126, 0.7152, 0.0722])))


def _skin_uniforms(m: Material, shift: float) -> dict[str, Any]:
    """The uniforms of skin.glsl; colours of palm, nails and lips follow from the colour of the back of the hand."""
    back = np.asarray(m.colour, np.float64)
    dark = float(np.clip((m.tone - 4) / 6, 0, 1))  # palms and nails have little melanin
    palm = back * (1 - 0.4 * dark) + np.array([0.30, 0.16, 0.105]) * 0.4 * dark
    palm = palm * np.array([1.04, 0.93, 0.90])
    nail = (palm * 0.65 + np.array([0.55, 0.33, 0.28]) * 0.35) * (1 - 0.25 * dark)
    tip = nail * 0.45 + np.array([0.72, 0.66, 0.58]) * 0.45
    painted = m.nail_colour is not None
    return {
        "back_colour": _triple(back),
        "palm_colour": _triple(palm),
        "blush_colour": _triple(np.array([0.98, 0.66, 0.60]) * (1 - dark) + np.array([0.82, 0.76, 0.76]) * dark),
        "vein_colour": (0.78, 0.90, 0.93),
        "hair_colour": m.hair_colour,
        "nail_colour": m.nail_colour or _triple(nail),
        "tip_colour": m.nail_colour or _triple(tip),
        "lip_colour": _triple(back * np.array([0.85, 0.5, 0.5])),
        "amounts": (m.crease, m.age, m.veins, m.mottle),
        "others": (m.hair, m.tattoo, m.redness, m.wet),
        "nail": (float(painted), 0.16 if painted else 0.30, max(0.0, m.age - 0.55) * 2, 1.0 - 0.35 * dark),
        "tattoo_choice": (float(m.seed % 2), 0.0, shift),
    }


def _triple(colour: npt.ArrayLike) -> Colour:
    r, g, b = np.clip(np.asarray(colour, np.float64), 0, 1).tolist()
    return (r, g, b)


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
        hair_colour=_triple(np.array([0.09, 0.05, 0.025]) * rng.uniform(0.15, 1.6)),
        nail_colour=_triple(linear(rng.choice(NAIL_POLISH))) if painted else None,
        tattoo=float(rng.uniform(0.5, 0.95)) if age > 0.4 and rng.random() < 0.07 else 0.0,
        wet=float(np.clip(rng.normal(0.0, 0.3), 0, 1)),
    )


def any_colour(rng: np.random.Generator) -> Colour:
    """A random colour of cloth or paint; greys, black and white are common."""
    value = rng.uniform(0.01, 0.75) ** 1.3
    hue = np.clip(np.abs(np.mod(rng.random() * 6 + np.array([0, 4, 2]), 6) - 3) - 1, 0, 1)
    saturation = rng.choice([0.06, 0.4, 0.85], p=[0.4, 0.35, 0.25])
    return _triple(value * (1 - saturation + saturation * hue))


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
        colour = _triple(linear(rng.choice(colours)))
        return Material("glove", colour, 0.35, bump=0.4, crease=0.6, seed=seed)
    if kind == 1:  # leather
        colour = _triple(np.array([0.16, 0.08, 0.04]) * rng.uniform(0.1, 2.5))
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
    return Material("metal", _triple(rng.choice(np.asarray(colours))), float(rng.uniform(0.12, 0.4)), bump=0.3)


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
            "screen", _triple(np.array(any_colour(rng)) * 0.5 + 0.15), 0.15, "marks", any_colour(rng), 0.02, 0.0, seed
        )
    if part in ("liquid", "glass") or (kind == "glass" and rng.random() < 0.7):
        return Material("glass", _triple(rng.uniform(0.4, 0.8, 3)), 0.08, bump=0.1, seed=seed)
    if part == "pages":
        return Material("plain", (0.75, 0.72, 0.65), 0.9, "stripes", (0.55, 0.52, 0.45), 0.001, seed=seed)
    choice = rng.random()
    if choice < 0.12:
        return random_metal(rng)
    if choice < 0.24 and kind not in ("phone", "card"):
        wood = np.array([0.42, 0.24, 0.11]) * rng.uniform(0.3, 1.5)
        return Material("wood", _triple(wood), 0.55, "grain", _triple(wood * 0.55), 0.006, seed=seed)
    pattern = _random_pattern(rng, ("stripes", "checks", "dots", "noise", "marks"), 0.55)
    return Material("plain", any_colour(rng), float(rng.uniform(0.15, 0.7)), bump=0.3, seed=seed, **pattern)
