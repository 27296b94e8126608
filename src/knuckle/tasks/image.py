"""The import path that old scripts have: this *is* the module `knuckle.mediapipe.tasks.image`."""

import sys

from knuckle.mediapipe.tasks import image as _module
from knuckle.mediapipe.tasks.image import *  # noqa: F403  what type checkers see

sys.modules[__name__] = _module
