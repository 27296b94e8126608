"""The features of a hand that gestures are recognised from: numbers that do not depend on side, size, place or roll.

`web/src/gestures.ts` computes the same; `tests/gestures/vectors.json` holds both to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from knuckle.results import FINGERTIPS, FloatArray, Hand

Flags: TypeAlias = npt.NDArray[np.bool_]

MCPS = [5, 9, 13, 17]
PALM = [0, 5, 9, 13, 17]
TIP_PAIRS = np.array([(a, b) for k, a in enumerate(FINGERTIPS) for b in FINGERTIPS[k + 1 :]])
SIZE = 21 * 3 + 21 * 2 + 2 * len(TIP_PAIRS)
"""Length of a row of features."""
TINY = 1e-6


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
    mirror = np.where(left, -1.0, 1.0).astype(np.float32)[:, None, None]
    in_space = _in_palm_frame(world * np.concatenate([mirror, np.ones((len(world), 1, 2), np.float32)], axis=2))
    in_image = _wrist_down(landmarks[:, :, :2] * np.concatenate([mirror, np.ones_like(mirror)], axis=2))
    rows = [in_space.reshape(-1, 63), in_image.reshape(-1, 42), _between_tips(in_space), _between_tips(in_image)]
    return np.asarray(np.concatenate(rows, axis=1), np.float32)


def _in_palm_frame(points: FloatArray) -> FloatArray:
    """(n, 21, 3) points from the wrist: x to the side of the little finger, y to the fingers, z out of the back."""
    points = points - points[:, :1]
    up = points[:, MCPS].mean(axis=1)
    length = np.maximum(np.linalg.norm(up, axis=1, keepdims=True), TINY)
    up = up / length
    across = points[:, 17] - points[:, 5]
    across = across - up * (across * up).sum(axis=1, keepdims=True)
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), TINY)
    axes = np.stack([across, up, np.cross(across, up)], axis=2)
    return np.asarray(points @ axes / length[:, None], np.float32)


def _wrist_down(points: FloatArray) -> FloatArray:
    """(n, 21, 2) points from the middle of the palm, turned so that the knuckles are above the wrist (y is down).

    The unit is the longest side of the triangle wrist, index MCP, pinky MCP, which no view shrinks to nothing.
    """
    wrist, index, pinky = points[:, 0], points[:, 5], points[:, 17]
    sides = [np.hypot(*(a - b).T) for a, b in ((wrist, index), (index, pinky), (pinky, wrist))]
    unit = np.maximum(np.max(sides, axis=0), TINY)
    up = points[:, MCPS].mean(axis=1) - wrist
    up = up / np.maximum(np.hypot(*up.T), TINY)[:, None]
    turned = np.stack([np.stack([-up[:, 1], up[:, 0]], axis=1), -up], axis=2)  # columns: right, down
    centred = points - points[:, PALM].mean(axis=1, keepdims=True)
    return np.asarray(centred @ turned / unit[:, None, None], np.float32)


def _between_tips(points: FloatArray) -> FloatArray:
    """(n, 10) distances between the finger tips."""
    return np.asarray(np.linalg.norm(points[:, TIP_PAIRS[:, 0]] - points[:, TIP_PAIRS[:, 1]], axis=2))
