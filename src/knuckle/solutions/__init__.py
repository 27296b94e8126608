"""MediaPipe's legacy Hands on Knuckle's networks: `import knuckle.solutions` instead of `mediapipe.solutions`.

The public path of `knuckle.mediapipe.solutions`; see docs/migrate.md. New code should use `knuckle.HandTracker`.
"""

from knuckle.mediapipe.solutions import *  # noqa: F403
from knuckle.mediapipe.solutions import __all__ as __all__
