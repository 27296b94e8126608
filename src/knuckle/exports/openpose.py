"""OpenPose: a folder with one JSON file per frame, as `openpose --hand --write_json` writes them.

Format: github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md. A person has at most one left and one right
hand of 21 points, each x, y, confidence, in our order. The confidence is the landmark's visibility, or the presence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import InputError
from knuckle.exports.labels import pairs
from knuckle.exports.pictures import PictureNames, is_photo
from knuckle.media.data_format import Tracked, blank_frame, labelled_hand
from knuckle.media.names import as_json
from knuckle.media.read_tables import explained, row_explained
from knuckle.media.write_common import FolderSink
from knuckle.results import Frame, Hand

LEAST_CONFIDENCE = 0.001  # a confidence of 0 means that there is no point
SIDES = {"hand_left_keypoints_2d": "Left", "hand_right_keypoints_2d": "Right"}
OTHERS = tuple(f"{part}_keypoints_2d" for part in ("pose", "face"))
OTHERS += tuple(f"{part}_keypoints_3d" for part in ("pose", "face", "hand_left", "hand_right"))


class OpenPoseSink(FolderSink):
    """Writes `NAME_000000000012_keypoints.json` for each frame of a clip, and `NAME_keypoints.json` for a photo.

    The n-th left and the n-th right hand of a frame are those of its n-th person: which hands belong together is not
    known. `frame` and `image` are our own additions: OpenPose's files name neither source nor size.
    """

    MARKER = "*_keypoints.json"

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.names = PictureNames()

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        people = []
        for pair in pairs(results):
            person: dict[str, Any] = {"person_id": [-1], **{key: [] for key in OTHERS}}
            people.append(person | {key: flat_points(pair.get(side)) for key, side in SIDES.items()})
        about = {"source": as_json(frame.source), "index": frame.index, "time_s": frame.time_s}
        about["is_photo"] = is_photo(frame)
        size = {"width": frame.width, "height": frame.height}
        whole = {"version": 1.3, "people": people, "image": size, "frame": about}
        (self.file.part / f"{self.names(frame)}_keypoints.json").write_text(json.dumps(whole), encoding="utf-8")

    def finish(self) -> None:
        """Each file is complete already."""


def flat_points(hand: Hand | None) -> list[float]:
    """63 numbers x, y, confidence; 0, 0, 0 for a landmark that is not known; [] without a hand."""
    if hand is None:
        return []
    confidence = np.full(21, hand.presence) if hand.visibility is None else hand.visibility
    rows = np.column_stack([hand.landmarks[:, :2], np.clip(confidence, LEAST_CONFIDENCE, 1)]).astype(float)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    return [float(value) for value in rows.round(3).ravel()]


def read_openpose(path: Path) -> Iterator[Tracked]:
    """The frames of a folder, in the order of their names; files of OpenPose itself do not say size and time.

    Raises:
        InputError: there are no such files, or one is damaged.
        SourceError: a file cannot be read.
    """
    files = sorted(path.glob("*_keypoints.json"))
    if not files:
        raise InputError(f"{path} has no files NAME_keypoints.json, as OpenPose writes them")
    for file in files:
        with explained(file), row_explained(file, "people"):
            whole = json.loads(file.read_text(encoding="utf-8"))
            about = frame_of_name(file) | whole.get("frame", {}) | whole.get("image", {})
            hands = [
                labelled_hand(side, landmarks)
                for person in whole["people"]
                for key, side in SIDES.items()
                if (landmarks := landmarks_of(person.get(key) or [])) is not None
            ]
            yield blank_frame(about), hands


def frame_of_name(file: Path) -> dict[str, Any]:
    """What the name of a file says: `clip_000000000012_keypoints.json` is frame 12 of a clip, at an unknown time."""
    name = file.name.removesuffix("_keypoints.json")
    base, _, number = name.rpartition("_")
    in_clip = base != "" and number.isdigit()
    about: dict[str, Any] = {"is_photo": not in_clip, "source": base if in_clip else name}
    return about | {"index": int(number) if in_clip else 0, "time_s": math.nan, "width": 0, "height": 0}


def landmarks_of(flat: Sequence[float]) -> Any:
    """(21, 3) pixels, z NaN, from x, y, confidence; None if no point has a confidence."""
    rows = np.array(flat, np.float32).reshape(-1, 3)
    if not rows[:, 2].any():
        return None
    if len(rows) != 21:
        raise ValueError(f"expected 21 points of a hand, got {len(rows)}")
    known = np.where(rows[:, 2:] > 0, rows, np.nan)
    known[:, 2] = np.nan
    return known
