"""Where a hand points: what a gesture may ask for besides a shape, such as a thumb that points up."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from knuckle.gestures.features import KNUCKLES, Flags, Vector, mixture
from knuckle.results import FloatArray

CONDITIONS = ("thumb_up", "thumb_down", "index_up", "index_down", "fingers_up", "palm_shown", "thumb_out")
"""The conditions that a set of gestures can name."""
LIMIT = 0.6  # cosine of the angle to the vertical at which "up" is even odds: 53 degrees
SHARPNESS = 12.0  # logits per unit of the cosine, or per palm length
OUT = 0.5  # palm lengths from the index finger's PIP at which a thumb is as likely as not away from the fist
_VECTORS = mixture([{4: 1, 2: -1}, {8: 1, 5: -1}, KNUCKLES, {17: 1, 5: -1}, {4: 1, 6: -1}])


def conditions_of(world: FloatArray, left: Flags) -> FloatArray:
    """(n, len(CONDITIONS)) how far each condition holds, 0..1.

    "Up" is up in the image. "palm_shown" says that the palm faces the camera rather than the back of the
    hand, "thumb_out" that the tip of the thumb is away from the index finger.

    Args:
        world: (n, 21, 3) metres; x right, y down, z away.
        left: (n,) whether each is a left hand.
    """
    rows = [_cosines(*vectors) for vectors in (_VECTORS @ world).tolist()]
    cosines = np.array(rows, np.float32).reshape(-1, len(CONDITIONS))
    cosines[:, -2] = np.where(left, -cosines[:, -2], cosines[:, -2]) + LIMIT
    return cast(FloatArray, 1 / (1 + np.exp(-SHARPNESS * (cosines - LIMIT))))


def _cosines(thumb: Vector, index: Vector, knuckles: Vector, across: Vector, out: Vector) -> Vector:
    """What is compared with `LIMIT`, in the order of `CONDITIONS`: cosines of angles, and how far the thumb is away."""
    ups = [-vector[1] / max(math.hypot(*vector), 1e-9) for vector in (thumb, index, knuckles)]
    # Out of the back of a right hand; its z is positive where the back faces away from the camera.
    ax, ay, az = across
    kx, ky, kz = knuckles
    away = (ay * kz - az * ky, az * kx - ax * kz, ax * ky - ay * kx)
    facing = away[2] / max(math.hypot(*away), 1e-9)
    gap = math.hypot(*out) / max(math.hypot(*knuckles), 1e-9)
    return [ups[0], -ups[0], ups[1], -ups[1], ups[2], facing, gap - OUT + LIMIT]
