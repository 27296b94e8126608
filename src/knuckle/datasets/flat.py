"""Readers of 21 labelled points in the image: COCO-WholeBody, OneHand10K, Ultralytics YOLO-pose.

All three list the wrist and then thumb, index, middle, ring and little finger from base to tip: our own order.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledBy, LabelledHand, Shot
from knuckle.datasets.rows import (
    blanked,
    box_from_corner,
    box_of,
    files_of,
    folder_with,
    image_size,
    images_in,
    keypoints_of,
    load_json,
    numbers,
    objects_in,
    row_of,
    text_rows,
    unit_to_pixels,
    visibility_by_flag,
)
from knuckle.errors import InputError, MissingExtraError
from knuckle.media.sources import IMAGE_SUFFIXES

COCO_WRISTS = {"left": 9, "right": 10}  # of the 17 body points


def find_coco_wholebody(path: Path) -> dict[str, Callable[[], Dataset]]:
    """coco_wholebody_train_v1.0.json and coco_wholebody_val_v1.0.json."""
    files = files_of(path, "coco_wholebody_*.json", "annotations/coco_wholebody_*.json")
    return {
        file.name.split("_")[2].removesuffix(".json"): functools.partial(_read_coco_wholebody, file) for file in files
    }


def _read_coco_wholebody(file: Path) -> Dataset:
    """COCO-WholeBody's hands.

    Fields, validity and "v > 0 means reliable": github.com/jin-s13/COCO-WholeBody, data_format.md. Boxes are left,
    top, width, height. Left and right are the person's own, as in COCO. Whether a point is hidden is not told.
    """
    split = file.name.split("_")[2].removesuffix(".json")
    whole = load_json(file)
    people: dict[Any, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, person in enumerate(objects_in(file, whole, "annotations")):
        with row_of(file, f"annotations[{number}]"):
            people[person["image_id"]].append((number, person))
    images = images_in(file, whole)
    shots = []
    root = file.parent
    first = next((str(image["file_name"]) for image in images.values()), "")
    places = (root.parent / f"{split}2017", root / f"{split}2017", root.parent / "images" / f"{split}2017")
    folder = folder_with(first, (*places, root.parent, root, root.parent / "images"))
    for key, image in images.items():
        hands: list[LabelledHand] = []
        complete = True
        for place, person in people[key]:
            with row_of(file, f"annotations[{place}]"):
                for side in ("left", "right"):
                    hand = _coco_hand(person, side)
                    hands += [hand] if hand else []
                    complete = complete and (hand is not None or not _may_show(person, side))
        size = (int(image["width"]), int(image["height"]))
        source = str(folder / str(image["file_name"]))
        shots.append(Shot(source, size=size, hands=tuple(hands), complete=complete, group=source))
    note = "images where a person's hand may show without a label do not count for false alarms"
    licence = "annotations: non-commercial research only; photos: Flickr, various"
    return Dataset(f"coco-wholebody {split}", tuple(shots), licence=licence, note=note)


def _coco_hand(person: Mapping[str, Any], side: str) -> LabelledHand | None:
    if not person[f"{side}hand_valid"]:
        return None
    landmarks, _ = keypoints_of(person[f"{side}hand_kpts"])
    return LabelledHand(box_from_corner(person[f"{side}hand_box"]), landmarks, handedness=side.capitalize())


def _may_show(person: Mapping[str, Any], side: str) -> bool:
    """Whether a hand without a valid label may be in the image: in crowds, for people without labelled bodies
    (COCO leaves small ones out), and where the wrist is labelled."""
    if person.get("iscrowd") or not person.get("num_keypoints"):
        return True
    return bool(person["keypoints"][3 * COCO_WRISTS[side] + 2])


def find_onehand10k(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Train/label_joint.txt, Test/label_joint.txt, or MMPose's onehand10k_train.json and onehand10k_test.json."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "onehand10k_*.json", "annotations/onehand10k_*.json"):
        splits[file.stem.split("_")[1]] = functools.partial(_read_onehand10k_json, file)
    for file in files_of(path, "label_joint.txt", "*/label_joint.txt"):
        splits[file.parent.name.lower()] = functools.partial(_read_onehand10k_text, file)
    return splits


def _onehand10k(split: str, shots: Sequence[Shot]) -> Dataset:
    note = "one hand is labelled per image, others were not looked for; left or right is not told"
    return Dataset(f"onehand10k {split}", tuple(shots), licence="non-commercial research only", note=note)


def _read_onehand10k_text(file: Path) -> Dataset:
    """Rows NAME,WIDTH,HEIGHT,HANDS,x0,y0, … x20,y20 with -1 for points without a label; images in source/.

    Y. Wang, C. Peng, Y. Liu, Mask-pose cascaded CNN for 2D hand pose estimation from single color image, TCSVT 2018;
    order of points: MMPose, configs/_base_/datasets/onehand10k.py.
    """
    shots = []
    for number, fields in text_rows(file, ","):
        with row_of(file, number):
            pixels = numbers(fields[4:], 42).reshape(21, 2)
            hand = LabelledHand(landmarks=blanked(pixels, np.asarray((pixels >= 0).all(axis=1))))
            source = str(file.parent / "source" / fields[0])
            shot = Shot(source, 0, 0.0, (int(fields[1]), int(fields[2])), _placed(hand), complete=False, group=source)
        shots.append(shot)
    return _onehand10k(file.parent.name.lower(), shots)


def _placed(hand: LabelledHand) -> tuple[LabelledHand, ...] | None:
    """A hand without a single labelled point is somewhere, but nobody says where."""
    return (hand,) if hand.extent is not None else None


def _read_onehand10k_json(file: Path) -> Dataset:
    """MMPose's version: COCO annotations of one category with 21 × (x, y, v), v = 0 where unlabelled."""
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
    return _onehand10k(split, shots)


