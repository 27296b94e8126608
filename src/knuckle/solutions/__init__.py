"""MediaPipe's legacy Hands on Knuckle's networks: `import knuckle.solutions` instead of `mediapipe.solutions`.

The names, arguments, results and errors are the old ones, so old scripts run; see docs/migrate.md. New code is better
off with `knuckle.HandTracker`.
"""

from knuckle.mediapipe.solutions import drawing_styles, drawing_utils, hands

__all__ = ["drawing_styles", "drawing_utils", "hands"]
