"""COCO-WholeBody: hands of people in COCO photos."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from knuckle.datasets.formats.coco_images import Place, photos_and_clips, place_of
from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    box_from_corner,
    files_of,
    folder_with,
    images_in,
    keypoints_of,
    load_json,
    objects_in,
    row_of,
)

COCO_WRISTS = {"left": 9, "right": 10}  # of the 17 body points


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """coco_wholebody_train_v1.0.json and coco_wholebody_val_v1.0.json, or NAME.wholebody.json."""
    files = files_of(path, "coco_wholebody_*.json", "annotations/coco_wholebody_*.json", "*.wholebody.json")
    return {split_of(file): functools.partial(_read, file) for file in files}


def split_of(file: Path) -> str:
    """The split that a file's name says: "val" for coco_wholebody_val_v1.0.json."""
    name = file.name.removesuffix(".json")
    return name.split("_")[2] if name.startswith("coco_wholebody_") else name.removesuffix(".wholebody")


def _read(file: Path) -> Dataset:
    """The hands of one file.

    Fields, validity and "v > 0 means reliable": github.com/jin-s13/COCO-WholeBody, data_format.md. Boxes are left,
    top, width, height. Left and right are the person's own, as in COCO. The labels do not say which points are hidden.
    """
    split = split_of(file)
    whole = load_json(file)
    people: dict[Any, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, person in enumerate(objects_in(file, whole, "annotations")):
        with row_of(file, f"annotations[{number}]"):
            people[person["image_id"]].append((number, person))
    images = images_in(file, whole)
    shots = []
    root = file.parent
    first = next((str(image["file_name"]) for image in images.values()), "")
    candidates = (root.parent / f"{split}2017", root / f"{split}2017", root.parent / "images" / f"{split}2017")
    folder = folder_with(first, (*candidates, root.parent, root, root.parent / "images"))
    for key, image in images.items():
        hands: list[LabelledHand] = []
        complete = True
        for number, person in people[key]:
            with row_of(file, f"annotations[{number}]"):
                for side in ("left", "right"):
                    hand = _hand(person, side)
                    hands += [hand] if hand else []
                    complete = complete and (hand is not None or not _may_be_unlabelled(person, side))
        size = (int(image["width"]), int(image["height"]))
        with row_of(file, f"image {key}"):
            place = place_of(file, whole, image)
        if not place.in_clip:
            place = Place(str(folder / str(image["file_name"])))
        shot = Shot(place.source, place.frame, place.time_s, size, tuple(hands), complete, group=place.source)
        shots.append((place, shot))
    photos, clips = photos_and_clips(shots)
    note = "images where a hand may be visible without a label do not count for false positives"
    licence = "annotations: non-commercial research only; photos: Flickr, various"
    return Dataset(f"coco-wholebody {split}", photos, clips, licence=licence, note=note)


def _hand(person: Mapping[str, Any], side: str) -> LabelledHand | None:
    """A person's left or right hand, if its label is valid."""
    if not person[f"{side}hand_valid"]:
        return None
    landmarks, _ = keypoints_of(person[f"{side}hand_kpts"])
    return LabelledHand(box_from_corner(person[f"{side}hand_box"]), landmarks, handedness=side.capitalize())


def _may_be_unlabelled(person: Mapping[str, Any], side: str) -> bool:
    """Whether a hand without a valid label may be in the image: in crowds, for people whose body is not labelled
    (COCO leaves small people out), and where the wrist is labelled."""
    if person.get("iscrowd") or not person.get("num_keypoints"):
        return True
    return bool(person["keypoints"][3 * COCO_WRISTS[side] + 2])
