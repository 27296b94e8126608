"""manifest.json: the recipe, versions and counts of the shards in a folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import knuckle
from knuckle.errors import InputError, SinkError
from knuckle.extras import cv2
from knuckle.results import HAND_POINTS
from knuckle.synth.write.recipe import DEPTH_UNIT_M, Recipe

FORMAT = "knuckle-synth-1"
LATER = {"poses": [], "points": HAND_POINTS.to_dict(), "missing": [], "missing_share": 1.0}  # older manifests have none
PACKAGES = ("numpy", "moderngl", "anny")  # the manifest lists their versions


def manifest_of(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """The manifest in the folder if it belongs to this recipe, or a new one.

    Raises:
        InputError: the folder holds another recipe's shards, or tar files without a manifest.
    """
    versions = {"knuckle": knuckle.__version__, "python": platform.python_version(), "opencv": cv2.__version__}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    described: dict[str, Any] = json.loads(json.dumps(asdict(recipe) | {"points": recipe.points.to_dict()}))
    fresh: dict[str, Any] = {
        "format": FORMAT,
        "recipe": described,
        "versions": versions,
        "depth_unit_m": DEPTH_UNIT_M,
        "shards": [],
    }
    path = folder / "manifest.json"
    if not path.exists():
        if folder.is_dir() and any(folder.glob("*.tar")):
            raise InputError(f"{folder} holds tar files and no manifest.json; choose another folder")
        return fresh
    try:
        found = json.loads(path.read_text())
        recipe_found = LATER | found["recipe"] | {"count": recipe.count}
        same = recipe_found == described and found["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a manifest of `knuckle synth`: {error!r}") from error
    if not same:
        raise InputError(
            f"{folder} holds another recipe ({found['recipe']}); choose another folder or the same options"
        )
    return fresh | {"shards": [shard for shard in found["shards"] if (folder / shard["name"]).is_file()]}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest with totals. The file is replaced at once, so readers never see half of it.

    Raises:
        SinkError: it cannot be written.
    """
    totals: dict[str, Any] = {name: sum(shard[name] for shard in manifest["shards"]) for name in ("samples", "hands")}
    totals["renderers"] = sorted({shard["renderer"] for shard in manifest["shards"] if "renderer" in shard})
    path = folder / "manifest.json"
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps({**manifest, **totals}, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
