"""`install()`: old scripts that say `import mediapipe` find Knuckle.

Modules are placed in `sys.modules` under MediaPipe's names, as copies of ours, so that both `import` forms and
attribute chains such as `mp.solutions.hands.Hands` work.
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
    """Make `import mediapipe` give Knuckle's solutions and tasks.

    Where MediaPipe is installed with `solutions`, nothing is changed; where it has none (from 0.10.30 on) only those
    are added. Calling it again does nothing.
    """
    mediapipe = _module("mediapipe")
    if hasattr(mediapipe, "solutions"):
        return
    absent = mediapipe.__spec__ is not None and mediapipe.__spec__.origin == __name__
    places = {**_SOLUTIONS, **_TASKS, **_MESSAGES} if absent else _SOLUTIONS
    for name, source in places.items():
        public = {k: v for k, v in vars(importlib.import_module(source)).items() if not k.startswith("__")}
        vars(_module(name)).update(public)
    if absent:
        tasks, own = importlib.import_module("knuckle.mediapipe.tasks"), importlib.import_module("knuckle")
        vars(mediapipe).update(Image=tasks.Image, ImageFormat=tasks.ImageFormat)
        vars(mediapipe).update(__version__=f"0.10.21+knuckle.{own.__version__}")


def _module(name: str) -> ModuleType:
    """The module of that name, with its parents: the one that is there, or a new and empty one."""
    parent, _, last = name.rpartition(".")
    around = _module(parent) if parent else None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        module = module_from_spec(ModuleSpec(name, None, origin=__name__, is_package=True))
        sys.modules[name] = module
    if around is not None:
        setattr(around, last, module)
    return module
