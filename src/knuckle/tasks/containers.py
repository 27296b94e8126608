"""Public import path of `knuckle.mediapipe.tasks.containers`."""

import sys

from knuckle.mediapipe.tasks import containers as _module
from knuckle.mediapipe.tasks.containers import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module  # one module under two names, so that both show every change to it
