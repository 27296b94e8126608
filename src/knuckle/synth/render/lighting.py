"""Light: random surroundings as small panoramas, and what the shaders read of them.

The shaders read two things: `harmonics`, nine numbers per colour for light on matt surfaces, and `mirror_levels`,
blurred octahedral pictures for light that surfaces mirror.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.render.primitives import Floats, Light, Surroundings

HEIGHT = 32  # rows of a panorama
MIRROR_SIDE = 64
MIRROR_LEVELS = 5


@lru_cache(maxsize=4)
def directions(height: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The pixels of a panorama with `height` rows: (h, 2h, 3) unit directions and (h, 2h) solid angles, steradians."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    around = (np.arange(2 * height) + 0.5) / height * np.pi - np.pi
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None]
    unit = np.stack([sine * np.sin(around), -cosine + 0 * around, sine * np.cos(around)], -1)
    area = np.repeat(sine, 2 * height, 1)
    return unit, area / area.sum() * 4 * np.pi


def harmonics(surroundings: Surroundings) -> Floats:
    """(9, 3) spherical harmonics of the light on matt surfaces (irradiance / pi), in camera space.

    They are the factors of 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² of the normal: Ramamoorthi and Hanrahan 2001, "An
    efficient representation for irradiance environment maps", eq. 11-13.
    """
    unit, area = directions(surroundings.panorama.shape[0])
    x, y, z = np.moveaxis(unit.reshape(-1, 3) @ np.asarray(surroundings.camera_from_room).T, -1, 0)
    basis = np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
    norm = np.array([0.282095, *[0.488603] * 3, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])
    lobe = np.array([1.0, *[2 / 3] * 3, *[0.25] * 5])
    sums = basis @ (surroundings.panorama.reshape(-1, 3) * area.reshape(-1, 1))
    return np.asarray(sums * (norm * norm * lobe)[:, None], np.float32)


@lru_cache(maxsize=MIRROR_LEVELS)
def _octahedron(side: int) -> npt.NDArray[np.float64]:
    """(side², 3) camera-space directions of the pixels of the octahedral picture that lighting.glsl reads."""
    grid = ((np.arange(side) + 0.5) / side - 0.5) / 0.47
    u, v = np.meshgrid(grid, grid)
    height = 1 - np.abs(u) - np.abs(v)
    fold = height < 0
    x = np.where(fold, (1 - np.abs(v)) * np.where(u >= 0, 1, -1), u)
    z = np.where(fold, (1 - np.abs(u)) * np.where(v >= 0, 1, -1), v)
    points = np.stack([x, height, z], -1).reshape(-1, 3)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float64)


def mirror_levels(surroundings: Surroundings) -> list[Floats]:
    """Octahedral pictures of the surroundings, 64, 32, 16, 8 and 4 pixels square, each for a rougher surface."""
    height = surroundings.panorama.shape[0]
    wrapped = np.concatenate([surroundings.panorama[:, -height // 2 :], surroundings.panorama], 1)
    wide = np.concatenate([wrapped, surroundings.panorama[:, : height // 2]], 1)
    levels = []
    for level in range(MIRROR_LEVELS):
        side = MIRROR_SIDE >> level
        sigma = height * (0.012, 0.035, 0.08, 0.14, 0.22)[level]
        blurred = cv2.GaussianBlur(wide, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        d = _octahedron(side) @ np.asarray(surroundings.camera_from_room)
        column = (np.arctan2(d[:, 0], d[:, 2]) / np.pi + 1) * height - 0.5 + height // 2
        row = np.arccos(np.clip(-d[:, 1], -1, 1)) / np.pi * height - 0.5
        maps = (column.astype(np.float32).reshape(side, side), row.astype(np.float32).reshape(side, side))
        levels.append(np.asarray(cv2.remap(blurred, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), "f4"))
    return levels


def turned_lights(surroundings: Surroundings) -> list[Light]:
    """The three strongest key lights, strongest first, with `towards` as a unit vector in camera space."""
    lights = []
    for light in sorted(surroundings.lights, key=lambda light: -sum(light.colour))[:3]:
        d = np.asarray(surroundings.camera_from_room) @ np.asarray(light.towards, np.float64)
        d = d / np.linalg.norm(d)
        lights.append(Light((float(d[0]), float(d[1]), float(d[2])), light.colour, light.angle_rad))
    return lights


def _warm(kelvin: float) -> Floats:
    """Linear RGB of a black body with green at 1: a fit to the Planckian locus, within a few percent for 2-12 kK."""
    t = kelvin / 1000
    return np.array([np.clip(1.0 + 0.21 * (6.5 - t), 0.62, 2.1), 1.0, np.clip(0.16 * t - 0.03, 0.22, 1.7)], np.float32)


def _unit(d: npt.ArrayLike) -> npt.NDArray[np.float64]:
    v = np.asarray(d, np.float64)
    return np.asarray(v / np.linalg.norm(v), np.float64)


def _random_direction(rng: np.random.Generator, low: float, high: float) -> npt.NDArray[np.float64]:
    """A random direction with an elevation above the horizon between low and high, radians."""
    elevation, around = rng.uniform(low, high), rng.uniform(-np.pi, np.pi)
    c = np.cos(elevation)
    return np.array([c * np.sin(around), -np.sin(elevation), c * np.cos(around)])


def _gradient(zenith: Floats, horizon: Floats, ground: Floats) -> Floats:
    """A panorama with a sky that changes from zenith to horizon, and ground below."""
    up = -directions(HEIGHT)[0][..., 1:2]
    sky = horizon + (zenith - horizon) * np.clip(up, 0, 1) ** 0.6
    below = ground + (horizon * 0.5 - ground) * np.exp(-np.clip(-up, 0, 1) * 6)
    return np.asarray(np.where(up > 0, sky, below), np.float32)


def _panel(panorama: Floats, towards: npt.ArrayLike, wide: float, high: float, colour: Floats) -> Floats:
    """The panorama plus a bright rectangle with soft edges, such as a window or a lamp. Half sizes in radians."""
    d, unit = _unit(towards), directions(HEIGHT)[0]
    side = _unit(np.cross(d, (0.0, 1.0, 0.0) if abs(d[1]) < 0.95 else (1.0, 0.0, 0.0)))
    ahead = np.maximum(unit @ d, 1e-3)
    x, y = np.abs(unit @ side) / ahead / np.tan(wide), np.abs(unit @ np.cross(d, side)) / ahead / np.tan(high)
    inside = np.clip((1.15 - np.maximum(x, y)) / 0.3, 0, 1) * (unit @ d > 0)
    return np.asarray(panorama + inside[..., None] * colour, np.float32)


def _light(towards: npt.ArrayLike, colour: Floats, angle: float) -> Light:
    d = _unit(towards)
    return Light((float(d[0]), float(d[1]), float(d[2])), (float(colour[0]), float(colour[1]), float(colour[2])), angle)


def _outdoors(rng: np.random.Generator) -> Surroundings:
    """Sun or an overcast sky."""
    sunny = rng.random() < 0.6
    level = float(rng.uniform(0.3, 0.7))
    blue, haze = np.array([0.45, 0.70, 1.25], np.float32), rng.uniform(0.2, 0.8)
    zenith = level * (blue * (1 - haze) + haze) if sunny else np.full(3, level, np.float32) * rng.uniform(0.9, 1.2)
    ground = np.array([[0.20, 0.24, 0.10], [0.30, 0.26, 0.20], [0.32, 0.32, 0.33]][rng.integers(3)], np.float32) * level
    panorama = _gradient(zenith.astype(np.float32), (zenith * 0.5 + level * 0.6).astype(np.float32), ground)
    if not sunny:
        glow = _random_direction(rng, 0.4, 1.3)
        soft = _light(glow, np.full(3, level * rng.uniform(0.2, 0.7), np.float32), 0.9)
        return Surroundings(panorama, (soft,), "overcast")
    sun = _random_direction(rng, 0.12, 1.35)
    height = -float(sun[1])
    colour = _warm(3300 + 2400 * min(1.0, height * 1.6)) * rng.uniform(1.0, 2.6)
    panorama = _panel(panorama, sun, 0.25, 0.25, colour * 0.5)
    return Surroundings(panorama + ground * max(height, 0) * 0.8, (_light(sun, colour, 0.06),), "sun")


def _indoors(rng: np.random.Generator) -> Surroundings:
    """A room with a window, lamps or both."""
    level = float(rng.uniform(0.12, 0.4))
    tone = _warm(rng.uniform(2700, 6500))
    wall = level * tone * rng.uniform(0.8, 1.1, 3).astype(np.float32)
    panorama = _gradient(wall * rng.uniform(1.0, 1.8), wall, wall * rng.uniform(0.25, 0.7))
    lights = []
    if rng.random() < 0.55:
        window = _random_direction(rng, -0.1, 0.5)
        day = _warm(rng.uniform(5200, 8500)) * rng.uniform(1.5, 5.0)
        wide, high = rng.uniform(0.2, 0.6), rng.uniform(0.25, 0.6)
        panorama = _panel(panorama, window, wide, high, day)
        lights.append(_light(window, day * min(0.8, wide * high * 1.6), 0.5))
    if rng.random() < 0.75 or not lights:
        for _ in range(int(rng.integers(1, 3))):
            lamp = _random_direction(rng, 0.35, 1.5)
            glow = tone * rng.uniform(0.3, 1.2)
            size = rng.uniform(0.06, 0.3)
            panorama = _panel(panorama, lamp, size, size, glow * 3)
            lights.append(_light(lamp, glow, 0.1 + size))
    return Surroundings(panorama, tuple(lights), "room", float(rng.uniform(0, 0.4)))


def _dark(rng: np.random.Generator) -> Surroundings:
    """Evening: one lamp or a screen, and little other light."""
    tone = _warm(rng.uniform(2300, 9000))
    panorama = _gradient(*(tone * rng.uniform(0.005, 0.06) * f for f in (1.0, 0.8, 0.4)))
    towards = _random_direction(rng, -0.4, 1.0)
    panorama = _panel(panorama, towards, 0.35, 0.25, tone * 2)
    return Surroundings(panorama, (_light(towards, tone * 0.6, 0.4),), "dark", float(rng.uniform(0.5, 1.0)))


def _coloured(rng: np.random.Generator) -> Surroundings:
    """Coloured lamps from two sides."""
    hues = np.clip(np.abs(np.mod(rng.random((2, 1)) * 6 + np.array([0, 4, 2]), 6) - 3) - 1, 0, 1)
    colours = (0.15 + 0.85 * hues * rng.uniform(0.6, 1.0)).astype(np.float32)
    base = np.full(3, 0.06, np.float32) + colours.mean(0) * 0.08
    panorama, lights = _gradient(base, base, base * 0.5), []
    for colour in colours:
        towards = _random_direction(rng, -0.2, 1.0)
        panorama = _panel(panorama, towards, 0.4, 0.4, colour * 1.5)
        lights.append(_light(towards, colour * rng.uniform(0.3, 0.9), 0.3))
    return Surroundings(panorama, tuple(lights), "coloured", 0.5)


def _backlit(rng: np.random.Generator) -> Surroundings:
    """Backlight: a bright window or sky behind the hand."""
    room = _indoors(rng)
    towards = np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.2), 1.0])
    day = _warm(rng.uniform(4500, 8000)) * rng.uniform(2.0, 5.0)
    panorama = _panel(room.panorama * 0.4, towards, 0.7, 0.6, day)
    return Surroundings(panorama, (_light(towards, day * 0.5, 0.4),), "backlight", 0.2)


def _flash(rng: np.random.Generator) -> Surroundings:
    """A camera flash or a ring light beside the lens."""
    dim = _warm(rng.uniform(3000, 6000)) * rng.uniform(0.03, 0.15)
    towards = np.array([rng.normal(0, 0.15), rng.normal(-0.1, 0.15), -1.0])
    lamp = _light(towards, np.full(3, rng.uniform(0.7, 1.3), np.float32), 0.12)
    panorama = _panel(_gradient(dim, dim, dim * 0.6), towards, 0.15, 0.15, dim * 0 + 3)
    return Surroundings(panorama, (lamp,), "flash", 0.5)


def random_surroundings(rng: np.random.Generator) -> Surroundings:
    """Mostly rooms and skies; sometimes darkness, coloured light, backlight or flash."""
    makers = (_indoors, _outdoors, _backlit, _dark, _coloured, _flash)
    return makers[rng.choice(len(makers), p=[0.48, 0.26, 0.08, 0.08, 0.05, 0.05])](rng)
