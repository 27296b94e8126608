"""The hand's skeleton: the 21 landmarks by number and name, the bones between them, and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from itertools import pairwise
from typing import TypeAlias

from knuckle.errors import InputError


class HandLandmark(IntEnum):
    """The 21 points in the order that MediaPipe, OpenPose and COCO-WholeBody share."""

    WRIST = 0
    THUMB_CMC = 1
    THUMB_MCP = 2
    THUMB_IP = 3
    THUMB_TIP = 4
    INDEX_MCP = 5
    INDEX_PIP = 6
    INDEX_DIP = 7
    INDEX_TIP = 8
    MIDDLE_MCP = 9
    MIDDLE_PIP = 10
    MIDDLE_DIP = 11
    MIDDLE_TIP = 12
    RING_MCP = 13
    RING_PIP = 14
    RING_DIP = 15
    RING_TIP = 16
    PINKY_MCP = 17
    PINKY_PIP = 18
    PINKY_DIP = 19
    PINKY_TIP = 20


FINGERS: Mapping[str, tuple[int, ...]] = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8),
    "middle": (9, 10, 11, 12),
    "ring": (13, 14, 15, 16),
    "pinky": (17, 18, 19, 20),
}
"""Name of each finger: its four landmarks, from the palm to the tip."""
FINGERTIPS = (4, 8, 12, 16, 20)
"""The landmarks at the tips, from the thumb to the pinky."""
PALM_KEYPOINTS = ("wrist", "index_mcp", "middle_mcp", "ring_mcp", "pinky_mcp", "thumb_cmc", "thumb_mcp")
PALM_LANDMARKS = (0, 5, 9, 13, 17, 1, 2)  # `PALM_KEYPOINTS` as hand landmarks
PALM_CONNECTIONS = ((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17))
HAND_CONNECTIONS = (
    *PALM_CONNECTIONS,
    *(pair for points in FINGERS.values() for pair in pairwise(points)),
)
"""Pairs of landmarks that a bone or the palm's outline joins, as MediaPipe defines them."""

Colour: TypeAlias = tuple[int, int, int]
FINGER_COLOURS: dict[str, Colour] = {
    "thumb": (255, 138, 76),
    "index": (255, 205, 60),
    "middle": (96, 214, 120),
    "ring": (64, 190, 246),
    "pinky": (178, 132, 255),
}
PALM_COLOUR: Colour = (226, 230, 236)
BONES: tuple[tuple[list[int], Colour], ...] = (
    *((list(pair), PALM_COLOUR) for pair in PALM_CONNECTIONS),
    *((list(pair), FINGER_COLOURS[name]) for name, points in FINGERS.items() for pair in pairwise(points)),
)
"""The `HAND_CONNECTIONS` with the colour in which each is drawn."""


def landmark_of(name: str | int) -> HandLandmark:
    """The landmark for a name such as "index_tip" (capitals do not matter), its number or a `HandLandmark`.

    Raises:
        InputError: there is no such landmark.
    """
    try:
        return HandLandmark[name.upper()] if isinstance(name, str) else HandLandmark(name)
    except (KeyError, ValueError) as error:
        names = ", ".join(point.name.lower() for point in HandLandmark)
        raise InputError(f"no landmark called {name!r}; landmarks are: {names}") from error
