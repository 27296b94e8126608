"""The import path that old scripts have: this *is* the module `knuckle.mediapipe.tasks.containers`."""

import sys

from knuckle.mediapipe.tasks import containers as _module
from knuckle.mediapipe.tasks.containers import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module
