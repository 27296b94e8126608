"""MediaPipe's legacy Hands on Knuckle's networks: `import knuckle.solutions` instead of `mediapipe.solutions`.

Names, arguments, results and errors are those of MediaPipe, so old scripts run; see docs/migrate.md. New code should
use `knuckle.HandTracker`.
"""

from knuckle.mediapipe.solutions import drawing_styles, drawing_utils, hands

__all__ = ["drawing_styles", "drawing_utils", "hands"]
