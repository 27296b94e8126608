"""A room as background: boxes for furniture, pictures and screens, ray-cast and lit by the surroundings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.render.primitives import Camera, Floats, Surroundings
from knuckle.synth.scene.background_parts import calm_colour, irradiance_of, noise_fields, rays_of

Floats64 = npt.NDArray[np.float64]


def _surface_pattern(rng: np.random.Generator, u: Floats, v: Floats) -> Floats:
    """(n,) pattern, 0 to 1, at coordinates in metres: boards, tiles, shelves, or plain with stains."""
    kind = rng.random()
    size = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    noise = noise_fields()[int(rng.integers(1, 4))]
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
    one, other = calm_colour(rng), calm_colour(rng)
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
    """Half the size of a room, the camera's position in it, and the corners of boxes relative to the camera.

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


def room(rng: np.random.Generator, camera: Camera, surroundings: Surroundings) -> Floats:
    """A room with furniture, pictures and screens, lit by the surroundings and ray-cast at half size."""
    h, w = (camera.height + 1) // 2, (camera.width + 1) // 2
    rays = rays_of(camera)[::2, ::2].reshape(-1, 3) @ np.asarray(surroundings.camera_from_room, np.float32)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) + np.float32(1e-7)
    half, eye, boxes = _random_boxes(rng)
    lows, highs = np.asarray(boxes, np.float32).transpose(1, 0, 2)
    points, which = _nearest(rays, lows, highs, _may_be_seen(lows, highs, camera, surroundings))
    faces = np.argmin(np.abs(np.concatenate([(points - lows[which]).T, (points - highs[which]).T])), 0)
    colour = np.empty((len(rays), 3), np.float32)
    irradiance = irradiance_of(surroundings)
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
