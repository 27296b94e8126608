"""Knuckle: real-time hand tracking on a CPU: 21 3D landmarks per hand, handedness and ids.

Importing this module loads only the errors. Each other public name, and each module such as `knuckle.results`, is
loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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
from knuckle.forks import FORKS_WAIT

if TYPE_CHECKING:  # what type checkers and editors read; `_MODULES` says the same to Python
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

_MODULES = {
    "DrawStyle": "knuckle.media.draw_style",
    "FINGERS": "knuckle.results",
    "Frame": "knuckle.results",
    "Gesture": "knuckle.results",
    "HAND_CONNECTIONS": "knuckle.results",
    "Hand": "knuckle.results",
    "HandDrawer": "knuckle.media.drawer",
    "HandLandmark": "knuckle.results",
    "HandTracker": "knuckle.pipeline.tracker",
    "Palm": "knuckle.results",
    "Roi": "knuckle.results",
    "TrackerOptions": "knuckle.pipeline.options",
    "detect": "knuckle.pipeline.detect",
    "detect_palms": "knuckle.pipeline.detect",
    "draw_hands": "knuckle.media.draw",
    "draw_palms": "knuckle.media.draw",
    "draw_rois": "knuckle.media.draw",
    "find_sources": "knuckle.media.find",
    "landmarks_in": "knuckle.pipeline.detect",
    "load": "knuckle.pipeline.tracker",
    "read": "knuckle.media.sources",
    "to_pandas": "knuckle.media.dataframe",
}

if not TYPE_CHECKING:  # else type checkers would take every unknown name for one that exists

    def __getattr__(name: str) -> object:
        """Load a public name or a module of the package at its first use."""
        if name.startswith("_") or f"knuckle.{name}" in moved.MOVED:
            raise AttributeError(f"module 'knuckle' has no attribute {name!r}")
        with FORKS_WAIT:
            if name in _MODULES:
                value = globals()[name] = getattr(import_module(_MODULES[name]), name)
                return value
            try:
                return import_module(f"knuckle.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"knuckle.{name}":
                    raise  # the module is there, and something that it needs is missing
                raise AttributeError(f"module 'knuckle' has no attribute {name!r}") from error

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
