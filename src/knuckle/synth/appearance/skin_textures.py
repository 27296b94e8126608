"""Procedural skin textures of the hand: creases, wrinkles, veins, nails, blush, hair and tattoos.

The textures cover the right hand's part of MakeHuman's texture coordinates (`REGION`); the left hand's part is its
mirror image. Positions in this file are in texture units, 0 to 1 across the region: one unit is about 0.35 m of skin.
They were read off the unwrapped mesh. Flexion creases follow Kimura and Kitagawa 1986, "Embryological development of
human palmar, plantar, and digital flexion creases"; knuckle folds and dorsal veins follow Gray's Anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.render.primitives import Bytes, Floats, SkinTextures

Points = tuple[tuple[float, float], ...]

REGION = (0.4578, 0.1040, 0.1985, 0.1985)  # centre and size of the right hand in texture coordinates
MIRROR_LINE = 0.5622  # u of the line that mirrors the right hand's part into the left hand's
SIDE = 1024
METRES_PER_UNIT = 0.35
# Palm side of each digit from the thumb: tip, outer joint, middle joint, base. WIDTHS: half the width of each.
PALMAR: tuple[Points, ...] = (
    ((0.305, 0.945), (0.337, 0.888), (0.360, 0.840), (0.400, 0.785)),
    ((0.045, 0.785), (0.112, 0.768), (0.175, 0.758), (0.218, 0.748)),
    ((0.030, 0.605), (0.087, 0.615), (0.162, 0.632), (0.222, 0.645)),
    ((0.100, 0.460), (0.152, 0.500), (0.213, 0.545), (0.262, 0.575)),
    ((0.235, 0.415), (0.266, 0.446), (0.300, 0.480), (0.330, 0.508)),
)
# Back of each digit from the thumb: tip, outer joint, middle joint, knuckle.
DORSAL: tuple[Points, ...] = (
    ((0.902, 0.247), (0.865, 0.318), (0.800, 0.410), (0.735, 0.455)),
    ((0.716, 0.050), (0.695, 0.113), (0.673, 0.172), (0.635, 0.250)),
    ((0.433, 0.037), (0.455, 0.100), (0.485, 0.172), (0.535, 0.280)),
    ((0.262, 0.198), (0.320, 0.240), (0.372, 0.285), (0.470, 0.335)),
    ((0.240, 0.386), (0.287, 0.400), (0.330, 0.412), (0.410, 0.420)),
)
WIDTHS = (0.034, 0.032, 0.032, 0.030, 0.026)
# Centre, direction to the tip, half the length and half the width of each nail.
NAILS = (
    ((0.899, 0.268), (0.18, -0.98), 0.0195, 0.0165),
    ((0.7145, 0.066), (0.05, -1.0), 0.0190, 0.0155),
    ((0.438, 0.054), (-0.29, -0.96), 0.0195, 0.0165),
    ((0.279, 0.210), (-0.75, -0.66), 0.0195, 0.0145),
    ((0.2485, 0.389), (-0.95, -0.30), 0.0115, 0.0105),
)
PALM_LINES: tuple[Points, ...] = (
    ((0.285, 0.768), (0.318, 0.738), (0.348, 0.702), (0.382, 0.657), (0.420, 0.622), (0.455, 0.602)),
    ((0.287, 0.762), (0.305, 0.722), (0.335, 0.662), (0.362, 0.606), (0.384, 0.560)),
    ((0.368, 0.527), (0.342, 0.556), (0.312, 0.592), (0.282, 0.637), (0.255, 0.672), (0.240, 0.688)),
    ((0.425, 0.600), (0.390, 0.612), (0.350, 0.620), (0.300, 0.632)),
)
PALM: Points = (
    (0.00, 0.83), (0.22, 0.80), (0.24, 1.00), (0.36, 1.00), (0.44, 0.80), (0.50, 0.68), (0.49, 0.60), (0.43, 0.552),
    (0.37, 0.507), (0.32, 0.465), (0.27, 0.425), (0.232, 0.402), (0.20, 0.40), (0.0, 0.44),
)  # fmt: skip
VEINS: tuple[Points, ...] = (
    ((0.640, 0.600), (0.625, 0.540), (0.590, 0.480), (0.585, 0.420), (0.560, 0.370), (0.510, 0.310)),
    ((0.590, 0.480), (0.545, 0.440), (0.500, 0.420), (0.455, 0.385)),
    ((0.585, 0.420), (0.625, 0.375), (0.620, 0.320), (0.590, 0.265)),
    ((0.545, 0.440), (0.530, 0.500), (0.560, 0.560)),
    ((0.700, 0.540), (0.690, 0.470), (0.665, 0.400), (0.625, 0.375)),
    ((0.690, 0.470), (0.715, 0.440), (0.745, 0.440)),
    ((0.500, 0.420), (0.440, 0.440), (0.400, 0.435)),
)


def _smooth(points: Points | Floats, count: int = 48) -> Floats:
    """A Catmull-Rom curve through the points (Catmull and Rom 1974)."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, len(p) - 3 - 1e-9, count)
    k = t.astype(int)
    t = (t - k)[:, None]
    a, b, c, d = p[k], p[k + 1], p[k + 2], p[k + 3]
    cubic = 2 * b + t * (c - a) + t**2 * (2 * a - 5 * b + 4 * c - d) + t**3 * (3 * b - 3 * c + d - a)
    return np.asarray(0.5 * cubic, np.float32)


