"""Public import path of `knuckle.mediapipe.solutions.drawing_styles`."""

import sys

from knuckle.mediapipe.solutions import drawing_styles as _module
from knuckle.mediapipe.solutions.drawing_styles import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module  # one module under two names, so that both show every change to it
