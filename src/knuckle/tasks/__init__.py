"""MediaPipe's Tasks HandLandmarker on Knuckle's networks: `knuckle.tasks` instead of `mediapipe.tasks.python`.

The public path of `knuckle.mediapipe.tasks`; see docs/migrate.md. New code should use `knuckle.HandTracker`.
"""

from knuckle.mediapipe.tasks import *  # noqa: F403
from knuckle.mediapipe.tasks import __all__ as __all__
