"""What a hand says besides its points: where the wrist is and how it is turned, curls, a pinch.

All of it is sent within a millisecond, so these functions take lists of plain numbers: for one hand NumPy's calls take
longer than the arithmetic. `knuckle.space` has the angles of the joints by anatomy and the position for the real lens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from knuckle.results import FINGERS, FloatArray

Vector: TypeAlias = tuple[float, float, float]
Quaternion: TypeAlias = tuple[float, float, float, float]  # x, y, z, w
Points: TypeAlias = Sequence[Any]  # 21 lists of x, y, z, or an array (21, 3)
LENS_DEG = 60.0  # angle of view over the longer side of the image, as webcams have it
CHAINS = tuple((0, *joints) for joints in FINGERS.values())
# Sum of the bends at a finger's three joints that counts as straight and as fully bent. In 33 photos of call, four,
# rock and fists, straight fingers had 30 to 80 degrees, as the palm fans out, bent ones 140 to 215, bent thumbs 115.
STRAIGHT_RAD = math.radians(40.0)
BENT_RAD = tuple(math.radians(degrees) for degrees in (120.0, 190.0, 190.0, 190.0, 190.0))
# Distance from the tip of the thumb to that of the index finger, in palm lengths, at which a pinch is 0 and 1.
PINCH_OPEN, PINCH_CLOSED = 0.7, 0.15


def finger_curls(world: Points) -> FloatArray:
    """How far each finger is bent: 0 straight, 1 in a fist.

    Args:
        world: 21 points, metres.

    Returns:
        (5,) from the thumb to the pinky.
    """
    curls = []
    for chain, bent_rad in zip(CHAINS, BENT_RAD, strict=True):
        bones = [unit(difference(world[end], world[start])) for start, end in pairwise(chain)]
        bends_rad = (math.acos(min(max(dot(one, other), -1.0), 1.0)) for one, other in pairwise(bones))
        curls.append(min(max((sum(bends_rad) - STRAIGHT_RAD) / (bent_rad - STRAIGHT_RAD), 0.0), 1.0))
    return np.array(curls)


def pinch_strength(world: Points) -> float:
    """How near the tips of thumb and index finger are: 0 apart, 1 touching.

    Args:
        world: 21 points, metres.
    """
    distance = math.dist(world[4], world[8]) / max(math.dist(world[0], world[9]), 1e-9)
    return min(max((PINCH_OPEN - distance) / (PINCH_OPEN - PINCH_CLOSED), 0.0), 1.0)


def palm_axes(world: Points, side: str) -> FloatArray:
    """(3, 3) whose columns are OpenXR's axes of the wrist: `knuckle.space.bones.palm_frame` of one hand, only faster.

    Args:
        world: 21 points in right-handed axes, any unit.
        side: "Left" or "Right".
    """
    z = unit(difference(world[0], world[9]))
    across = difference(world[13], world[5]) if side == "Right" else difference(world[5], world[13])
    along = dot(across, z)
    x = unit((across[0] - along * z[0], across[1] - along * z[1], across[2] - along * z[2]))
    y = (z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0])
    columns: FloatArray = np.array((x, y, z)).T
    return columns


def wrist_position(landmarks: Points, world: Points, size: tuple[int, int]) -> Vector:
    """Metres from the camera to the wrist: x right, y down, z away.

    The distance follows from the size of the hand in the image, for an average hand and a lens of `LENS_DEG`. It is an
    estimate; `knuckle.space.position` solves for it with the real lens.

    Args:
        landmarks: 21 points, image pixels.
        world: 21 points, metres.
        size: width and height of the image, pixels.
    """
    focal_px = max(size) / (2 * math.tan(math.radians(LENS_DEG) / 2))
    metres = extent(world) / max(extent(landmarks), 1e-6)  # a pixel at the distance of the hand
    x, y, _ = landmarks[0]
    return ((x - size[0] / 2) * metres, (y - size[1] / 2) * metres, focal_px * metres)


def extent(points: Points) -> float:
    """Diagonal of the upright box around points, in their x and y."""
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return math.hypot(max(xs) - min(xs), max(ys) - min(ys))


def difference(end: Sequence[float], start: Sequence[float]) -> Vector:
    """The vector from `start` to `end`."""
    return (end[0] - start[0], end[1] - start[1], end[2] - start[2])


def dot(first: Vector, second: Vector) -> float:
    """The scalar product."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def unit(vector: Vector) -> Vector:
    """The vector scaled to length 1; zero stays zero."""
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z) or 1.0
    return (x / length, y / length, z / length)


def quaternion_of(rotation: FloatArray) -> Quaternion:
    """The quaternion x, y, z, w of a rotation matrix (3, 3), with w >= 0.

    The largest component is computed first, so that nothing is divided by a small number (Shepperd, 1978).
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    squares = (1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i)
    x, y, z, w = (
        (squares[0], b + d, c + g, h - f),
        (b + d, squares[1], f + h, c - g),
        (c + g, f + h, squares[2], d - b),
        (h - f, c - g, d - b, squares[3]),
    )[squares.index(max(squares))]
    norm = math.copysign(math.sqrt(x * x + y * y + z * z + w * w), w)
    return (x / norm, y / norm, z / norm, w / norm)
