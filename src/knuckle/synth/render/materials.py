"""What the shaders read of materials: uniforms and the noise texture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.synth.render.primitives import Bytes, Colour, Floats, Material, SkinTextures, as_colour

PATTERNS = ("none", "stripes", "checks", "dots", "noise", "knit", "weave", "grain", "marks")


def linear(srgb: npt.ArrayLike) -> Floats:
    """sRGB 0..1 to linear light (IEC 61966-2-1)."""
    s = np.asarray(srgb, np.float32)
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)


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


def skin_layout(skin: SkinTextures) -> dict[str, Any]:
    """The shader uniforms that say where the painted details of skin are."""
    x, y, width, height = skin.region
    return {
        "hand_region": (x, y, 1 / width, 1 / height),
        "mirror_line": skin.mirror_line,
        "finest": skin.texel_m,
    }


def uniforms(material: Material) -> dict[str, Any]:
    """The shader uniforms of a material."""
    m = material
    shift = shift_of(m)
    if m.kind == "skin":
        return _skin_uniforms(m, shift[0])
    fuzz = {"cloth": 1.0, "glove": 0.6}.get(m.kind, 0.0)
    return {
        "shift": shift,
        "base_colour": m.colour,
        "pattern_colour": m.pattern_colour,
        "finish": (m.roughness, 1.0 if m.kind == "metal" else 0.0, m.bump, 1 / max(m.pattern_size, 1e-4)),
        "pattern": PATTERNS.index(m.pattern),
        "nature": (fuzz, 1.0 if m.kind == "screen" else 0.0, m.crease if m.kind == "glove" else 0.0, 0.0),
    }


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
        "back_colour": as_colour(back),
        "palm_colour": as_colour(palm),
        "blush_colour": as_colour(np.array([0.98, 0.66, 0.60]) * (1 - dark) + np.array([0.82, 0.76, 0.76]) * dark),
        "vein_colour": (0.78, 0.90, 0.93),
        "hair_colour": m.hair_colour,
        "nail_colour": m.nail_colour or as_colour(nail),
        "tip_colour": m.nail_colour or as_colour(tip),
        "lip_colour": as_colour(back * np.array([0.85, 0.5, 0.5])),
        "amounts": (m.crease, m.age, m.veins, m.mottle),
        "others": (m.hair, m.tattoo, m.redness, m.wet),
        "nail": (float(painted), 0.16 if painted else 0.30, max(0.0, m.age - 0.55) * 2, 1.0 - 0.35 * dark),
        "tattoo_choice": (float(m.seed % 2), 0.0, shift),
    }
