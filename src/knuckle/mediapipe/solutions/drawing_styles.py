"""MediaPipe's default drawing styles of hands. Colours are BGR."""

from __future__ import annotations

from collections.abc import Mapping

from knuckle.mediapipe.graphs import FINGER_CONNECTIONS, PALM_CONNECTIONS, HandLandmark
from knuckle.mediapipe.solutions.drawing_utils import DrawingSpec
from knuckle.results import FINGERS

_RED = (48, 48, 255)
_GRAY = (128, 128, 128)
_FINGERS = {
    "thumb": (180, 229, 255),
    "index": (128, 64, 128),
    "middle": (0, 204, 255),
    "ring": (48, 255, 48),
    "pinky": (192, 101, 21),
}
_PALM = (0, 1, 5, 9, 13, 17)


def get_default_hand_landmarks_style() -> Mapping[int, DrawingSpec]:
    """The style of each landmark, by index: filled dots, red on the palm, one colour per finger."""
    colors = dict.fromkeys(_PALM, _RED)
    for finger, color in _FINGERS.items():
        colors.update(dict.fromkeys(set(FINGERS[finger]) - set(_PALM), color))
    return {HandLandmark(index): DrawingSpec(color, thickness=-1, circle_radius=5) for index, color in colors.items()}


def get_default_hand_connections_style() -> Mapping[tuple[int, int], DrawingSpec]:
    """The style of each connection, by its pair of landmarks: grey on the palm, one colour per finger."""
    style = {pair: DrawingSpec(_GRAY, thickness=3) for pair in PALM_CONNECTIONS}
    for finger, color in _FINGERS.items():
        style.update({pair: DrawingSpec(color, thickness=2) for pair in FINGER_CONNECTIONS[finger]})
    return style