def _stroke(canvas: Floats, points: Floats, width: float, strength: float = 1.0) -> None:
    """Draw a curve of (n, 2) points, `width` texels wide, fading at both ends. The stronger curve wins."""
    pixels = points * SIDE - 0.5
    fade = np.sin(np.linspace(0.12, np.pi - 0.12, len(points) - 1)) ** 0.5
    x0, y0 = np.clip(pixels.min(0).astype(int) - 8, 0, SIDE - 1).tolist()
    x1, y1 = np.clip(pixels.max(0).astype(int) + 9, 1, SIDE).tolist()
    layer = np.zeros((y1 - y0, x1 - x0), np.float32)
    ends = np.round((pixels - (x0, y0)) * 16).astype(int).tolist()
    for a, b, value in zip(ends[:-1], ends[1:], fade, strict=True):
        cv2.line(layer, a, b, float(value * strength), max(1, round(width)), cv2.LINE_AA, 4)
    np.maximum(canvas[y0:y1, x0:x1], layer, out=canvas[y0:y1, x0:x1])


def _across(centre: npt.ArrayLike, along: npt.ArrayLike, half: float, bow: float, wobble: npt.ArrayLike) -> Floats:
    """A curve across a finger: `half` to each side, bent by `bow` and displaced by `wobble` along the finger."""
    a = np.asarray(along, np.float64)
    a = a / np.linalg.norm(a)
    side = np.array([-a[1], a[0]])
    aside = np.asarray(wobble, np.float64)
    t = np.linspace(-1, 1, len(aside))
    return np.asarray(np.asarray(centre) + side * (t * half)[:, None] + a * (bow * t**2 + aside)[:, None], np.float32)


def _blob(centre: npt.ArrayLike, radius: float) -> Floats:
    """A Gaussian spot with the peak 1."""
    x, y = (np.exp(-((np.arange(SIDE) / SIDE - position) ** 2) / (2 * radius**2)) for position in np.asarray(centre))
    return np.asarray(np.outer(y, x), np.float32)


def _noise(rng: np.random.Generator, cells: float) -> Floats:
    """Smooth noise with a standard deviation of 1 and about `cells` blobs along one side."""
    small = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), SIDE / cells / 3)
    return np.asarray(blurred / blurred.std(), np.float32)


