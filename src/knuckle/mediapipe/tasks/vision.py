"""MediaPipe's module `tasks.vision`: both tasks and what belongs to them, under one name."""

from __future__ import annotations

from knuckle.mediapipe.tasks.gesture_recognizer import (
    ClassifierOptions,
    GestureRecognizer,
    GestureRecognizerOptions,
    GestureRecognizerResult,
)
from knuckle.mediapipe.tasks.hand_landmarker import (
    HandLandmark,
    HandLandmarker,
    HandLandmarkerOptions,
    HandLandmarkerResult,
    HandLandmarksConnections,
    ImageProcessingOptions,
    ModelFileError,
    VisionTaskRunningMode,
)
from knuckle.mediapipe.tasks.task import RunningMode

__all__ = [
    "ClassifierOptions",
    "GestureRecognizer",
    "GestureRecognizerOptions",
    "GestureRecognizerResult",
    "HandLandmark",
    "HandLandmarker",
    "HandLandmarkerOptions",
    "HandLandmarkerResult",
    "HandLandmarksConnections",
    "ImageProcessingOptions",
    "ModelFileError",
    "RunningMode",
    "VisionTaskRunningMode",
]
