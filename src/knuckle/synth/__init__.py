"""Synthetic hands: posed bodies, skin, light and cameras, rendered to images with exact labels.

`knuckle synth` writes them as shards and clips. In Python, `Studio(side).hand_crop(rng)` makes one `Sample`. Names are
imported on first use, so that reading labels needs neither OpenGL nor the body model.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Studio": "scene.studio",
    "Sample": "scene.studio",
    "Recipe": "write.recipe",
    "write_shards": "write.shards",
    "read_shard": "write.shards",
    "ClipRecipe": "write.clips",
    "write_clips": "write.clips",
    "contact_sheet": "write.preview",
    "draw_labels": "write.preview",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
