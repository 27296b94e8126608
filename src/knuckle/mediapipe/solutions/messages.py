"""The result messages of the legacy API.

They are real protobuf messages where the protobuf package is installed (`pip install 'knuckle[protobuf]'`). Without it
they are classes of our own with the same fields, methods, text, JSON and bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knuckle.mediapipe.protobuf.light import (
        Classification,
        ClassificationList,
        ClassificationListCollection,
        Landmark,
        LandmarkList,
        LandmarkListCollection,
        NormalizedLandmark,
        NormalizedLandmarkList,
        NormalizedLandmarkListCollection,
    )
else:
    try:
        from knuckle.mediapipe.protobuf.installed import message_classes
    except ImportError:
        from knuckle.mediapipe.protobuf.light import message_classes
    globals().update(message_classes())

__all__ = [
    "Classification",
    "ClassificationList",
    "ClassificationListCollection",
    "Landmark",
    "LandmarkList",
    "LandmarkListCollection",
    "NormalizedLandmark",
    "NormalizedLandmarkList",
    "NormalizedLandmarkListCollection",
]
