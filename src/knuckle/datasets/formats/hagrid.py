"""HaGRID: gestures with boxes of all hands."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledBy, LabelledHand, Shot
from knuckle.datasets.parsing import (
    box_of,
    files_of,
    folder_with,
    handedness_of,
    image_size,
    load_json,
    numbers,
    row_of,
    unit_to_pixels,
)
from knuckle.errors import InputError

HEAD_BYTES = 4096  # of a file are read to recognise it
NO_GESTURE = "no_gesture"


def find(path: Path, landmarks: bool = False) -> dict[str, Callable[[], Dataset]]:
    """GESTURE.json with `bboxes` and `labels` in each row; the folder names the split (train, val, ann_test, …)."""
    splits: dict[str, list[Path]] = {}
    for file in files_of(path, "*.json", "*/*.json", "*/*/*.json"):
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
        if b'"bboxes"' in head and b'"labels"' in head:
            splits.setdefault(file.parent.name.removeprefix("ann_"), []).append(file)
    root = path if path.is_dir() else path.parent.parent
    return {split: functools.partial(_read, root, split, files, landmarks) for split, files in splits.items()}


def find_with_landmarks(path: Path) -> dict[str, Callable[[], Dataset]]:
    """The same files, with the `hand_landmarks` of version 2, which MediaPipe made."""
    return find(path, landmarks=True)


def _read(root: Path, split: str, files: Sequence[Path], landmarks: bool) -> Dataset:
    """One split. People labelled all hands of an image as left, top, width, height in fractions of the image.

    github.com/hukenovs/hagrid, README (version 1: `leading_hand` is the side of the hand that shows the gesture;
    version 2: `hand_landmarks`, made by MediaPipe) and dataset/dataset.py. Those landmarks are read only on demand,
    because figures on them measure agreement with MediaPipe.
    """
    shots = []
    for file in files:
        matches = [*root.glob(file.stem), *root.glob(f"*/{file.stem}"), *root.glob(f"*/*/{file.stem}")]
        folders = sorted((p for p in matches if p.is_dir()), key=lambda p: split not in p.parts) or [root / file.stem]
        rows = load_json(file)
        if not isinstance(rows, dict):
            raise InputError(f"{file}: expected an object with a row per image")
        for key, row in rows.items():
            image = folder_with(f"{key}.jpg", folders) / f"{key}.jpg"
            with row_of(file, key):
                size = image_size(image)
                hands = None if size is None else _hands(row, size, landmarks)
                group = str(row.get("user_id", key))
            shots.append(Shot(str(image), size=size, hands=hands, group=group, slices=(file.stem,)))
    by: LabelledBy = "people"
    note = "boxes by people; the landmarks of version 2 are not used"
    if landmarks:
        by, note = "mediapipe", "landmarks were made by MediaPipe"
    licence = "a variant of CC-BY-SA-4.0"
    return Dataset(f"hagrid {split}", tuple(shots), labelled_by=by, licence=licence, note=note)


def _hands(row: Mapping[str, Any], size: tuple[int, int], landmarks: bool) -> tuple[LabelledHand, ...]:
    boxes, labels = row["bboxes"], row["labels"]
    if len(boxes) != len(labels):
        raise ValueError(f"there are {len(boxes)} bboxes and {len(labels)} labels")
    leading = handedness_of(row.get("leading_hand")) if sum(label != NO_GESTURE for label in labels) == 1 else None
    marked = row["hand_landmarks"] if landmarks else []
    hands = []
    for number, (edges, label) in enumerate(zip(boxes, labels, strict=True)):
        x, y, width, height = numbers(edges, 4).tolist()
        box = box_of(unit_to_pixels(np.array([[x, y], [x + width, y + height]], np.float32), size).ravel())
        points = None
        if number < len(marked) and marked[number]:
            points = unit_to_pixels(numbers(marked[number], 21, 2), size)
        hands.append(LabelledHand(box, points, handedness=leading if label != NO_GESTURE else None))
    return tuple(hands)
