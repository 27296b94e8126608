"""The outdoors as background: sky, ground, and trees or houses along the horizon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.render.primitives import Camera, Floats, Surroundings
from knuckle.synth.scene.background_parts import (
    calm_colour,
    irradiance_of,
    noise,
    noise_fields,
    panorama_along,
    rays_of,
    room_rays,
)

Floats64 = npt.NDArray[np.float64]


def outdoors(rng: np.random.Generator, camera: Camera, surroundings: Surroundings) -> Floats:
    """(h, w, 3) light of sky, ground, and trees or houses along the horizon; computed at half size."""
    h, w = (camera.height + 1) // 2, (camera.width + 1) // 2
    rays = room_rays(np.ascontiguousarray(rays_of(camera)[::2, ::2]), surroundings)
    picture = panorama_along(surroundings, rays)
    ground = _ground(rng, rays, surroundings, horizon=picture.mean(axis=(0, 1)))
    height, skyline = _skyline(rng, rays, surroundings)
    down = rays[..., 1]
    picture = np.where((-down < height)[..., None], skyline, picture)
    picture = np.where((down > 0.004)[..., None], ground, picture).astype(np.float32)
    large = cv2.resize(picture, (w * 2, h * 2), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[: camera.height, : camera.width])


def _ground(rng: np.random.Generator, rays: Floats, surroundings: Surroundings, horizon: Floats) -> Floats64:
    """(h, w, 3) light of the ground, a metre or so below the camera. It fades into the light (3,) of the horizon."""
    x, down, z = (np.ascontiguousarray(rays[..., k]) for k in range(3))
    far = float(rng.uniform(0.3, 1.7)) / np.maximum(down, 0.01)
    gx, gz = (x * far * 60).astype(np.int32), (z * far * 60).astype(np.int32)
    fine, coarse = noise_fields()[1], noise_fields()[3]
    grain = fine[gz % 512, gx % 512] * np.clip(8 / far, 0, 1) + 0.8 * coarse[(gz // 9) % 512, (gx // 9) % 512]
    soil = np.array([[0.10, 0.15, 0.05], [0.22, 0.17, 0.11], [0.20, 0.20, 0.20]])[rng.integers(3)]
    other = soil * rng.uniform(0.5, 1.6) * rng.uniform(0.85, 1.15, 3)
    ground = soil + (other - soil) * np.clip(0.5 + 0.4 * grain, 0, 1)[..., None]
    ground = ground * irradiance_of(surroundings)((0.0, -1.0, 0.0)) * np.exp(0.12 * grain)[..., None]
    haze = np.exp(-far / 80)[..., None]
    return np.asarray(ground * haze + (1 - haze) * horizon * 0.8, np.float64)


def _skyline(rng: np.random.Generator, rays: Floats, surroundings: Surroundings) -> tuple[Floats64, Floats64]:
    """Trees or houses along the horizon: (h, w) height, as -y of a unit ray, and (h, w, 3) light."""
    x, down, z = (np.ascontiguousarray(rays[..., k]) for k in range(3))
    h, w = down.shape
    around = (np.arctan2(x, z) * 160).astype(np.int32) % 512
    height = 0.10 * rng.random() + 0.09 * noise_fields()[3][int(rng.integers(512))][around] * rng.random()
    brightness = np.exp(0.45 * noise(rng, h, w, 0.9) + 0.3 * noise(rng, h, w, 1.8))
    if rng.random() < 0.65:
        colour = np.array([0.07, 0.11, 0.035]) * rng.uniform(0.5, 1.4)  # leaves
        height = height + 0.02 * noise(rng, h, w, 0.9)
    else:
        block = np.floor(around / 37.0)
        colour, height = calm_colour(rng) * 0.7, 0.05 + 0.25 * np.mod(block * 0.618, 1)
        windows = (np.mod(around, 9) > 3) & (np.mod(down * 40, 1) > 0.4)
        brightness = 0.75 + 0.5 * windows + 0.2 * np.mod(block * 0.37, 1)
    light = colour * irradiance_of(surroundings)(-np.asarray(surroundings.camera_from_room)[2])
    return np.asarray(height, np.float64), np.asarray(light * brightness[..., None], np.float64)
