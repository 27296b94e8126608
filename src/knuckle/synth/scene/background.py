"""Backgrounds: procedural rooms, walls and outdoors, lit like the rest of the scene, or photos.

A background is (h, w, 3) float32 linear light, as a pinhole camera sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError, SourceError
from knuckle.synth.render import lighting, materials
from knuckle.synth.render.primitives import Camera, Floats, Surroundings

Floats64 = npt.NDArray[np.float64]
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


def _rays(camera: Camera) -> Floats:
    """(h, w, 3) ray directions of the pixels in camera space, with z = 1."""
    x = (np.arange(camera.width, dtype=np.float32) - camera.cx) / camera.fx
    y = (np.arange(camera.height, dtype=np.float32) - camera.cy) / camera.fy
    xs, ys = np.meshgrid(x, y)
    return np.stack([xs, ys, np.ones_like(xs)], -1)


def _panorama(surroundings: Surroundings, d: Floats) -> Floats:
    """(h, w, 3) light of the panorama along (h, w, 3) unit directions in the room's space."""
    height = surroundings.panorama.shape[0]
    wide = np.concatenate([surroundings.panorama, surroundings.panorama[:, :1]], 1)
    column = (cv2.phase(np.ascontiguousarray(d[..., 2]), np.ascontiguousarray(d[..., 0])) / np.pi + 1) * height - 0.5
    row = np.arccos(np.clip(-d[..., 1], -1, 1)) / np.pi * height - 0.5
    maps = (np.mod(column, 2 * height).astype(np.float32), row.astype(np.float32))
    return np.asarray(cv2.remap(wide, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=1)
def _noises() -> Floats:
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


def _texture(rng: np.random.Generator, height: int, width: int, smoothness: float) -> Floats:
    """(h, w) noise of mean 0 whose amplitude falls with frequency to the power `smoothness`, 0.5 to 1.8."""
    field = _noises()[int(np.clip(round((smoothness - 0.5) / 0.43), 0, 3))]
    x, y = (int(v) for v in rng.integers(0, 512, 2))
    rows, columns = (y + np.arange(height)) % 512, (x + np.arange(width)) % 512
    cut = field[rows][:, columns]
    return np.asarray(cut[:, ::-1] if rng.random() < 0.5 else cut, np.float32)


def _calm_colour(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(3,) linear reflectance of walls and furniture: whites, greys and browns, rarely strong colours."""
    if rng.random() < 0.25:
        return np.asarray(materials.any_colour(rng), np.float64)
    value, warm = rng.uniform(0.04, 0.8) ** 1.2, rng.normal(0.12, 0.16)
    tint = np.array([1 + warm, 1 + 0.25 * rng.normal(0, 0.1), 1 - 1.2 * warm])
    return np.asarray(np.clip(value * tint, 0.01, 0.9), np.float64)


def _surface_pattern(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    """(n,) pattern, 0 to 1, at coordinates in metres: boards, tiles, shelves, or plain with stains."""
    kind = rng.random()
    size = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    noise = _noises()[int(rng.integers(1, 4))]
    scale = 512 / float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    stain = noise[(v * scale).astype(np.int32) % 512, (u * scale * (0.1 if kind < 0.3 else 1)).astype(np.int32) % 512]
    if kind < 0.3:  # boards with grain along u
        board = np.floor(v / size)
        tint = np.mod(board * 0.618 + np.floor(u / (6 * size) + board * 0.37) * 0.271, 1.0)
        return np.asarray(0.6 * tint + 0.15 * stain + 0.4 * (np.mod(v / size, 1) < 0.06), np.float32)
    if kind < 0.5:  # tiles
        seam = (np.mod(u / size, 1) < 0.04) | (np.mod(v / size, 1) < 0.04)
        return np.asarray(seam * 0.9 + 0.08 * stain, np.float32)
    if kind < 0.62:  # shelves with books, blinds, radiators
        row = np.floor(v / size)
        wide = 0.03 + 0.05 * np.mod(row * 0.754, 1)
        return np.asarray(np.mod(np.floor(u / wide) * 0.618 + row * 0.33, 1) * (np.mod(v / size, 1) > 0.12), np.float32)
    return np.asarray(0.25 * stain * rng.random() + 0.1, np.float32)


def _surface_colour(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    """(n, 3) reflectance of a surface of a random pattern at coordinates in metres."""
    one, other = _calm_colour(rng), _calm_colour(rng)
    mixed = one + (other - one) * rng.uniform(0.2, 0.9) * np.clip(_surface_pattern(rng, u, v), 0, 1)[:, None]
    return np.asarray(np.clip(mixed, 0.01, 0.9), np.float32)


def _box_hits(inverse: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """(n,) distances where rays from the origin enter and leave an axis-aligned box (Kay and Kajiya 1986).

    `inverse` (3, n) is one over the rays' directions.
    """
    a, b = low[:, None] * inverse, high[:, None] * inverse
    near, far = np.minimum(a, b), np.maximum(a, b)
    return np.maximum(np.maximum(near[0], near[1]), near[2]), np.minimum(np.minimum(far[0], far[1]), far[2])


def _may_be_seen(lows: Floats, highs: Floats, camera: Camera, surroundings: Surroundings) -> list[int]:
    """Numbers of the boxes, with corners `lows` and `highs` (n, 3), that are not entirely outside the view."""
    corners = np.stack([np.where([k & 1, k & 2, k & 4], highs, lows) for k in range(8)], 1)
    x, y, z = np.moveaxis(corners @ np.asarray(surroundings.camera_from_room, np.float32).T, -1, 0)
    left, right = (z * ((edge - camera.cx) / camera.fx) for edge in (0, camera.width))
    top, bottom = (z * ((edge - camera.cy) / camera.fy) for edge in (0, camera.height))
    outside = [(side < 0).all(1) for side in (z, x - left, right - x, y - top, bottom - y)]
    return [int(k) for k in np.flatnonzero(~np.any(outside, 0))]


def _nearest(rays: Floats, lows: Floats, highs: Floats, seen: list[int]) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Where (n, 3) rays hit the nearest of the `seen` boxes: points and box numbers. Box 0 is the room around."""
    inverse = np.ascontiguousarray(1 / rays.T)
    nearest, which = np.full(len(rays), np.inf, np.float32), np.zeros(len(rays), np.int32)
    for number in sorted({0, *seen}):
        enters, leaves = _box_hits(inverse, lows[number], highs[number])
        distance = leaves if number == 0 else np.where((enters < leaves) & (enters > 0.5), enters, np.inf)
        closer = distance < nearest
        np.copyto(nearest, distance, where=closer)
        which[closer] = number
    return rays * nearest[:, None], which


def _random_boxes(rng: np.random.Generator) -> tuple[Floats64, Floats64, list[tuple[Floats64, Floats64]]]:
    """Half the size of a room, the camera's place in it, and the corners of boxes relative to the camera.

    The first box is the room itself, the others are furniture, pictures and screens.
    """
    half = np.array([rng.uniform(1.2, 4), rng.uniform(1.15, 1.7), rng.uniform(1.2, 4)])
    eye = rng.uniform(-0.6, 0.6, 3) * half * np.array([1, 0.4, 1])
    boxes = [(-half - eye, half - eye)]
    for _ in range(int(rng.integers(8, 30))):
        size = np.exp(rng.uniform(np.log(0.08), np.log(1.0), 3)) * np.array([0.6, 0.7, 0.6])
        spot = rng.uniform(-1, 1, 3) * half
        axis, kind = int(rng.choice([0, 2])), rng.random()
        spot[axis] = np.sign(spot[axis]) * (half[axis] - (size[axis] if kind < 0.5 else 0.02))
        if kind < 0.5:  # furniture on the floor, which is at +y
            spot[1] = half[1] - size[1]
        else:  # a picture, a screen, a shelf or a door on a wall
            size[axis] = 0.03
        boxes.append((spot - size - eye, spot + size - eye))
    return half, eye, boxes


def _room(rng: np.random.Generator, camera: Camera, surroundings: Surroundings) -> Floats:
    """A room with furniture, pictures and screens, lit by the surroundings and ray-cast at half size."""
    h, w = (camera.height + 1) // 2, (camera.width + 1) // 2
    rays = _rays(camera)[::2, ::2].reshape(-1, 3) @ np.asarray(surroundings.camera_from_room, np.float32)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) + np.float32(1e-7)
    half, eye, boxes = _random_boxes(rng)
    lows, highs = np.asarray(boxes, np.float32).transpose(1, 0, 2)
    points, which = _nearest(rays, lows, highs, _may_be_seen(lows, highs, camera, surroundings))
    faces = np.argmin(np.abs(np.concatenate([(points - lows[which]).T, (points - highs[which]).T])), 0)
    colour = np.empty((len(rays), 3), np.float32)
    irradiance = _irradiance(surroundings)
    # Group the pixels by box and face: each face has its own colours.
    codes = (which * 6 + faces).astype(np.int16)
    order = np.argsort(codes, kind="stable")
    for chosen in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        number, face = divmod(int(codes[chosen[0]]), 6)
        u, v = ((2, 1), (0, 2), (0, 1))[face % 3]
        p = points[chosen] + eye.astype(np.float32)
        normal = np.eye(3)[face % 3] * (1 if (face >= 3) != (number == 0) else -1)
        lit = irradiance(normal)
        colour[chosen] = _surface_colour(rng, p[:, u] + 20, p[:, v] + 20) * lit.astype(np.float32)
    x, y, z = np.minimum(np.abs(points - lows[0]), np.abs(points - highs[0])).T
    inner = np.maximum(np.minimum(x, y), np.minimum(np.maximum(x, y), z))  # distance to the nearest edge: the median
    colour *= (1 - 0.45 * np.exp(-inner / 0.25))[:, None]  # corners are darker
    lamp = (rng.uniform(-1, 1, 3) * half - eye).astype(np.float32)
    colour *= (0.55 + 0.9 / (1 + 0.5 * ((points - lamp) ** 2).sum(1)))[:, None]
    small = cv2.resize(colour.reshape(h, w, 3), (w * 2, h * 2), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(small[: camera.height, : camera.width])


def _irradiance(surroundings: Surroundings) -> Callable[[npt.ArrayLike], npt.NDArray[np.float64]]:
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


def _wall(rng: np.random.Generator, camera: Camera) -> Floats:
    """(h, w, 3) reflectance of a wall, curtain or table top: plain, striped, tiled or grained."""
    h, w = camera.height, camera.width
    colour, other = _calm_colour(rng), _calm_colour(rng)
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
        pattern = 0.5 + 0.5 * np.sin(60 * (u * 0.6 + 0.012 * _texture(rng, h, w, 1.8)) / period**0.5)
    else:
        pattern = np.clip(_texture(rng, h, w, float(rng.uniform(0.8, 1.6))) * 0.8 + 0.5, 0, 1)
    albedo = colour + (other - colour) * pattern[..., None] * rng.uniform(0.2, 1)
    grain = 1 + rng.uniform(0.02, 0.12) * _texture(rng, h, w, float(rng.uniform(0.5, 1.5)))
    return np.asarray(np.clip(albedo * grain[..., None], 0.003, 0.95), np.float32)


def _matt_light(surroundings: Surroundings, rng: np.random.Generator, camera: Camera) -> Floats:
    """(h, w, 3) light on a surface that roughly faces the camera, with a slow change across the picture."""
    facing = np.array([rng.normal(0, 0.4), rng.normal(-0.3, 0.4), -1.0])
    room = np.asarray(surroundings.camera_from_room).T @ (facing / np.linalg.norm(facing))
    total = _irradiance(surroundings)(room)
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32) / camera.width - 0.5
    slope = rng.normal(0, 0.5, 2)
    fall = np.exp(u * slope[0] + v * slope[1])
    return np.asarray(total * fall[..., None], np.float32)


def _outdoors(rng: np.random.Generator, camera: Camera, surroundings: Surroundings) -> Floats:
    """Sky, ground, and trees or houses along the horizon; computed at half size."""
    h, w = (camera.height + 1) // 2, (camera.width + 1) // 2
    rays = np.ascontiguousarray(_rays(camera)[::2, ::2]) @ np.asarray(surroundings.camera_from_room, np.float32)
    rays /= np.sqrt(cv2.transform(rays * rays, np.ones((1, 3), np.float32)))[..., None]
    picture = _panorama(surroundings, rays)
    x, down, z = (np.ascontiguousarray(rays[..., k]) for k in range(3))
    # The ground, a metre or so below the camera.
    far = float(rng.uniform(0.3, 1.7)) / np.maximum(down, 0.01)
    gx, gz = (x * far * 60).astype(np.int32), (z * far * 60).astype(np.int32)
    fine, coarse = _noises()[1], _noises()[3]
    grain = fine[gz % 512, gx % 512] * np.clip(8 / far, 0, 1) + 0.8 * coarse[(gz // 9) % 512, (gx // 9) % 512]
    soil = np.clip(np.array([[0.10, 0.15, 0.05], [0.22, 0.17, 0.11], [0.20, 0.20, 0.20]])[rng.integers(3)], 0, 1)
    other = soil * rng.uniform(0.5, 1.6) * rng.uniform(0.85, 1.15, 3)
    ground = soil + (other - soil) * np.clip(0.5 + 0.4 * grain, 0, 1)[..., None]
    ground = ground * _irradiance(surroundings)((0.0, -1.0, 0.0)) * np.exp(0.12 * grain)[..., None]
    haze = np.exp(-far / 80)[..., None]
    ground = ground * haze + (1 - haze) * picture.mean(axis=(0, 1)) * 0.8
    # Trees or houses along the horizon.
    around = (np.arctan2(x, z) * 160).astype(np.int32) % 512
    height = 0.10 * rng.random() + 0.09 * _noises()[3][int(rng.integers(512))][around] * rng.random()
    rough = np.exp(0.45 * _texture(rng, h, w, 0.9) + 0.3 * _texture(rng, h, w, 1.8))
    if rng.random() < 0.65:
        leaf = np.array([0.07, 0.11, 0.035]) * rng.uniform(0.5, 1.4)
        height = height + 0.02 * _texture(rng, h, w, 0.9)
    else:
        block = np.floor(around / 37.0)
        leaf, height = _calm_colour(rng) * 0.7, 0.05 + 0.25 * np.mod(block * 0.618, 1)
        rough = 0.75 + 0.5 * ((np.mod(around, 9) > 3) & (np.mod(down * 40, 1) > 0.4)) + 0.2 * np.mod(block * 0.37, 1)
    trees = leaf * _irradiance(surroundings)(-np.asarray(surroundings.camera_from_room)[2]) * rough[..., None]
    picture = np.where((-down < height)[..., None], trees, picture)
    picture = np.where((down > 0.004)[..., None], ground, picture).astype(np.float32)
    large = cv2.resize(picture, (w * 2, h * 2), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[: camera.height, : camera.width])


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
        picture = _outdoors(rng, coarse, surroundings)
    elif rng.random() < 0.3:
        picture = _wall(rng, coarse) * _matt_light(surroundings, rng, coarse)
    else:
        picture = _room(rng, coarse, surroundings)
        if rng.random() < 0.5:  # windows and lamps that are in view
            rays = _rays(_coarser(coarse, 2)) @ np.asarray(surroundings.camera_from_room, np.float32)
            rays /= np.sqrt(cv2.transform(rays * rays, np.ones((1, 3), np.float32)))[..., None]
            picture = picture + _enlarged(np.clip(_panorama(surroundings, rays) - 1.2, 0, 4), 2, coarse)
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
