"""Backgrounds: procedural rooms, walls and outdoors, lit like the rest of the scene, or photos.

A background is (h, w, 3) float32 linear light, as a pinhole camera sees it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from knuckle.errors import InputError, SourceError
from knuckle.extras import cv2
from knuckle.synth.render import materials
from knuckle.synth.render.primitives import Camera, Floats, Surroundings
from knuckle.synth.scene.background_outdoors import outdoors
from knuckle.synth.scene.background_parts import calm_colour, irradiance_of, noise, panorama_along, rays_of, room_rays
from knuckle.synth.scene.background_room import room

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class Photos:
    """The photos of a folder and its subfolders, read when they are needed.

    Raises:
        SourceError: there is no such folder.
        InputError: the folder holds no photos.
    """

    def __init__(self, folder: Path | str) -> None:
        if not Path(folder).is_dir():
            raise SourceError(f"there is no folder of background photos at {folder}")
        self.paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not self.paths:
            raise InputError(f"{folder} holds no background photos ({', '.join(sorted(SUFFIXES))})")

    def cut(self, rng: np.random.Generator, width: int, height: int) -> Floats:
        """A random part of a random photo, half of them mirrored: (height, width, 3) linear light.

        Raises:
            SourceError: the file cannot be read as an image.
        """
        path = self.paths[int(rng.integers(len(self.paths)))]
        photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if photo is None:
            raise SourceError(f"{path} cannot be read as an image: remove it or give another folder of backgrounds")
        largest = min(photo.shape[1] / width, photo.shape[0] / height)
        scale = largest * rng.uniform(0.4, 1.0)
        w, h = max(1, int(width * scale)), max(1, int(height * scale))
        x, y = int(rng.integers(photo.shape[1] - w + 1)), int(rng.integers(photo.shape[0] - h + 1))
        part = photo[y : y + h, x : x + w, ::-1]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        resized = cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(_LINEAR[resized], np.float32)


_LINEAR = materials.linear(np.arange(256) / 255)


def _wall(rng: np.random.Generator, camera: Camera) -> Floats:
    """(h, w, 3) reflectance of a wall, curtain or table top: plain, striped, tiled or grained."""
    h, w = camera.height, camera.width
    colour, other = calm_colour(rng), calm_colour(rng)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / w
    angle = rng.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    period = np.exp(rng.uniform(np.log(0.02), np.log(0.5)))
    kind = rng.random()
    if kind < 0.4:
        pattern = np.zeros((h, w), np.float32)
    elif kind < 0.55:
        pattern = np.clip(np.abs(np.mod(u / period, 1) - 0.5) * 12 - 2.5, 0, 1)
    elif kind < 0.7:
        seam = np.minimum(np.abs(np.mod(u / period, 1) - 0.5), np.abs(np.mod(v / period, 1) - 0.5))
        pattern = np.clip((seam - 0.03) * 30, 0, 1)
    elif kind < 0.85:
        pattern = 0.5 + 0.5 * np.sin(60 * (u * 0.6 + 0.012 * noise(rng, h, w, 1.8)) / period**0.5)
    else:
        pattern = np.clip(noise(rng, h, w, float(rng.uniform(0.8, 1.6))) * 0.8 + 0.5, 0, 1)
    albedo = colour + (other - colour) * pattern[..., None] * rng.uniform(0.2, 1)
    grain = 1 + rng.uniform(0.02, 0.12) * noise(rng, h, w, float(rng.uniform(0.5, 1.5)))
    return np.asarray(np.clip(albedo * grain[..., None], 0.003, 0.95), np.float32)


def _matt_light(surroundings: Surroundings, rng: np.random.Generator, camera: Camera) -> Floats:
    """(h, w, 3) light on a surface that roughly faces the camera, with a slow change across the picture."""
    facing = np.array([rng.normal(0, 0.4), rng.normal(-0.3, 0.4), -1.0])
    room = np.asarray(surroundings.camera_from_room).T @ (facing / np.linalg.norm(facing))
    total = irradiance_of(surroundings)(room)
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32) / camera.width - 0.5
    slope = rng.normal(0, 0.5, 2)
    fall = np.exp(u * slope[0] + v * slope[1])
    return np.asarray(total * fall[..., None], np.float32)


def random_background(
    rng: np.random.Generator, camera: Camera, surroundings: Surroundings, photos: Photos | None = None
) -> Floats:
    """(h, w, 3) linear light of a random background.

    With `photos`, three of four backgrounds are photos. The others are a wall, a room or the outdoors, lit by the
    surroundings, most of them a little out of focus.
    """
    h, w = camera.height, camera.width
    if photos is not None and rng.random() < 0.75:
        picture = photos.cut(rng, w, h)
        mean = float(_matt_light(surroundings, rng, camera).mean())
        return np.asarray(picture * (0.45 * mean / max(float(picture.mean()), 0.02)) ** 0.7, np.float32)
    sigma = w * abs(rng.normal(0, 0.012))
    step = 1 if sigma < 1.5 else 2 if sigma < 5 else 4  # what will be blurred is computed at a smaller size
    coarse = _coarser(camera, step)
    if surroundings.name in ("sun", "overcast") and rng.random() < 0.65:
        picture = outdoors(rng, coarse, surroundings)
    elif rng.random() < 0.3:
        picture = _wall(rng, coarse) * _matt_light(surroundings, rng, coarse)
    else:
        picture = room(rng, coarse, surroundings)
        if rng.random() < 0.5:  # windows and lamps that are in view
            rays = room_rays(rays_of(_coarser(coarse, 2)), surroundings)
            picture = picture + _enlarged(np.clip(panorama_along(surroundings, rays) - 1.2, 0, 4), 2, coarse)
    if sigma > 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma / step), np.float32)
    picture = picture if step == 1 else _enlarged(picture, step, camera)
    return np.asarray(np.maximum(picture, 0), np.float32)


def _coarser(camera: Camera, step: int) -> Camera:
    """The same view with pixels `step` times as wide."""
    w, h = -(-camera.width // step), -(-camera.height // step)
    cx, cy = (camera.cx + 0.5) / step - 0.5, (camera.cy + 0.5) / step - 0.5
    return Camera(w, h, camera.fx / step, camera.fy / step, cx, cy)


def _enlarged(picture: Floats, step: int, camera: Camera) -> Floats:
    """A picture of `_coarser(camera, step)`, resized to the camera's own size."""
    size = (picture.shape[1] * step, picture.shape[0] * step)
    large = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large[: camera.height, : camera.width], np.float32)
