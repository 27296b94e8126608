"""Trackers that run in another Python: the real MediaPipe in its own environment, or your own tracker.

`process` starts the other Python, which runs `worker`. `worker` and `mediapipe_hands` do not import Knuckle.
"""

from knuckle.evaluate.external.process import elsewhere
from knuckle.evaluate.external.reference import (
    COMPLEXITY,
    PACKAGE,
    reference_home,
    reference_python,
    reference_target,
)

__all__ = ["COMPLEXITY", "PACKAGE", "elsewhere", "reference_home", "reference_python", "reference_target"]
