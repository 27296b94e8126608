"""The import hook: MediaPipe's modules are made from ours on import, where MediaPipe does not have them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from knuckle.compat.modules import NAMES, SOURCES, is_known, not_covered
from knuckle.errors import Error


class NotCoveredError(Error, AttributeError):
    """A part of MediaPipe that is not hands."""


class NotCoveredModuleError(Error, ModuleNotFoundError):
    """A module of MediaPipe that is not about hands."""


def install() -> None:
    """Make `import mediapipe` find Knuckle's `solutions` and `tasks`. A second call does nothing.

    If MediaPipe is installed, only what it lacks is added: from 0.10.30 on `solutions` and the message modules.
    Nothing is loaded before the first import of MediaPipe.
    """
    if any(isinstance(finder, _Stand) for finder in sys.meta_path):
        return
    stand = _Stand()
    sys.meta_path.insert(0, _InstalledMediaPipe(stand))
    sys.meta_path.append(stand)
    if "mediapipe" in sys.modules:
        _add_solutions(sys.modules["mediapipe"])


def installed_mediapipe(path: Sequence[str] | None = None) -> ModuleSpec | None:
    """Where MediaPipe itself is, if it is installed. A folder of that name without code is not MediaPipe."""
    for finder in sys.meta_path:
        if isinstance(finder, (_Stand, _InstalledMediaPipe)):
            continue
        spec = finder.find_spec("mediapipe", path)
        if spec is not None and spec.origin is not None:
            return spec
    return None


class _InstalledMediaPipe(MetaPathFinder):
    """Finds the top module before all others do, to add `solutions` to a MediaPipe that has none."""

    def __init__(self, stand: _Stand) -> None:
        self.stand = stand

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "mediapipe":
            return None
        spec = installed_mediapipe(path)
        if spec is None or spec.loader is None:
            return self.stand.find_spec(fullname, path)
        run = spec.loader.exec_module

        def run_and_add(module: ModuleType) -> None:
            run(module)
            _add_solutions(module)

        spec.loader.exec_module = run_and_add  # type: ignore[method-assign]
        return spec


class _Stand(MetaPathFinder, Loader):
    """Stands last: makes the modules of `SOURCES` that nobody else finds."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = sys.modules.get("mediapipe")
        is_theirs = fullname.startswith("mediapipe.tasks") and top is not None and not self.made(top)
        if fullname in NAMES and not is_theirs:
            return ModuleSpec(fullname, self, origin=__name__, is_package=True)
        around = sys.modules.get(fullname.rpartition(".")[0])
        if around is not None and self.made(around):
            # In `from mediapipe.solutions import pose` Python hides an error whose `name` is the module itself. That is
            # right for names that MediaPipe does not have either.
            name = fullname.split(".")[0] if is_known(fullname) else fullname
            raise NotCoveredModuleError(not_covered(fullname), name=name)
        return None

    def made(self, module: ModuleType) -> bool:
        """Whether a module is one of these."""
        return module.__spec__ is not None and module.__spec__.loader is self

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name in SOURCES:
            ours = vars(importlib.import_module(SOURCES[name]))
            vars(module).update((key, value) for key, value in ours.items() if not key.startswith("__"))
            module.__file__ = ours["__file__"]
        if name == "mediapipe":
            module.__version__ = f"0.10.21+knuckle.{sys.modules['knuckle'].__version__}"  # type: ignore[attr-defined]

        def missing(attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
            raise NotCoveredError(not_covered(f"{name}.{attribute}"))

        module.__getattr__ = missing  # type: ignore[method-assign]
        for child in NAMES:
            if child.rpartition(".")[0] == name:
                importlib.import_module(child)  # so that chains such as `mp.solutions.hands.Hands` work


def _add_solutions(mediapipe: ModuleType) -> None:
    if not hasattr(mediapipe, "solutions"):
        importlib.import_module("mediapipe.solutions")
