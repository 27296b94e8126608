"""Label Studio: a JSON file of tasks, where the 21 keypoints of a hand have its rectangle as their parent."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from knuckle.datasets.formats.coco import landmark_order, side_of
from knuckle.datasets.formats.coco_images import Place, path_of, photos_and_clips
from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import box_from_corner, files_of, hands_maybe_visible, load_json, numbers, row_of
from knuckle.results import HandLandmark

LOCAL = "/data/local-files/?d="  # how Label Studio names files of a local storage
UPLOADED = "/data/upload/"


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """NAME.json: a list of tasks with `data`, and `annotations` or `predictions`; each file is a split."""
    found: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "*.json"):
        text = file.read_bytes()
        if b'"data"' not in text or all(key not in text for key in (b'"annotations"', b'"predictions"')):
            continue
        tasks = load_json(file)
        if isinstance(tasks, list) and all(isinstance(task, dict) and "data" in task for task in tasks):
            found[file.stem.removesuffix(".labelstudio")] = functools.partial(_read, file, tasks)
    return found


def _read(file: Path, tasks: Sequence[Mapping[str, Any]]) -> Dataset:
    """One file (labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks).

    What people made of a task counts, else its prediction. A task that was skipped is left out.
    """
    shots = []
    for number, task in enumerate(tasks):
        with row_of(file, f"task {number}"):
            made = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
            made = made or list(task.get("predictions") or ())
            if made:
                shots.append(_shot(file, task["data"], made[-1]["result"]))
    photos, clips = photos_and_clips(shots)
    return Dataset(file.stem, photos, clips, note="the file does not say who made the labels; people are assumed")


def _shot(file: Path, about: Mapping[str, Any], result: Sequence[Mapping[str, Any]]) -> tuple[Place, Shot]:
    """One task. `clip`, `frame` and `time_s` are our own additions for frames of clips."""
    if "clip" in about:
        place = Place(str(path_of(file, about["clip"])), int(about["frame"]), float(about["time_s"]), True)
    else:
        name = str(about["image"])
        if name.startswith((LOCAL, UPLOADED)):
            name = unquote(name.removeprefix(LOCAL).removeprefix(UPLOADED))
        place = Place(name if "://" in name else str(path_of(file, name)))
    sizes = [(int(one["original_width"]), int(one["original_height"])) for one in result if "original_width" in one]
    size = sizes[0] if sizes else (int(about["width"]), int(about["height"])) if "width" in about else None
    regions = {one.get("id"): one for one in result if one.get("type") == "rectanglelabels"}
    points: dict[Any, dict[str, Any]] = {key: {} for key in regions}
    for one in result:
        if one.get("type") == "keypointlabels":
            points.setdefault(one.get("parentID"), {})[one["value"]["keypointlabels"][0]] = one["value"]
    hands = [_hand(regions.get(key), found, size) for key, found in points.items()]
    shown, complete = hands_maybe_visible(hands, complete=True)
    return place, Shot(place.source, place.frame, place.time_s, size, shown, complete, group=place.source)


def _hand(region: Mapping[str, Any] | None, found: Mapping[str, Any], size: tuple[int, int] | None) -> LabelledHand:
    """A hand from its rectangle and its points, which are percentages of the image."""
    if size is None:
        raise ValueError("a region has no original_width and original_height")
    scale = np.array(size) / 100
    box, side = None, None
    if region is not None:
        value = region["value"]
        corner = numbers([value[key] for key in ("x", "y", "width", "height")], 4) * np.tile(scale, 2)
        box, side = box_from_corner(corner.tolist()), side_of(None, (value.get("rectanglelabels") or [""])[0])
    landmarks = None
    if found:
        landmarks = np.full((21, 2), np.nan, np.float32)
        for landmark, name in named_landmarks(list(found)).items():
            landmarks[landmark] = numbers([found[name]["x"], found[name]["y"]], 2) * scale
    return LabelledHand(box, landmarks, handedness=side)


def named_landmarks(names: Sequence[str]) -> dict[int, str]:
    """The landmark that each name of a keypoint means; some may be missing.

    Raises:
        ValueError: a name is of no landmark.
    """
    known = {point.name.lower(): int(point) for point in HandLandmark}
    if all(name in known for name in names):
        return {known[name]: name for name in names}
    if len(names) == 21:
        return {landmark: names[index] for landmark, index in enumerate(landmark_order(names))}
    raise ValueError(f"expected keypoints called {', '.join(known)}, got {', '.join(names)}")
