"""Public import path of `knuckle.mediapipe.tasks.vision`."""

import sys

from knuckle.mediapipe.tasks import vision as _module
from knuckle.mediapipe.tasks.vision import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module  # one module under two names, so that both show every change to it
