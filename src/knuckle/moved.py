"""Import paths of version 0.1 that moved: each still gives the module, with a DeprecationWarning."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "knuckle.app": "knuckle.pipeline.main_graph",
    "knuckle.draw": "knuckle.media.draw",
    "knuckle.evaluate.intervals": "knuckle.metrics.intervals",
    "knuckle.evaluate.labels": "knuckle.datasets",
    "knuckle.evaluate.mediapipe_hands": "knuckle.evaluate.external.mediapipe_hands",
    "knuckle.evaluate.metrics": "knuckle.metrics",
    "knuckle.evaluate.metrics_landmarks": "knuckle.metrics.landmarks",
    "knuckle.evaluate.metrics_video": "knuckle.metrics.video",
    "knuckle.evaluate.score_clips": "knuckle.evaluate.clip_metrics",
    "knuckle.evaluate.score_images": "knuckle.evaluate.image_metrics",
    "knuckle.evaluate.worker": "knuckle.evaluate.external.worker",
    "knuckle.fetch": "knuckle.models.cache",
    "knuckle.graph_page": "knuckle.inspect.page",
    "knuckle.graph_view": "knuckle.inspect.diagram",
    "knuckle.hand": "knuckle.pipeline.hand",
    "knuckle.options": "knuckle.pipeline.options",
    "knuckle.palm": "knuckle.pipeline.palm",
    "knuckle.pbtxt": "knuckle.inspect.pbtxt",
    "knuckle.profile": "knuckle.inspect.profile",
    "knuckle.reference": "knuckle.mediapipe.graphs",
    "knuckle.runtime": "knuckle.models.session",
    "knuckle.sinks": "knuckle.media.sinks",
    "knuckle.smooth": "knuckle.pipeline.smooth",
    "knuckle.sources": "knuckle.media.sources",
    "knuckle.tables": "knuckle.media.columns",
    "knuckle.tracker": "knuckle.pipeline.tracker",
    "knuckle.tracks": "knuckle.pipeline.tracks",
    "knuckle.train.data": "knuckle.train.hand.data",
    "knuckle.train.landmarks": "knuckle.train.hand.task",
    "knuckle.train.palm_data": "knuckle.train.palm.data",
    "knuckle.train.running": "knuckle.train.console",
    "knuckle.train.synth": "knuckle.synth",
    "knuckle.train.synth.casting": "knuckle.synth.scene.random_scenes",
    "knuckle.train.synth.clips": "knuckle.synth.write.clips",
    "knuckle.train.synth.labels": "knuckle.synth.camera.labels",
    "knuckle.train.synth.people": "knuckle.synth.scene.people",
    "knuckle.train.synth.preview": "knuckle.synth.write.preview",
    "knuckle.train.synth.scene": "knuckle.synth.scene.studio",
    "knuckle.train.synth.write": "knuckle.synth.write.shards",
    "knuckle.train.task_file": "knuckle.train.mediapipe_task",
    "knuckle.train.targets": "knuckle.train.palm.targets",
    "knuckle.train.visibility": "knuckle.train.hand.visibility",
    "knuckle.views": "knuckle.inspect.formats",
    "knuckle.visibility": "knuckle.models.visibility_head",
    "knuckle.window": "knuckle.media.window",
    "knuckle.zoo": "knuckle.models.catalogue",
}


class _Moved:
    """Finds the old names of `MOVED`. (The base classes in importlib.abc would double what importing this costs.)"""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """The module is made in the usual way."""

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Make the old names importable; calling it again does nothing."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Moved())  # first: `knuckle.train.synth` is a real package now, with other names inside
