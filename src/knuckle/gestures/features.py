"""The features of a hand that gestures are recognised from: numbers that do not depend on side, size, place or roll.

`web/src/gestures.ts` computes the same; `tests/gestures/vectors.json` holds both to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from knuckle.results import FINGERTIPS, FloatArray, Hand

Flags: TypeAlias = npt.NDArray[np.bool_]
Vector: TypeAlias = list[float]

MCPS = (5, 9, 13, 17)
PALM = (0, 5, 9, 13, 17)
TIP_PAIRS = [(a, b) for k, a in enumerate(FINGERTIPS) for b in FINGERTIPS[k + 1 :]]
SIZE = 21 * 3 + 21 * 2 + 2 * len(TIP_PAIRS)
"""Length of a row of features."""
TINY = 1e-6
MIRROR = np.array([[1, 1, 1], [-1, 1, 1]], np.float32)[:, None]  # of right and of left hands


def mixture(rows: Sequence[Mapping[int, float]]) -> FloatArray:
    """(len(rows), 21) matrix whose product with 21 points gives sums of points by weight."""
    matrix = np.zeros((len(rows), 21), np.float32)
    for k, weights in enumerate(rows):
        matrix[k, list(weights)] = list(weights.values())
    return matrix


KNUCKLES = {0: -1.0, **dict.fromkeys(MCPS, 1 / len(MCPS))}  # from the wrist to the middle of the knuckles
_AXES = mixture([KNUCKLES, {17: 1, 5: -1}])
_TRIANGLE = mixture([KNUCKLES, {0: 1, 5: -1}, {5: 1, 17: -1}, {17: 1, 0: -1}])
_MIDDLE = mixture([dict.fromkeys(PALM, 1 / len(PALM))])
_TIPS = mixture([{a: 1, b: -1} for a, b in TIP_PAIRS])


def features_of_hands(hands: Sequence[Hand]) -> FloatArray:
    """(n, `SIZE`) features of hands, float32; see `features_of`."""
    landmarks = np.array([hand.landmarks for hand in hands], np.float32).reshape(-1, 21, 3)
    world = np.array([hand.world for hand in hands], np.float32).reshape(-1, 21, 3)
    return features_of(landmarks, world, np.array([hand.handedness == "Left" for hand in hands], np.bool_))


def features_of(landmarks: FloatArray, world: FloatArray, left: Flags) -> FloatArray:
    """(n, `SIZE`) features, float32. Left hands are mirrored first, so that a gesture is the same with both hands.

    The first 63 are the world landmarks in the frame of the palm: the shape of the hand from whichever side it is seen.
    The next 42 are the landmarks of the image, with the wrist down: what the network saw best. The last 20 are the
    distances between the finger tips in the first and in the second. All of them are in palm lengths.

    Args:
        landmarks: (n, 21, 3) image pixels; z is not used.
        world: (n, 21, 3) metres.
        left: (n,) whether each is a left hand.
    """
    mirror = MIRROR[left.astype(np.intp)]
    in_space = in_palm_frame(world * mirror)
    in_image = wrist_down((landmarks * mirror)[:, :, :2])
    rows = (in_space.reshape(-1, 63), in_image.reshape(-1, 42), _between_tips(in_space), _between_tips(in_image))
    return np.concatenate(rows, axis=1, dtype=np.float32)


# The frames of hands are worked out in plain floats: for one or two hands that is several times as fast as NumPy.


def in_palm_frame(points: FloatArray) -> FloatArray:
    """(n, 21, 3) points from the wrist: x to the side of the little finger, y to the fingers, z out of the back."""
    frames = np.array([palm_axes(*pair) for pair in (_AXES @ points).tolist()], np.float32).reshape(-1, 3, 3)
    return cast(FloatArray, (points - points[:, :1]) @ frames)


def palm_axes(up: Vector, side: Vector) -> list[Vector]:
    """Columns x, y and z of the palm's frame, divided by the length of the palm."""
    length = max(math.hypot(*up), TINY)
    ux, uy, uz = (value / length for value in up)
    along = side[0] * ux + side[1] * uy + side[2] * uz
    ax, ay, az = side[0] - along * ux, side[1] - along * uy, side[2] - along * uz
    width = max(math.hypot(ax, ay, az), TINY)
    ax, ay, az = ax / width, ay / width, az / width
    rows = (ax, ux, ay * uz - az * uy), (ay, uy, az * ux - ax * uz), (az, uz, ax * uy - ay * ux)
    return [[value / length for value in row] for row in rows]


def wrist_down(points: FloatArray) -> FloatArray:
    """(n, 21, 2) points from the middle of the palm, turned so that the knuckles are above the wrist (y is down).

    The unit is the longest side of the triangle wrist, index MCP, pinky MCP, which no view shrinks to nothing.
    """
    frames = np.array([image_axes(*rows) for rows in (_TRIANGLE @ points).tolist()], np.float32).reshape(-1, 2, 2)
    return cast(FloatArray, (points - _MIDDLE @ points) @ frames)


def image_axes(up: Vector, *sides: Vector) -> list[Vector]:
    """Columns right and down, divided by the unit."""
    length, unit = max(math.hypot(*up), TINY), max(TINY, *(math.hypot(*side) for side in sides))
    x, y = up[0] / length / unit, up[1] / length / unit
    return [[-y, -x], [x, -y]]


def _between_tips(points: FloatArray) -> FloatArray:
    """(n, 10) distances between the finger tips."""
    apart = _TIPS @ points
    return cast(FloatArray, np.sqrt((apart * apart).sum(axis=2)))
