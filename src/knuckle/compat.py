"""`install()` lets old scripts that say `import mediapipe` run on Knuckle.

It puts copies of our modules into `sys.modules` under MediaPipe's names, so that all forms of import work, and so do
attribute chains such as `mp.solutions.hands.Hands`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

# MediaPipe's module -> ours.
_SOLUTIONS = {
    "mediapipe.solutions": "knuckle.mediapipe.solutions",
    "mediapipe.solutions.hands": "knuckle.mediapipe.solutions.hands",
    "mediapipe.solutions.hands_connections": "knuckle.mediapipe.solutions.hands",
    "mediapipe.solutions.drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
    "mediapipe.solutions.drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
}
_TASKS = {
    "mediapipe.tasks": "knuckle.mediapipe.tasks",
    "mediapipe.tasks.core.base_options": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.category": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.components.containers.landmark": "knuckle.mediapipe.tasks.containers",
    "mediapipe.tasks.vision": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.hand_landmarker": "knuckle.mediapipe.tasks.vision",
    "mediapipe.tasks.vision.drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
    "mediapipe.tasks.vision.drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
    "mediapipe.tasks.vision.core.image": "knuckle.mediapipe.tasks.image",
}
_MESSAGES = {
    "mediapipe.framework.formats.landmark_pb2": "knuckle.mediapipe.solutions.messages",
    "mediapipe.framework.formats.classification_pb2": "knuckle.mediapipe.solutions.messages",
}
# MediaPipe has the same modules a second time, under longer names.
_SOLUTIONS |= {name.replace("mediapipe.", "mediapipe.python.", 1): ours for name, ours in _SOLUTIONS.items()}
_TASKS |= {name.replace("mediapipe.tasks", "mediapipe.tasks.python", 1): ours for name, ours in _TASKS.items()}


def install() -> None:
    """Make `import mediapipe` find Knuckle's `solutions` and `tasks`. A second call does nothing.

    If MediaPipe is installed, only `solutions` is added, and only if it is missing (from version 0.10.30 on).
    """
    mediapipe = _module("mediapipe")
    if hasattr(mediapipe, "solutions"):
        return
    is_ours = mediapipe.__spec__ is not None and mediapipe.__spec__.origin == __name__
    sources = _SOLUTIONS | _TASKS | _MESSAGES if is_ours else _SOLUTIONS
    for name, source in sources.items():
        ours, theirs = vars(importlib.import_module(source)), vars(_module(name))
        theirs.update((key, value) for key, value in ours.items() if not key.startswith("__"))
    if is_ours:
        tasks, knuckle = importlib.import_module("knuckle.mediapipe.tasks"), importlib.import_module("knuckle")
        version = f"0.10.21+knuckle.{knuckle.__version__}"
        vars(mediapipe).update(Image=tasks.Image, ImageFormat=tasks.ImageFormat, __version__=version)


def _module(name: str) -> ModuleType:
    """Import a module, with its parents; create it empty if it does not exist."""
    parent, _, last = name.rpartition(".")
    around = _module(parent) if parent else None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # it exists, but something that it imports does not
        module = _create(name)
    if module.__spec__ and module.__spec__.origin is None:  # a folder of that name without code
        module = _create(name)
    if around is not None:
        setattr(around, last, module)
    return module


def _create(name: str) -> ModuleType:
    module = module_from_spec(ModuleSpec(name, None, origin=__name__, is_package=True))
    sys.modules[name] = module
    return module
