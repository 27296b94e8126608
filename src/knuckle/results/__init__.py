"""The vocabulary: the data that passes between modules and that users get."""

from knuckle.results.extra_points import ExtraPoints
from knuckle.results.gesture import Gesture
from knuckle.results.hand import Hand, Handedness
from knuckle.results.point_set import HAND_POINTS, PointSet, point_set_of
from knuckle.results.regions import FloatArray, Frame, Palm, Roi
from knuckle.results.skeleton import (
    BONES,
    FINGER_COLOURS,
    FINGERS,
    FINGERTIPS,
    HAND_CONNECTIONS,
    PALM_COLOUR,
    PALM_CONNECTIONS,
    PALM_KEYPOINTS,
    PALM_LANDMARKS,
    Colour,
    HandLandmark,
)

__all__ = [
    "BONES",
    "FINGERS",
    "FINGERTIPS",
    "FINGER_COLOURS",
    "HAND_CONNECTIONS",
    "HAND_POINTS",
    "PALM_COLOUR",
    "PALM_CONNECTIONS",
    "PALM_KEYPOINTS",
    "PALM_LANDMARKS",
    "Colour",
    "ExtraPoints",
    "FloatArray",
    "Frame",
    "Gesture",
    "Hand",
    "HandLandmark",
    "Handedness",
    "Palm",
    "PointSet",
    "Roi",
    "point_set_of",
]