def find_yolo_pose(path: Path) -> dict[str, Callable[[], Dataset]]:
    """data.yaml (or another .yaml) with `kpt_shape: [21, 2]` or `[21, 3]`; splits are train, val and test."""
    for file in files_of(path, "*.yaml", "*.yml"):
        text = file.read_text(encoding="utf-8", errors="replace")
        if not re.search(r"^kpt_shape:", text, re.MULTILINE):
            continue
        about = _load_yaml(file, text)
        by: LabelledBy = "mediapipe" if "hand-keypoints" in text else "people"
        present = [split for split in ("train", "val", "test") if about.get(split)]
        return {split: functools.partial(_read_yolo_pose, file, about, split, by) for split in present}
    return {}


def _load_yaml(file: Path, text: str) -> Mapping[str, Any]:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise MissingExtraError(f"{file} is YAML, and reading it needs PyYAML: pip install pyyaml") from error
    try:
        about = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(about, dict) or about["kpt_shape"] not in ([21, 2], [21, 3]):
        raise InputError(f"{file}: expected kpt_shape [21, 2] or [21, 3], got {about.get('kpt_shape')}")
    return about


def _read_yolo_pose(file: Path, about: Mapping[str, Any], split: str, by: LabelledBy) -> Dataset:
    """Rows `class cx cy w h x0 y0 [v0] …` in shares of width and height, one file per image, images/ → labels/.

    docs.ultralytics.com/datasets/pose. An image without a file or with an empty one shows no hand. v is COCO's: 0 not
    labelled, 1 hidden, 2 visible. The labels of Ultralytics' own hand-keypoints set were made by MediaPipe
    (docs.ultralytics.com/datasets/pose/hand-keypoints).
    """
    width = int(about["kpt_shape"][1])
    pictures = list(_yolo_pictures(file, about, split))
    if not pictures:
        raise InputError(f"{file}: there are no images for {split} ({about[split]})")
    shots = []
    for picture in pictures:
        size, label = image_size(picture), _yolo_label(picture)
        hands: tuple[LabelledHand, ...] = ()
        if size is not None and label.is_file():
            hands = tuple(_yolo_hands(label, width, size))
        shots.append(Shot(str(picture), size=size, hands=hands, group=str(picture)))
    note = "" if by == "mediapipe" else "who made the labels is not told in the files; taken for people"
    name = f"{Path(str(about.get('path') or file.parent)).name or 'yolo-pose'} {split}"
    return Dataset(name, tuple(shots), labelled_by=by, note=note)


def _yolo_pictures(file: Path, about: Mapping[str, Any], split: str) -> Iterator[Path]:
    """Images of a split: `split` names folders, or text files with one image per line, below `path` or the YAML."""
    given = Path(str(about.get("path") or "."))
    tried = [base for base in (file.parent / given, file.parent / given.name, file.parent) if base.is_dir()]
    entries = about[split] if isinstance(about[split], list) else [about[split]]
    for entry in map(str, entries):
        place = next((base / entry for base in tried if (base / entry).exists()), None)
        if place is None:
            raise InputError(f"{file}: {split} names {entry}, which is not below {tried[0]}")
        if place.is_dir():
            yield from sorted(p for p in place.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        else:
            yield from (place.parent / line.strip() for line in place.read_text().splitlines() if line.strip())


def _yolo_label(picture: Path) -> Path:
    """The last folder named images becomes labels, as Ultralytics does it; else the label lies beside the image."""
    parts = list(picture.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def _yolo_hands(label: Path, width: int, size: tuple[int, int]) -> Iterator[LabelledHand]:
    for number, fields in text_rows(label):
        with row_of(label, number):
            row = numbers(fields, 5 + 21 * width)
            middle, half, named = row[1:3], row[3:5] / 2, row[5:].reshape(21, width)
            edges = unit_to_pixels(np.stack([middle - half, middle + half]), size)
            flags = named[:, 2] if width == 3 else np.full(21, 2.0)
            visibility = visibility_by_flag(flags)
            landmarks = blanked(unit_to_pixels(named[:, :2], size), flags > 0)
            hand = LabelledHand(box_of(edges.ravel()), landmarks, visibility=visibility if width == 3 else None)
        yield hand