def _creases(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Depth, 0 to 1, of the creases and of the fine wrinkles."""
    deep, fine = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for k, line in enumerate(PALM_LINES):
        _stroke(deep, _smooth(line, 64), 3 if k < 3 else 1, 1.0 if k < 3 else 0.45)
    for points, width in zip(PALMAR, WIDTHS, strict=True):
        p = np.asarray(points)
        for joint, lines in ((1, 1), (2, 2), (3, 2)):
            along = p[joint - 1] - p[joint]
            for number in range(lines):
                shift = along / np.linalg.norm(along) * (number - (lines - 1) / 2) * 0.010
                wobble = rng.normal(0, 0.0008, 9).cumsum()
                _stroke(deep, _across(p[joint] + shift, along, width * 1.05, -0.003, wobble), 2, 1.0 - 0.3 * number)
        for _ in range(26):  # small lines of the pads
            spot = p[0] + (p[3] - p[0]) * rng.uniform(0.2, 1.1)
            turn = p[1] - p[0] + rng.normal(0, 0.02, 2)
            half = width * rng.uniform(0.15, 0.5)
            _stroke(fine, _across(spot + rng.normal(0, width * 0.4, 2), turn, half, 0, rng.normal(0, 0.001, 5)), 1, 0.5)
    for points, width in zip(DORSAL, WIDTHS, strict=True):
        p = np.asarray(points)
        for joint, lines, spread in ((1, 5, 0.011), (2, 9, 0.021)):
            along = p[joint - 1] - p[joint]
            unit = along / np.linalg.norm(along)
            for number in range(lines):
                t = (number + 0.5) / lines * 2 - 1 + rng.normal(0, 0.06)
                half = width * (0.95 - 0.45 * abs(t)) * rng.uniform(0.7, 1.0)
                curve = _across(
                    p[joint] + unit * t * spread, along, half, -0.010 * t, rng.normal(0, 0.0005, 9).cumsum()
                )
                _stroke(fine, curve, 2, 0.55 + 0.45 * (1 - abs(t)))
    for _ in range(90):  # fine lines of the palm
        spot = np.array([0.36, 0.66]) + rng.normal(0, 0.06, 2)
        angle = rng.uniform(0, np.pi)
        turn, wobble = (np.cos(angle), np.sin(angle)), rng.normal(0, 0.001, 7)
        _stroke(fine, _across(spot, turn, rng.uniform(0.008, 0.03), 0.004, wobble), 1, rng.uniform(0.2, 0.5))
    return deep, fine


def _nails() -> tuple[Floats, Floats]:
    """Nails as one value (0.6 bed, 0.8 half-moon, 1 free edge), and their height."""
    ramp, height = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for (cx, cy), direction, length, width in NAILS:
        reach = 1.5 * max(length, width)  # nothing is drawn further from the centre
        rows, columns = (slice(int((c - reach) * SIDE), int((c + reach) * SIDE)) for c in (cy, cx))
        y, x = (np.mgrid[rows, columns].astype(np.float32) + 0.5) / SIDE
        d = np.asarray(direction) / np.linalg.norm(direction)
        along = ((x - cx) * d[0] + (y - cy) * d[1]) / length
        aside = ((x - cx) * -d[1] + (y - cy) * d[0]) / width
        outside = (np.abs(along) ** 2.6 + np.abs(aside) ** 2.6) ** (1 / 2.6)
        inside = np.clip((1.0 - outside) * 9 + 0.5, 0, 1)
        moon = np.clip((0.34 - np.hypot(along + 0.95, aside * 0.8)) * 10, 0, 1)
        edge = np.clip((along - 0.68 - 0.10 * (1 - aside**2)) * 16, 0, 1)
        value = inside * np.maximum(0.6 + 0.2 * moon, 0.6 + 0.4 * edge)
        ramp[rows, columns] = np.maximum(ramp[rows, columns], value)
        height[rows, columns] += inside * 0.5 - np.clip(1 - np.abs(outside - 1.03) * 9, 0, 1) * (along < 0.7)
    return ramp, height


def _blush() -> Floats:
    """Where the skin is redder: knuckles, finger tips, the pads of the palm."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for points in DORSAL:
        for joint, radius, amount in ((1, 0.014, 0.55), (2, 0.022, 0.8), (3, 0.030, 0.6)):
            total = np.maximum(total, amount * _blob(points[joint], radius))
        total = np.maximum(total, 0.5 * _blob(points[0], 0.022))
    for points in PALMAR:
        total = np.maximum(total, 0.85 * _blob(points[0], 0.035))
        total = np.maximum(total, 0.45 * _blob(points[3], 0.025))
    for centre, radius in (((0.43, 0.72), 0.045), ((0.41, 0.575), 0.04), ((0.26, 0.70), 0.035), ((0.33, 0.54), 0.03)):
        total = np.maximum(total, 0.6 * _blob(centre, radius))
    return total


def _hair(rng: np.random.Generator) -> Floats:
    """Short hairs on the back of the hand and of the first phalanges, pointing outwards."""
    canvas = np.zeros((SIDE, SIDE), np.float32)
    roots = [(p, q, 0.008, 26) for p, q in ((d[3], d[2]) for d in DORSAL[1:])]
    for start, end, spread, count in [
        *roots,
        ((0.50, 0.53), (0.46, 0.42), 0.03, 220),
        ((0.6, 0.6), (0.54, 0.5), 0.04, 160),
    ]:
        a, b = np.asarray(start), np.asarray(end)
        for _ in range(count):
            root = a + (b - a) * rng.uniform(0.25, 0.85) + rng.normal(0, spread, 2)
            bend = rng.normal(0, 0.003, 2)
            way = (b - a) / np.linalg.norm(b - a) * rng.uniform(0.008, 0.018) + np.array([-0.006, -0.004])
            _stroke(canvas, _smooth(((root[0], root[1]), tuple(root + way / 2 + bend), tuple(root + way)), 8), 1, 0.8)
    return canvas


def _tattoos(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two designs: a rosette with rays; bands around the fingers and a stem with leaves."""
    first, second = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    centre, t = np.array([0.585, 0.42]), np.linspace(0, 2 * np.pi, 120)
    for radius, petals in ((0.03, 5), (0.055, 8), (0.075, 8)):
        r = radius * (0.75 + 0.25 * np.cos(petals * t))
        _stroke(first, np.asarray(centre + np.stack([r * np.cos(t), r * np.sin(t)], 1), np.float32), 3)
    for angle in np.arange(16) / 16 * 2 * np.pi:
        ray = np.array([np.cos(angle), np.sin(angle)])
        _stroke(first, np.stack([centre + ray * r for r in (0.08, 0.09, 0.10, 0.105)]).astype(np.float32), 3)
    for points, width in zip(DORSAL[1:], WIDTHS[1:], strict=True):
        p = np.asarray(points)
        for share in (0.35, 0.5, 0.58):
            spot, wobble = p[2] + (p[3] - p[2]) * share, np.zeros(9)
            _stroke(
                second,
                _across(spot, p[2] - p[3], width * 1.1, 0, wobble),
                4 if share == 0.5 else 2,
            )
    stem = _smooth(((0.66, 0.56), (0.60, 0.50), (0.62, 0.43), (0.56, 0.38), (0.57, 0.33)), 60)
    _stroke(second, stem, 4)
    for k in range(4, 58, 6):  # a stem with leaves on both sides
        along = stem[k + 1] - stem[k]
        for hand in (-1, 1):
            leaf = np.array([along[0] - hand * along[1], along[1] + hand * along[0]])
            leaf *= 0.022 / np.linalg.norm(leaf)
            bulge = np.array([-leaf[1], leaf[0]]) * 0.35
            for side in (-1, 1):
                middle = stem[k] + leaf / 2 + bulge * side
                _stroke(second, _smooth(np.stack([stem[k], middle, stem[k] + leaf]), 12), 3)
    return first, second


def _slopes(height_m: Floats) -> tuple[Floats, Floats]:
    """Slopes along u and v, metres of height per texture unit, plus 0.5."""
    dx = cv2.Sobel(height_m, -1, 1, 0, scale=1 / 8) * SIDE
    dy = cv2.Sobel(height_m, -1, 0, 1, scale=1 / 8) * SIDE
    return np.asarray(dx + 0.5, np.float32), np.asarray(dy + 0.5, np.float32)


def _blurred(picture: Floats, texels: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), texels), np.float32)


def draw_textures() -> SkinTextures:
    """Textures of 1024 x 1024 texels, the same in every process."""
    rng = np.random.default_rng(11)
    deep, fine = _creases(rng)
    nail, nail_height = _nails()
    palm = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(palm, [np.round(np.asarray(PALM) * SIDE).astype(np.int32)], 1.0)
    palm = _blurred(palm, 9)
    veins = np.zeros((SIDE, SIDE), np.float32)
    for vein in VEINS:
        _stroke(veins, _smooth(vein), 8)
    veins = _blurred(veins, 5)
    skin = _noise(rng, 260) * _noise(rng, 60).clip(0.2, 1.5) * (1 - nail)
    depth = _blurred(deep, 1.2)
    relief = _blurred(fine, 0.9)
    folds = [
        *_slopes(-0.0011 * depth - 0.0012 * _blurred(deep, 4) + 0.00025 * nail_height + 0.0009 * veins),
        *_slopes(-0.0008 * relief - 0.0006 * _blurred(fine, 3) + 0.00006 * skin),
    ]
    cavity = np.clip(depth * 0.9 + 0.6 * relief + 0.3 * _blurred(deep, 4), 0, 1)
    marks = [cavity, veins, nail, _blush()]
    overlays = [_hair(rng), palm, *_tattoos(rng)]
    return SkinTextures(
        folds=_packed(folds),
        marks=_packed(marks),
        overlays=_packed(overlays),
        region=REGION,
        mirror_line=MIRROR_LINE,
        texel_m=METRES_PER_UNIT / SIDE,
    )


def _packed(channels: Sequence[Floats]) -> Bytes:
    """(side, side, channels) uint8 of values from 0 to 1."""
    return np.asarray(np.clip(np.stack(channels, -1) * 255 + 0.5, 0, 255), np.uint8)
