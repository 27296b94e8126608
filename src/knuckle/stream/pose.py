"""What a hand says besides its points: where the wrist is, how far each finger is bent, a pinch; quaternions.

All of it takes microseconds. `knuckle.space` has the angles of the joints by anatomy, and the position of the hand for
the real lens, which take milliseconds.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from knuckle.results import FINGERS, FloatArray, Frame, Hand

Vector: TypeAlias = tuple[float, float, float]
Quaternion: TypeAlias = tuple[float, float, float, float]  # x, y, z, w
LENS_DEG = 60.0  # angle of view over the longer side of the image, as webcams have it

BONES = np.array([[(0, *joints)[k : k + 2] for k in range(4)] for joints in FINGERS.values()])  # (5, 4, 2)
# Sum of the bends at a finger's three joints that counts as straight and as fully bent. In 33 photos of call, four,
# rock and fists, straight fingers had 30 to 80 degrees, as the palm fans out, bent ones 140 to 215, bent thumbs 115.
STRAIGHT_RAD = np.radians(40.0)
BENT_RAD = np.radians([120.0, 190.0, 190.0, 190.0, 190.0])
# Distance from the tip of the thumb to that of the index finger, in palm lengths, at which a pinch is 0 and 1.
PINCH_OPEN, PINCH_CLOSED = 0.7, 0.15


def finger_curls(world: FloatArray) -> FloatArray:
    """How far each finger is bent: 0 straight, 1 in a fist.

    Args:
        world: (21, 3) metres.

    Returns:
        (5,) from the thumb to the pinky.
    """
    bones = world[BONES[..., 1]] - world[BONES[..., 0]]
    bones /= np.maximum(np.sqrt((bones * bones).sum(-1, keepdims=True)), 1e-9)
    cosines = (bones[:, :-1] * bones[:, 1:]).sum(-1)
    bends_rad = np.arccos(np.clip(cosines, -1, 1))
    return np.clip((bends_rad.sum(-1) - STRAIGHT_RAD) / (BENT_RAD - STRAIGHT_RAD), 0, 1)  # type: ignore[no-any-return]


def pinch_strength(world: FloatArray) -> float:
    """How near the tips of thumb and index finger are: 0 apart, 1 touching.

    Args:
        world: (21, 3) metres.
    """
    wrist, thumb, index, middle = world[[0, 4, 8, 9]].tolist()
    distance = math.dist(thumb, index) / max(math.dist(wrist, middle), 1e-9)
    return min(max((PINCH_OPEN - distance) / (PINCH_OPEN - PINCH_CLOSED), 0.0), 1.0)


def wrist_position(hand: Hand, frame: Frame) -> Vector:
    """Metres from the camera to the wrist: x right, y down, z away.

    The distance follows from the size of the hand in the image, for an average hand and a lens of `LENS_DEG`. It is an
    estimate; `knuckle.space.position` solves for it with the real lens.
    """
    focal_px = max(frame.width, frame.height) / (2 * math.tan(math.radians(LENS_DEG) / 2))
    size_px, size_m = (math.hypot(*np.ptp(points[:, :2], axis=0)) for points in (hand.landmarks, hand.world))
    metres = size_m / max(size_px, 1e-6)  # a pixel at the distance of the hand
    x, y = hand.landmarks[0, :2].tolist()
    return ((x - frame.width / 2) * metres, (y - frame.height / 2) * metres, focal_px * metres)


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
