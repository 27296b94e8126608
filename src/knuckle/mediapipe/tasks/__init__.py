"""MediaPipe's Tasks HandLandmarker and GestureRecognizer on Knuckle's networks.

`knuckle.tasks` stands for `mediapipe.tasks.python`. Names, arguments, results and errors are those of MediaPipe 1.2.3;
see docs/migrate.md. New code should use `knuckle.HandTracker`.
"""

from knuckle.mediapipe.tasks import vision
from knuckle.mediapipe.tasks.containers import (
    BaseOptions,
    Category,
    ImageProcessingOptions,
    Landmark,
    NormalizedLandmark,
)
from knuckle.mediapipe.tasks.image import Image, ImageFormat
from knuckle.mediapipe.tasks.vision import (
    ClassifierOptions,
    GestureRecognizer,
    GestureRecognizerOptions,
    GestureRecognizerResult,
    HandLandmark,
    HandLandmarker,
    HandLandmarkerOptions,
    HandLandmarkerResult,
    HandLandmarksConnections,
    RunningMode,
)

__all__ = [
    "BaseOptions",
    "Category",
    "ClassifierOptions",
    "GestureRecognizer",
    "GestureRecognizerOptions",
    "GestureRecognizerResult",
    "HandLandmark",
    "HandLandmarker",
    "HandLandmarkerOptions",
    "HandLandmarkerResult",
    "HandLandmarksConnections",
    "Image",
    "ImageFormat",
    "ImageProcessingOptions",
    "Landmark",
    "NormalizedLandmark",
    "RunningMode",
    "vision",
]
