"""Tar shards of the renderer: KEY.jpg and KEY.json (docs/datasets.md)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.formats.knuckle_rows import image_size_in
from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.image_source import names_in, read_member, source_in
from knuckle.datasets.labels import Dataset, LabelledHand, Shot, Visibility
from knuckle.datasets.parsing import files_of, hands_maybe_visible, row_of
from knuckle.errors import InputError

TONES = (("tone 1-3", 1, 3), ("tone 4-7", 4, 7), ("tone 8-10", 8, 10))  # on the Monk scale of skin tones
# The longer side of the landmarks' box as a fraction of the image's shorter side.
SIZES = (("small hand", 0, 0.12), ("medium hand", 0.12, 0.35), ("large hand", 0.35, np.inf))
MANY_HIDDEN = 5  # landmarks
BLURRED = 0.05  # length of the motion blur as a fraction of the hand
IMAGE_ENDS = (".jpg", ".jpeg", ".png", ".webp")


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Tar files with KEY.jpg (or .png, .webp) and KEY.json."""
    shards = files_of(path, "*.tar", "*/*.tar")
    return {"": functools.partial(_read, path, shards)} if shards else {}


def _read(path: Path, shards: list[Path]) -> Dataset:
    shots = tuple(shot for shard in shards for shot in _shots_of(shard))
    if not shots:
        raise InputError(f"{path}: the shards have no KEY.json with a KEY.jpg or KEY.png")
    return Dataset(path.stem, shots, labelled_by="renderer", note="synthetic images")


def _shots_of(shard: Path) -> Iterator[Shot]:
    names = names_in(shard)
    known = set(names)
    for name in names:
        if not name.endswith(".json"):
            continue
        image = next((name[:-5] + end for end in IMAGE_ENDS if name[:-5] + end in known), None)
        with row_of(shard, name):
            if image is None:
                raise ValueError("there is no image of that name beside it")
            row = json.loads(read_member(shard, name))
            source, size = source_in(shard, image), image_size_in(row.get("camera") or row)
            hands = [hand_from_json(found, details=True) for found in row["hands"]]
            shown, complete = hands_maybe_visible(hands, bool(row.get("complete", True)))
            slices = tuple(_slices(row.get("scene") or {}, shown, size))
            shown = tuple(replace(hand, about=None, centre=None, self_occluded=None) for hand in shown)  # saves memory
            shot = Shot(source, 0, 0.0, size, shown, complete, group=source, slices=slices)
        yield shot


def _slices(scene: Mapping[str, Any], shown: Sequence[LabelledHand], size: tuple[int, int] | None) -> Iterator[str]:
    """The subsets that an image belongs to. The renderer's description of the scene and the visible hands decide.

    An image with two hands may be in several subsets of a kind. Skin under a glove has no tone.
    """
    abouts = [hand.about for hand in shown if hand.about]
    bare = [about for about in abouts if about.get("glove") is None]
    tones = [float(about["tone"]) for about in bare if about.get("tone") is not None]
    yield from (name for name, low, high in TONES if any(low <= tone <= high for tone in tones))
    if bare:
        yield "bare"
    if len(bare) < len(abouts):
        yield "glove"
    if any(about.get("holds") for about in abouts):
        yield "holds something"
    if any((hand.visibility == Visibility.HIDDEN).sum() > MANY_HIDDEN for hand in shown if hand.visibility is not None):
        yield "hidden in part"
    spans = [float(np.ptp(hand.landmarks[:, :2], axis=0).max()) for hand in shown if hand.landmarks is not None]
    if size and not scene.get("crop"):  # in a crop every hand has the same size
        yield from (name for name, low, high in SIZES if any(low <= span / min(size) < high for span in spans))
    blur = float((scene.get("film") or {}).get("motion_px") or 0)
    if spans and blur > BLURRED * max(spans):
        yield "motion blur"
    if scene.get("light"):
        yield f"light: {scene['light']}"
