"""Readers of hand boxes: HaGRID with its gestures, TI1K with the tips of thumb and index finger."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Clip, Dataset, LabelledHand, Shot
from knuckle.datasets.pictures import clip_header
from knuckle.datasets.rows import (
    box_of,
    files_of,
    folder_with,
    image_size,
    load_json,
    numbers,
    row_of,
    side_of,
    text_rows,
    tips,
    unit_to_pixels,
)
from knuckle.errors import InputError

HEAD_BYTES = 4096
NO_GESTURE = "no_gesture"
TI1K_TRAINING = 900  # images 1 to 900 are the training part, 901 to 1000 the test part
FRAME = re.compile(r"Frame_(\d+)\b")


def find_hagrid(path: Path, landmarks: bool = False) -> dict[str, Callable[[], Dataset]]:
    """GESTURE.json with rows of `bboxes` and `labels`; the folder names the split (train, val, ann_test, …)."""
    splits: dict[str, list[Path]] = {}
    for file in files_of(path, "*.json", "*/*.json", "*/*/*.json"):
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
        if b'"bboxes"' in head and b'"labels"' in head:
            splits.setdefault(file.parent.name.removeprefix("ann_"), []).append(file)
    root = path if path.is_dir() else path.parent.parent
    return {split: functools.partial(_read_hagrid, root, split, files, landmarks) for split, files in splits.items()}


def find_hagrid_landmarks(path: Path) -> dict[str, Callable[[], Dataset]]:
    """The same files, with the `hand_landmarks` that version 2 has from MediaPipe."""
    return find_hagrid(path, landmarks=True)


def _read_hagrid(root: Path, split: str, files: Sequence[Path], landmarks: bool) -> Dataset:
    """HaGRID: all hands of an image as left, top, width, height in shares of the image, by people.

    github.com/hukenovs/hagrid, README (version 1: `leading_hand` is the side of the hand that shows the gesture;
    version 2: `hand_landmarks`, made by MediaPipe) and dataset/dataset.py. Those landmarks are read only on demand,
    since with them figures are agreement with MediaPipe.
    """
    shots = []
    for file in files:
        places = [*root.glob(file.stem), *root.glob(f"*/{file.stem}"), *root.glob(f"*/*/{file.stem}")]
        folders = sorted((p for p in places if p.is_dir()), key=lambda p: split not in p.parts) or [root / file.stem]
        rows = load_json(file)
        if not isinstance(rows, dict):
            raise InputError(f"{file}: expected an object with a row per image")
        for key, row in rows.items():
            picture = folder_with(f"{key}.jpg", folders) / f"{key}.jpg"
            with row_of(file, key):
                size = image_size(picture)
                hands = None if size is None else _hagrid_hands(row, size, landmarks)
                group = str(row.get("user_id", key))
            shots.append(Shot(str(picture), size=size, hands=hands, group=group, slices=(file.stem,)))
    note = (
        "landmarks were made by MediaPipe" if landmarks else "boxes by people; the landmarks of version 2 are not used"
    )
    licence = "a variant of CC-BY-SA-4.0"
    by: Any = "mediapipe" if landmarks else "people"
    return Dataset(f"hagrid {split}", tuple(shots), labelled_by=by, licence=licence, note=note)


def _hagrid_hands(row: Mapping[str, Any], size: tuple[int, int], landmarks: bool) -> tuple[LabelledHand, ...]:
    boxes, labels = row["bboxes"], row["labels"]
    if len(boxes) != len(labels):
        raise ValueError(f"there are {len(boxes)} bboxes and {len(labels)} labels")
    leading = side_of(row.get("leading_hand")) if sum(label != NO_GESTURE for label in labels) == 1 else None
    marked = row["hand_landmarks"] if landmarks else []
    hands = []
    for number, (edges, label) in enumerate(zip(boxes, labels, strict=True)):
        x, y, width, height = numbers(edges, 4).tolist()
        box = box_of(unit_to_pixels(np.array([[x, y], [x + width, y + height]], np.float32), size).ravel())
        found = marked[number] if number < len(marked) and marked[number] else None
        hands.append(
            LabelledHand(
                box,
                None if found is None else unit_to_pixels(numbers(found, 21, 2), size),
                handedness=leading if label != NO_GESTURE else None,
            )
        )
    return tuple(hands)


def find_ti1k(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Annotation/label.txt with "TI1K Train" and "TI1K Test" beside it, or NAME.txt of "Frame_1 …" beside NAME.mp4."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "label.txt", "Annotation/label.txt"):
        splits |= {
            "": functools.partial(_read_ti1k, file, range(1, 1001)),
            "train": functools.partial(_read_ti1k, file, range(1, TI1K_TRAINING + 1)),
            "test": functools.partial(_read_ti1k, file, range(TI1K_TRAINING + 1, 1001)),
        }
    found = [file for file in files_of(path, "*.txt") if file.with_suffix(".mp4").is_file() and _has_frames(file)]
    if found:
        splits["clips" if splits else ""] = functools.partial(read_ti1k_clips, found)
    return splits


def _has_frames(file: Path) -> bool:
    with file.open("rb") as opened:
        return bool(FRAME.match(opened.read(40).decode("utf-8", "replace")))


def _ti1k_hand(fields: Sequence[str], size: tuple[int, int]) -> LabelledHand:
    """x0 y0 x1 y1 of the hand, x y of the thumb's tip, x y of the index finger's tip, all in shares of the image."""
    corners = unit_to_pixels(numbers(fields, 8).reshape(4, 2), size)
    return LabelledHand(box_of(corners[:2].ravel()), tips(corners[2], corners[3]))


def _read_ti1k(file: Path, part: range) -> Dataset:
    """TI1K's photos: first-person views of one hand, of either side.

    Format: github.com/MahmudulAlam/TI1K-Dataset, README; M. M. Alam, S. M. M. Rahman, Detection and tracking of
    fingertips for geometric transformation of objects in virtual environment, AICCSA 2019. Neighbouring numbers are
    neighbouring moments, so ten of them are one group.
    """
    root = file.parent.parent if file.parent.name == "Annotation" else file.parent
    folders = [root / "TI1K Train", root / "TI1K Test", root]
    shots = []
    for row, (name, *fields) in text_rows(file):
        with row_of(file, row):
            number = int(re.sub(r"\D", "", name.replace("TI1K", "")))
            if number not in part:
                continue
            folder = folder_with(name, folders if number <= TI1K_TRAINING else [folders[1], folders[0], root])
            size = image_size(folder / name)
            hands = None if size is None else (_ti1k_hand(fields, size),)
            shot = Shot(str(folder / name), size=size, hands=hands, group=f"ti1k {number // 10}")
        shots.append(shot)
    return Dataset("ti1k", tuple(shots), licence="MIT", note=TI1K_NOTE)


TI1K_NOTE = "first-person pinches: boxes and the tips of thumb and index finger"


def read_ti1k_clips(files: Sequence[Path]) -> Dataset:
    """TI1K's clips. The first row is the clip's first frame, whether it is called Frame_0 or Frame_1."""
    clips = []
    for file in files:
        video = file.with_suffix(".mp4")
        frames, rate, size = clip_header(video)
        shots: list[Shot] = []
        first: int | None = None
        for number, (name, *fields) in text_rows(file):
            with row_of(file, number):
                named = FRAME.fullmatch(name)
                if named is None:
                    raise ValueError(f"expected Frame_NUMBER, got {name}")
                first = int(named[1]) if first is None else first
                frame = int(named[1]) - first
                if not 0 <= frame < frames:
                    raise ValueError(f"{name} is not in {video.name}, which has {frames} frames")
                shot = Shot(str(video), frame, frame / rate, size, (_ti1k_hand(fields, size),), group=video.stem)
            shots.append(shot)
        clips.append(Clip(str(video), tuple(shots)))
    return Dataset("ti1k_clips", clips=tuple(clips), licence="MIT", note=TI1K_NOTE)
