"""COCO keypoint files with 21 points per hand, as CVAT, Label Studio and Roboflow export them."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from knuckle.datasets.formats.coco_images import photos_and_clips, place_of
from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    box_from_corner,
    files_of,
    hands_maybe_visible,
    images_in,
    keypoints_of,
    load_json,
    objects_in,
    row_of,
    visibility_by_flag,
    with_flags_as_labels,
)
from knuckle.errors import InputError
from knuckle.results import FINGERS, HandLandmark

OTHER_KINDS = ("*.wholebody.json", "coco_wholebody_*.json", "onehand10k_*.json", "InterHand2.6M_*.json")
SIDE = re.compile(r"(?<![a-z])(left|right)(?=hand|[^a-z]|$)")
SIDE_ATTRIBUTES = ("handedness", "side", "hand", "hand_side")
FINGER_WORDS = {"thumb": "thumb", "index": "index", "fore": "index", "pointer": "index", "middle": "middle"} | {
    "ring": "ring", "pinky": "pinky", "pinkie": "pinky", "little": "pinky", "small": "pinky"
}  # fmt: skip
JOINTS = {"thumb": ("cmc", "mcp", "ip", "tip")} | dict.fromkeys(
    FINGERS.keys() - {"thumb"}, ("mcp", "pip", "dip", "tip")
)
IGNORED_WORDS = {"hand", "finger", "joint", "left", "right", "l", "r", "kp", "keypoint", "landmark", "point", "p"}


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """NAME.json, annotations/NAME.json or SPLIT/NAME.json with images, annotations, and hands of 21 keypoints."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "*.json", "*/*.json"):
        data = file.read_bytes()
        if any(map(file.match, OTHER_KINDS)) or any(name not in data for name in (b'"annotations"', b'"keypoints"')):
            continue
        whole = load_json(file)
        if isinstance(whole, dict) and isinstance(whole.get("images"), list) and _has_hands(whole):
            name = file.stem.removeprefix("person_keypoints_")
            in_folder = path.is_dir() and file.parent != path and file.parent.name != "annotations"
            split = file.resolve().parent.name if in_folder or name.startswith("_annotations") else name
            split = f"{split}/{name}" if split in splits else split
            splits[split] = functools.partial(_read, file, whole, split)
    return splits


def _has_hands(whole: Mapping[str, Any]) -> bool:
    """Whether a category has 21 keypoints, or an annotation 63 numbers."""
    for name, count in (("categories", 21), ("annotations", 63)):
        for entry in _listed(whole, name):
            points = entry.get("keypoints") if isinstance(entry, dict) else None
            if isinstance(points, list) and len(points) == count:
                return True
    return False


def _listed(whole: Mapping[str, Any], name: str) -> list[Any]:
    listed = whole.get(name)
    return listed if isinstance(listed, list) else []


def _read(file: Path, whole: Mapping[str, Any], split: str) -> Dataset:
    """One file (cocodataset.org/#format-data): boxes are left, top, width, height; v is 0 not labelled, 1 hidden, 2
    visible, unless the file contradicts that (`with_flags_as_labels`, `_marks_nothing`). An image without annotations
    shows no hand. An image with a crowd may show more hands than are labelled.
    """
    categories, orders = {}, {}
    for number, category in enumerate(objects_in(file, whole, "categories") if "categories" in whole else []):
        with row_of(file, f"categories[{number}]"):
            order = landmark_order([str(name) for name in category.get("keypoints") or ()])
            categories[category["id"]], orders[category["id"]] = category, order
    found_hands: list[LabelledHand | None] = []
    numbers_of: dict[Any, list[int]] = defaultdict(list)  # image -> its hands in `found_hands`
    annotations = list(objects_in(file, whole, "annotations"))
    unmarked = _marks_nothing(annotations)
    for number, found in enumerate(annotations):
        with row_of(file, f"annotations[{number}]"):
            category = categories.get(found.get("category_id"), {})
            if len(category.get("keypoints") or ()) == 21 or len(found.get("keypoints") or ()) == 63:
                numbers_of[found["image_id"]].append(len(found_hands))
                order = orders.get(found.get("category_id"), range(21))
                found_hands.append(_hand(_marked(found) if unmarked else found, category, order))
    found_hands, about_flags = with_flags_as_labels(found_hands)
    if unmarked:
        about_flags = "no point has v above 0, so all points that are not at 0, 0 are read as labelled"
    images = images_in(file, whole)
    if strangers := numbers_of.keys() - images.keys():
        raise InputError(f"{file}: annotations name the image {min(strangers, key=str)!r}, which is not in 'images'")
    shots = []
    for key, image in images.items():
        with row_of(file, f"image {key}"):
            place = place_of(file, whole, image)
            hands = [found_hands[number] for number in numbers_of[key]]
            known = [hand for hand in hands if hand is not None]
            shown, complete = hands_maybe_visible(known, complete=len(known) == len(hands))
            size = (int(image["width"]), int(image["height"]))
            group = place.source.split(".rf.")[0]  # Roboflow's altered copies of one photo are NAME.rf.HASH.jpg
            shots.append((place, Shot(place.source, place.frame, place.time_s, size, shown, complete, group=group)))
    photos, clips = photos_and_clips(shots)
    named = (str(entry.get("name") or "") for entry in _listed(whole, "licenses") if isinstance(entry, dict))
    note = "; ".join(filter(None, ("the file does not say who made the labels; people are assumed", about_flags)))
    return Dataset(split, photos, clips, licence=", ".join(filter(None, dict.fromkeys(named))), note=note)


def _marks_nothing(annotations: Sequence[Mapping[str, Any]]) -> bool:
    """Whether points have places, but all have v = 0, which would mean that none is labelled."""
    listed = [found.get("keypoints") for found in annotations]
    rows = [points for points in listed if isinstance(points, list) and len(points) == 63]
    return any(map(any, rows)) and not any(any(points[2::3]) for points in rows)


def _marked(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotation with v = 1 for all points that are not at 0, 0."""
    points = list(found.get("keypoints") or ())
    points[2::3] = [int(bool(x or y)) for x, y in zip(points[::3], points[1::3], strict=False)]
    return {**found, "keypoints": points}


def _hand(found: Mapping[str, Any], category: Mapping[str, Any], order: Sequence[int]) -> LabelledHand | None:
    """One annotation; None for a crowd, and for a hand that has neither a box nor a point."""
    box = box_from_corner(found["bbox"]) if any(found.get("bbox") or ()) and any(found["bbox"][2:]) else None
    landmarks, visibility = None, None
    if any(found.get("keypoints") or ()):
        landmarks, flags = keypoints_of(found["keypoints"], order)
        visibility = visibility_by_flag(flags) if flags.any() else None
        landmarks = landmarks if flags.any() else None
    if found.get("iscrowd") or (box is None and landmarks is None):
        return None
    track_id = (found.get("attributes") or {}).get("track_id")  # as CVAT writes it
    return LabelledHand(
        box,
        landmarks,
        handedness=side_of(found.get("attributes"), category.get("name")),
        visibility=visibility,
        track_id=None if track_id is None else int(track_id),
    )


def side_of(attributes: Any, label: Any) -> str | None:
    """Left or right from an attribute of a hand, else from its label's name: the person's own."""
    by_name = {str(key).lower(): value for key, value in attributes.items()} if isinstance(attributes, Mapping) else {}
    for text in (*(by_name.get(key) for key in SIDE_ATTRIBUTES), label):
        sides = set(SIDE.findall(str(text).lower()))
        if len(sides) == 1:
            return str(sides.pop()).capitalize()
    return None


def landmark_order(names: Sequence[str]) -> Sequence[int]:
    """The index of each of our landmarks in a list of 21 names of keypoints.

    Names without a meaning, such as "a" and "b", give our own order, as do other numbers of names.

    Raises:
        ValueError: some names contradict our order, but not all names are known.
    """
    if len(names) != 21:
        return range(21)
    ours = _meant_by(names)
    if sorted(landmark for landmark in ours if landmark is not None) == list(range(21)):
        return [ours.index(landmark) for landmark in range(21)]
    for index, (name, landmark) in enumerate(zip(names, ours, strict=True)):
        if landmark is not None and landmark != index:
            raise ValueError(
                f"keypoint {index} is called {name!r} where {HandLandmark(index).name.lower()} belongs, and not all 21 "
                "names are known; use the names or the order of knuckle.HandLandmark"
            )
    return range(21)


def _meant_by(names: Sequence[str]) -> list[int | None]:
    """The landmark that each name means: wrist, INDEX_FINGER_TIP, forefinger4, or the numbers 0 to 20 or 1 to 21."""
    words = [list(_words(name)) for name in names]
    numbers = [int(found[0]) if len(found) == 1 and found[0].isdigit() else None for found in words]
    first = min((number for number in numbers if number is not None), default=0)
    if sorted(number for number in numbers if number is not None) == list(range(first, first + 21)) and first in (0, 1):
        return [None if number is None else number - first for number in numbers]
    digits = [int(found[1]) for found in words if len(found) == 2 and found[0] in JOINTS and found[1].isdigit()]
    return [_landmark(found, min(digits, default=1)) for found in words]


def _words(name: str) -> Iterator[str]:
    """The words of a name that matter, in one spelling: "leftIndexFinger_TIP" gives index, tip."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("finger", " finger ")
    for word in re.findall(r"[a-z]+|[0-9]+", spaced):
        if word not in IGNORED_WORDS:
            yield FINGER_WORDS.get(word, word)


def _landmark(words: Sequence[str], first: int) -> int | None:
    """The landmark for a finger and a joint, or for a finger and a number that is `first` at its base."""
    if words in (["wrist"], ["root"]):
        return int(HandLandmark.WRIST)
    if len(words) != 2 or words[0] not in JOINTS:
        return None
    finger, joint = words
    index_of = {name: k for k, name in enumerate(JOINTS[finger])} | {str(first + k): k for k in range(4)}
    return FINGERS[finger][index_of[joint]] if joint in index_of else None
