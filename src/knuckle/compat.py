"""`install()` lets old scripts that say `import mediapipe` run on Knuckle.

It places copies of our modules in `sys.modules` under MediaPipe's names, so that all import forms work, and attribute
chains such as `mp.solutions.hands.Hands` too.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

_SOLUTIONS = {
    f"{root}{name}": source
    for root in ("mediapipe.solutions", "mediapipe.python.solutions")
    for name, source in {
        "": "knuckle.mediapipe.solutions",
        ".hands": "knuckle.mediapipe.solutions.hands",
        ".hands_connections": "knuckle.mediapipe.solutions.hands",
        ".drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
        ".drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
    }.items()
}
_TASKS = {
    f"{root}{name}": source
    for root in ("mediapipe.tasks", "mediapipe.tasks.python")
    for name, source in {
        "": "knuckle.mediapipe.tasks",
        ".core.base_options": "knuckle.mediapipe.tasks.containers",
        ".components.containers": "knuckle.mediapipe.tasks.containers",
        ".components.containers.category": "knuckle.mediapipe.tasks.containers",
        ".components.containers.landmark": "knuckle.mediapipe.tasks.containers",
        ".vision": "knuckle.mediapipe.tasks.vision",
        ".vision.hand_landmarker": "knuckle.mediapipe.tasks.vision",
        ".vision.drawing_utils": "knuckle.mediapipe.solutions.drawing_utils",
        ".vision.drawing_styles": "knuckle.mediapipe.solutions.drawing_styles",
        ".vision.core.image": "knuckle.mediapipe.tasks.image",
    }.items()
}
_MESSAGES = {
    "mediapipe.framework.formats.landmark_pb2": "knuckle.mediapipe.solutions.messages",
    "mediapipe.framework.formats.classification_pb2": "knuckle.mediapipe.solutions.messages",
}


def install() -> None:
    """Make `import mediapipe` find Knuckle's `solutions` and `tasks`. A second call does nothing.

    If MediaPipe is installed, only `solutions` is added, and only if it is missing (from version 0.10.30 on).
    """
    mediapipe = _module("mediapipe")
    if hasattr(mediapipe, "solutions"):
        return
    is_ours = mediapipe.__spec__ is not None and mediapipe.__spec__.origin == __name__
    places = {**_SOLUTIONS, **_TASKS, **_MESSAGES} if is_ours else _SOLUTIONS
    for name, source in places.items():
        public = {k: v for k, v in vars(importlib.import_module(source)).items() if not k.startswith("__")}
        vars(_module(name)).update(public)
    if is_ours:
        tasks, own = importlib.import_module("knuckle.mediapipe.tasks"), importlib.import_module("knuckle")
        vars(mediapipe).update(Image=tasks.Image, ImageFormat=tasks.ImageFormat)
        vars(mediapipe).update(__version__=f"0.10.21+knuckle.{own.__version__}")


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
