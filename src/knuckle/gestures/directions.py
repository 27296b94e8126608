"""Where a hand points: what a gesture may ask for besides a shape, such as a thumb that points up."""

from __future__ import annotations

import numpy as np

from knuckle.gestures.features import MCPS, Flags
from knuckle.results import FloatArray

CONDITIONS = ("thumb_up", "thumb_down", "index_up", "index_down", "fingers_up", "palm_shown")
"""The conditions that a set of gestures can name."""
LIMIT = 0.6  # cosine of the angle to the vertical at which "up" is even odds: 53 degrees
SHARPNESS = 12.0  # logits per unit of the cosine


def conditions_of(world: FloatArray, left: Flags) -> FloatArray:
    """(n, len(CONDITIONS)) how far each condition holds, 0..1.

    "Up" is up in the image. "palm_shown" says that the palm faces the camera rather than the back of the hand.

    Args:
        world: (n, 21, 3) metres; x right, y down, z away.
        left: (n,) whether each is a left hand.
    """
    knuckles = world[:, MCPS].mean(axis=1) - world[:, 0]
    across = world[:, 17] - world[:, 5]
    # Out of the back of a right hand; its z is positive where the back faces away from the camera.
    away = np.cross(across, knuckles)
    facing = away[:, 2] / np.maximum(np.linalg.norm(away, axis=1), 1e-9) * np.where(left, -1, 1)
    vectors = np.stack([world[:, 4] - world[:, 2], world[:, 8] - world[:, 5], knuckles])
    thumb, index, fingers = -vectors[:, :, 1] / np.maximum(np.linalg.norm(vectors, axis=2), 1e-9)  # cosines to up
    cosines = np.stack([thumb, -thumb, index, -index, fingers, facing + LIMIT], axis=1)
    return np.asarray(1 / (1 + np.exp(-SHARPNESS * (cosines - LIMIT))), np.float32)
