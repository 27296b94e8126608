"""Public import path of `knuckle.mediapipe.solutions.messages`."""

import sys

from knuckle.mediapipe.solutions import messages as _module
from knuckle.mediapipe.solutions.messages import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module  # one module under two names, so that both show every change to it
