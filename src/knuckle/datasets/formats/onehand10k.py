"""OneHand10K: photos with one labelled hand each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    blanked,
    box_from_corner,
    files_of,
    folder_with,
    images_in,
    keypoints_of,
    load_json,
    numbers,
    objects_in,
    row_of,
    text_rows,
)


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Train/label_joint.txt, Test/label_joint.txt, or MMPose's onehand10k_train.json and onehand10k_test.json."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "onehand10k_*.json", "annotations/onehand10k_*.json"):
        splits[file.stem.split("_")[1]] = functools.partial(_read_json, file)
    for file in files_of(path, "label_joint.txt", "*/label_joint.txt"):
        splits[file.parent.name.lower()] = functools.partial(_read_text, file)
    return splits


def _dataset(split: str, shots: Sequence[Shot]) -> Dataset:
    note = "one hand is labelled per image, others may be visible; left or right is not labelled"
    return Dataset(f"onehand10k {split}", tuple(shots), licence="non-commercial research only", note=note)


def _read_text(file: Path) -> Dataset:
    """One split of the original; images in source/.

    Rows are NAME,WIDTH,HEIGHT,HANDS,x0,y0, … x20,y20, with -1 for points without a label.

    Y. Wang, C. Peng, Y. Liu, Mask-pose cascaded CNN for 2D hand pose estimation from single color image, TCSVT 2018;
    order of points: MMPose, configs/_base_/datasets/onehand10k.py.
    """
    shots = []
    for number, fields in text_rows(file, ","):
        with row_of(file, number):
            pixels = numbers(fields[4:], 42).reshape(21, 2)
            labelled = np.asarray((pixels >= 0).all(axis=1))
            hands = (LabelledHand(landmarks=blanked(pixels, labelled)),) if labelled.any() else None
            source = str(file.parent / "source" / fields[0])
            shot = Shot(source, 0, 0.0, (int(fields[1]), int(fields[2])), hands, complete=False, group=source)
        shots.append(shot)
    return _dataset(file.parent.name.lower(), shots)


def _read_json(file: Path) -> Dataset:
    """One split of MMPose's version: COCO annotations of one category with 21 × (x, y, v), v = 0 without a label."""
    whole = load_json(file)
    shots = []
    images = images_in(file, whole)
    first = next((str(image["file_name"]) for image in images.values()), "")
    split, root = file.stem.split("_")[1], file.parent.parent
    folder = folder_with(first, (root, root / split.capitalize() / "source", file.parent))
    for number, found in enumerate(objects_in(file, whole, "annotations")):
        with row_of(file, f"annotations[{number}]"):
            image = images[found["image_id"]]
            hand = LabelledHand(box_from_corner(found["bbox"]), keypoints_of(found["keypoints"])[0])
            size, source = (int(image["width"]), int(image["height"])), str(folder / str(image["file_name"]))
            shot = Shot(source, size=size, hands=(hand,), complete=False, group=source)
        shots.append(shot)
    return _dataset(split, shots)
