"""Ultralytics YOLO-pose: a YAML file and a text file per image."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledBy, LabelledHand, Shot
from knuckle.datasets.parsing import (
    blanked,
    box_of,
    files_of,
    image_size,
    numbers,
    row_of,
    text_rows,
    unit_to_pixels,
    visibility_by_flag,
    with_flags_as_labels,
)
from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.media.sources import IMAGE_SUFFIXES
from knuckle.yaml_files import read_yaml


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """A .yaml with `kpt_shape: [21, 2]` or `[21, 3]`; its splits are train, val and test.

    Of splits that name the same images, as the folders that Knuckle writes have them, the first one counts.
    """
    for file in files_of(path, "*.yaml", "*.yml"):
        text = file.read_text(encoding="utf-8", errors="replace")
        if not re.search(r"^kpt_shape:", text, re.MULTILINE):
            continue
        about = _load_yaml(file, text)
        by: LabelledBy = "mediapipe" if "hand-keypoints" in text else "people"
        splits = {str(about[split]): split for split in ("test", "val", "train") if about.get(split)}
        present = [split for split in ("train", "val", "test") if split in splits.values()]
        return {split: functools.partial(_read, file, about, split, by) for split in present}
    return {}


def _load_yaml(file: Path, text: str) -> Mapping[str, Any]:
    try:
        about = read_yaml(text)
    except DAMAGE as error:
        raise InputError(f"{file} is not YAML: {reason_of(error)}") from error
    if not isinstance(about, dict):
        raise InputError(f"{file}: expected names and values, got {about!r:.60}")
    if about.get("kpt_shape") not in ([21, 2], [21, 3]):
        raise InputError(f"{file}: expected kpt_shape [21, 2] or [21, 3], got {about.get('kpt_shape')}")
    return about


def _read(file: Path, about: Mapping[str, Any], split: str, by: LabelledBy) -> Dataset:
    """One split: a file per image with rows `class cx cy w h x0 y0 [v0] …` in fractions of width and height.

    docs.ultralytics.com/datasets/pose. An image without a file, or with an empty one, shows no hand. v is COCO's: 0 not
    labelled, 1 hidden, 2 visible. The labels of Ultralytics' own hand-keypoints set were made by MediaPipe
    (docs.ultralytics.com/datasets/pose/hand-keypoints).
    """
    width = int(about["kpt_shape"][1])
    images = list(_images(file, about, split))
    if not images:
        raise InputError(f"{file}: there are no images for {split} ({about[split]})")
    sizes = [image_size(image) for image in images]
    counts, read_hands = list[int](), list[LabelledHand | None]()
    for image, size in zip(images, sizes, strict=True):
        label = _label_of(image)
        before = len(read_hands)
        if size is not None and os.path.isfile(label):
            read_hands += _hands(label, width, size, sides_of(about))
        counts.append(len(read_hands) - before)
    read_hands, about_flags = with_flags_as_labels(read_hands)
    following = iter(read_hands)
    shots = []
    for image, size, count in zip(images, sizes, counts, strict=True):
        hands = tuple(hand for hand in islice(following, count) if hand is not None)
        shots.append(Shot(str(image), size=size, hands=hands, group=str(image)))
    assumed = "" if by == "mediapipe" else "the files do not say who made the labels; people are assumed"
    note = "; ".join(filter(None, (assumed, about_flags)))
    name = f"{Path(str(about.get('path') or file.parent)).name or 'yolo-pose'} {split}"
    return Dataset(name, tuple(shots), labelled_by=by, note=note)


def _images(file: Path, about: Mapping[str, Any], split: str) -> Iterator[Path]:
    """The images of a split, which names folders, or text files with one image per line, below `path` or the YAML."""
    given = Path(str(about.get("path") or "."))
    tried = [base for base in (file.parent / given, file.parent / given.name, file.parent) if os.path.isdir(base)]
    entries = about[split] if isinstance(about[split], list) else [about[split]]
    for entry in map(str, entries):
        found = next((base / entry for base in tried if os.path.exists(base / entry)), None)
        if found is None:
            raise InputError(f"{file}: {split} names {entry}, which is not below {tried[0]}")
        if found.is_dir():
            # All folders below it are searched: of "/" that would be the whole computer.
            if found.resolve() in file.parent.resolve().parent.parents:
                raise InputError(f"{file}: {split} names {entry}, a folder above the dataset")
            yield from sorted(p for p in found.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        else:
            yield from (found.parent / line.strip() for line in found.read_text().splitlines() if line.strip())


def _label_of(image: Path) -> Path:
    """The label of an image: the last folder named images becomes labels, as in Ultralytics' code."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def sides_of(about: Mapping[str, Any]) -> Mapping[int, str]:
    """Left or right for the classes whose names say so, such as "left hand"."""
    names = about.get("names") or {}
    listed = names.items() if isinstance(names, Mapping) else enumerate(names)
    words = {int(number): set(re.findall("left|right", str(name).lower())) for number, name in listed}
    return {number: found.pop().capitalize() for number, found in words.items() if len(found) == 1}


def _hands(label: Path, width: int, size: tuple[int, int], sides: Mapping[int, str]) -> Iterator[LabelledHand]:
    for number, fields in text_rows(label):
        with row_of(label, number):
            row = numbers(fields, 5 + 21 * width)
            middle, half, named = row[1:3], row[3:5] / 2, row[5:].reshape(21, width)
            edges = unit_to_pixels(np.stack([middle - half, middle + half]), size)
            flags = named[:, 2] if width == 3 else np.full(21, 2.0)
            visibility = visibility_by_flag(flags)
            landmarks = blanked(unit_to_pixels(named[:, :2], size), flags > 0)
            hand = LabelledHand(
                box_of(edges.ravel()),
                landmarks,
                handedness=sides.get(int(row[0])),
                visibility=visibility if width == 3 else None,
            )
        yield hand
