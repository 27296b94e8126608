"""What the procedural backgrounds share: rays, light, noise and colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.appearance.random_materials import any_colour
from knuckle.synth.render import lighting
from knuckle.synth.render.primitives import Camera, Floats, Surroundings


def rays_of(camera: Camera) -> Floats:
    """(h, w, 3) ray directions of the pixels in camera space, with z = 1."""
    x = (np.arange(camera.width, dtype=np.float32) - camera.cx) / camera.fx
    y = (np.arange(camera.height, dtype=np.float32) - camera.cy) / camera.fy
    xs, ys = np.meshgrid(x, y)
    return np.stack([xs, ys, np.ones_like(xs)], -1)


def room_rays(rays: Floats, surroundings: Surroundings) -> Floats:
    """(h, w, 3) ray directions in camera space as unit vectors in the room's space."""
    turned = rays @ np.asarray(surroundings.camera_from_room, np.float32)
    turned /= np.sqrt(cv2.transform(turned * turned, np.ones((1, 3), np.float32)))[..., None]
    return turned


def panorama_along(surroundings: Surroundings, d: Floats) -> Floats:
    """(h, w, 3) light of the panorama along (h, w, 3) unit directions in the room's space."""
    height = surroundings.panorama.shape[0]
    wide = np.concatenate([surroundings.panorama, surroundings.panorama[:, :1]], 1)
    column = (cv2.phase(np.ascontiguousarray(d[..., 2]), np.ascontiguousarray(d[..., 0])) / np.pi + 1) * height - 0.5
    row = np.arccos(np.clip(-d[..., 1], -1, 1)) / np.pi * height - 0.5
    maps = (np.mod(column, 2 * height).astype(np.float32), row.astype(np.float32))
    return np.asarray(cv2.remap(wide, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=1)
def noise_fields() -> Floats:
    """(4, 512, 512) noise that repeats, mean 0, standard deviation 1, from rough to smooth."""
    rng = np.random.default_rng(23)
    f = np.hypot(np.fft.fftfreq(512)[:, None] * 512, np.fft.rfftfreq(512)[None] * 512)
    f[0, 0] = 1
    fields = []
    for rough in (0.5, 0.9, 1.3, 1.8):
        spectrum = np.fft.rfft2(rng.standard_normal((512, 512))) / f**rough
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum, s=(512, 512))
        fields.append(field / field.std())
    return np.asarray(fields, np.float32)


def noise(rng: np.random.Generator, height: int, width: int, smoothness: float) -> Floats:
    """(h, w) noise of mean 0; its amplitude falls with frequency to the power `smoothness`, 0.5 to 1.8."""
    field = noise_fields()[int(np.clip(round((smoothness - 0.5) / 0.43), 0, 3))]
    x, y = (int(v) for v in rng.integers(0, 512, 2))
    rows, columns = (y + np.arange(height)) % 512, (x + np.arange(width)) % 512
    cut = field[rows][:, columns]
    return np.asarray(cut[:, ::-1] if rng.random() < 0.5 else cut, np.float32)


def calm_colour(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(3,) linear reflectance of walls and furniture: whites, greys and browns, rarely strong colours."""
    if rng.random() < 0.25:
        return np.asarray(any_colour(rng), np.float64)
    value, warm = rng.uniform(0.04, 0.8) ** 1.2, rng.normal(0.12, 0.16)
    tint = np.array([1 + warm, 1 + 0.25 * rng.normal(0, 0.1), 1 - 1.2 * warm])
    return np.asarray(np.clip(value * tint, 0.01, 0.9), np.float64)


def irradiance_of(surroundings: Surroundings) -> Callable[[npt.ArrayLike], npt.NDArray[np.float64]]:
    """A function from a normal (3,) in the room's space to the linear light (3,) that a white surface reflects."""
    sums, keys = lighting.harmonics(surroundings), lighting.turned_lights(surroundings)

    def of(normal: npt.ArrayLike) -> npt.NDArray[np.float64]:
        n = np.asarray(surroundings.camera_from_room) @ np.asarray(normal)
        x, y, z = n
        total = np.array([1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]) @ sums.astype(np.float64)
        for key in keys:
            total = total + np.asarray(key.colour) * max(0.1, float(np.dot(key.towards, n)))
        return np.asarray(np.maximum(total, 0.004), np.float64)

    return of
