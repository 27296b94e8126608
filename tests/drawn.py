"""Drawn hands (`scene.py`) with their true landmarks, and label files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as pillow
from scene import DIGITS, blank, draw_hand

from knuckle.datasets.labels import LabelledHand
from knuckle.images import Image

WRIST = (0.49, 0.97)
ORDER = ("thumb", "index", "middle", "ring", "pinky")


def landmarks_of(x: float, y: float, size: float, angle_rad: float = 0.0, right: bool = False) -> np.ndarray:
    """(21, 2) pixels of the hand that `draw_hand` draws with the same arguments."""
    unit = (np.array([WRIST, *(joint for name in ORDER for joint in DIGITS[name])]) - [0.45, 0.52]) * size
    if right:
        unit[:, 0] *= -1
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return unit @ np.array([[c, s], [-s, c]]) + [x, y]


def drawn_hand(rng: np.random.Generator, width: int = 320, height: int = 240) -> tuple[Image, LabelledHand]:
    """A picture with one hand somewhere, and the truth about it."""
    size = rng.uniform(0.5, 0.8) * height
    place = (width / 2 + rng.uniform(-30, 30), height / 2 + rng.uniform(-10, 10), size, rng.uniform(-0.5, 0.5))
    right = bool(rng.random() < 0.5)
    image = draw_hand(blank(width, height), *place, right=right)
    landmarks = landmarks_of(*place, right=right)
    world = np.zeros((21, 3))
    world[:, :2] = (landmarks - landmarks.mean(0)) * (0.18 / size)
    world[:, 2] = rng.normal(0, 0.01, 21)
    deep = np.column_stack([landmarks, rng.normal(0, 0.05 * size, 21)])
    visibility = rng.choice([2.0, 3.0], 21)
    side = "Right" if right else "Left"
    return image, LabelledHand(landmarks=deep, world=world, handedness=side, visibility=visibility)


def write_yolo(folder: Path, count: int, empty: int = 1) -> Path:
    """A YOLO pose dataset (data.yaml, images/, labels/) of drawn hands and walls, the splits train and val."""
    rng = np.random.default_rng(3)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            image, hand = drawn_hand(rng)
            assert hand.landmarks is not None
            unit = hand.landmarks[:, :2] / [image.shape[1], image.shape[0]]
            low, high = unit.min(0), unit.max(0)
            row = [0, *(low + high) / 2, *(high - low), *np.column_stack([unit, np.full(21, 2)]).ravel()]
            pillow.fromarray(image).save(folder / "images" / split / f"{number:03d}.jpg", quality=95)
            (folder / "labels" / split / f"{number:03d}.txt").write_text(" ".join(f"{v:.6g}" for v in row) + "\n")
        for number in range(empty):
            pillow.fromarray(blank(320, 240)).save(folder / "images" / split / f"wall{number}.jpg")
    file = folder / "data.yaml"
    file.write_text("path: .\ntrain: images/train\nval: images/val\nkpt_shape: [21, 3]\nnames: [hand]\n")
    return file
