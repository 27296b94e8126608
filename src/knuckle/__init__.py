"""Knuckle: real-time hand tracking on a CPU: 21 3D landmarks per hand, handedness and ids."""

from knuckle import moved
from knuckle.errors import (
    BundleError,
    EngineError,
    Error,
    InputError,
    MissingExtraError,
    SinkError,
    SourceError,
)
from knuckle.media.dataframe import to_pandas
from knuckle.media.draw import draw_hands, draw_palms, draw_rois
from knuckle.media.draw_style import DrawStyle
from knuckle.media.drawer import HandDrawer
from knuckle.media.find import find_sources
from knuckle.media.sources import read
from knuckle.pipeline.detect import detect, detect_palms, landmarks_in
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import HandTracker, load
from knuckle.results import FINGERS, HAND_CONNECTIONS, Frame, Gesture, Hand, HandLandmark, Palm, Roi

__version__ = "0.2.0.dev0"

moved.install()

__all__ = [
    "FINGERS",
    "HAND_CONNECTIONS",
    "BundleError",
    "DrawStyle",
    "EngineError",
    "Error",
    "Frame",
    "Gesture",
    "Hand",
    "HandDrawer",
    "HandLandmark",
    "HandTracker",
    "InputError",
    "MissingExtraError",
    "Palm",
    "Roi",
    "SinkError",
    "SourceError",
    "TrackerOptions",
    "detect",
    "detect_palms",
    "draw_hands",
    "draw_palms",
    "draw_rois",
    "find_sources",
    "landmarks_in",
    "load",
    "read",
    "to_pandas",
]
