"""YOLO pose: a folder with data.yaml, images/train and labels/train (docs.ultralytics.com/datasets/pose).

`knuckle.datasets.formats.yolo_pose` is the reader. The classes are left and right hands, so training on such a folder
must not mirror images (`fliplr=0`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import InputError
from knuckle.exports.labels import flagged_points, known_hands, read_labels
from knuckle.exports.pictures import PictureNames, is_photo
from knuckle.images import Image
from knuckle.media.write_common import FolderSink
from knuckle.results import Frame, Hand, HandLandmark

CLASSES = ("Left", "Right")
COPIED = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}  # what YOLO's readers take as it is
DATA_YAML = """# Hands found by Knuckle. Left and right are classes: train with fliplr=0.
path: .
train: images/train
val: images/train
kpt_shape: [21, 3]
flip_idx: [{flip}]
names:
  0: left hand
  1: right hand
# The keypoints, in order: {names}
"""


class YoloSink(FolderSink):
    """Writes a picture and a text file of labels for each frame. Files of photos are copied as they are."""

    MARKER = "data.yaml"

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.names = PictureNames()
        with self._opening():
            self.pictures, self.labels = (self.file.part / name / "train" for name in ("images", "labels"))
            self.pictures.mkdir(parents=True)
            self.labels.mkdir(parents=True)
            names = ", ".join(point.name.lower() for point in HandLandmark)
            text = DATA_YAML.format(flip=", ".join(map(str, range(21))), names=names)
            (self.file.part / "data.yaml").write_text(text, encoding="utf-8")

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        name = self.names(frame)
        photo = Path(frame.source)
        if is_photo(frame) and photo.suffix.lower() in COPIED and os.path.isfile(photo):
            shutil.copyfile(photo, self.pictures / f"{name}{photo.suffix.lower()}")
        elif has_picture(frame.image):
            write_picture(self.pictures / f"{name}.png", frame.image)
        else:
            raise InputError(f"YOLO labels need pictures, and {frame.source} is not there as a photo: track it again")
        lines = [line for hand in known_hands(results) if (line := label_line(hand, frame.width, frame.height))]
        (self.labels / f"{name}.txt").write_text("".join(lines), encoding="utf-8")

    def finish(self) -> None:
        """Each file is complete already."""

    def has_content(self) -> bool:
        return any(self.pictures.iterdir())  # readers refuse a dataset without pictures


def has_picture(image: Image) -> bool:
    """Whether a frame has its picture, and is not the blank of a file that was read back."""
    return any(image.strides)


def write_picture(path: Path, image: Image) -> None:
    from PIL import Image as pillow

    pillow.fromarray(image).save(path)


def label_line(hand: Hand, width: int, height: int) -> str:
    """Class, box and 21 keypoints in fractions of the image; "" for a hand that lies outside.

    Readers refuse numbers that are not 0 to 1, so landmarks outside of the image become 0, 0, 0.
    """
    rows = flagged_points(hand)
    rows[:, :2] /= [width, height]
    inside = (rows[:, 2] > 0) & (rows[:, :2] >= 0).all(axis=1) & (rows[:, :2] <= 1).all(axis=1)
    if not inside.any():
        return ""
    rows[~inside] = 0
    low, high = rows[inside, :2].min(axis=0), rows[inside, :2].max(axis=0)
    side = np.maximum(high - low, 1e-6)
    numbers = [*((low + high) / 2), *side]
    points = [f"{x:.7f} {y:.7f} {flag:.0f}" for x, y, flag in rows]
    return " ".join([str(CLASSES.index(hand.handedness)), *(f"{value:.7f}" for value in numbers), *points]) + "\n"


read_yolo = partial(read_labels, "yolo-pose")
