"""FreiHAND: right hands with points in space."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    files_of,
    load_json,
    numbers,
    project,
    row_of,
)
from knuckle.errors import InputError

SIZE = (224, 224)  # of all images, pixels
VERSIONS = ("gs", "hom", "sample", "auto")  # the green screen, and three other backgrounds


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """training_xyz.json with training_K.json, evaluation_xyz.json with evaluation_K.json; images in SPLIT/rgb/.

    The training images exist with four backgrounds: the split "training" is all of them, "training-gs" one.
    """
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "*_xyz.json"):
        split = file.name.removesuffix("_xyz.json")
        cameras = file.with_name(f"{split}_K.json")
        if not cameras.is_file():
            continue
        if split != "training":
            splits[split] = functools.partial(_read, file, cameras, split, (0,))
            continue
        splits[split] = functools.partial(_read, file, cameras, split, (0, 1, 2, 3))
        for number, version in enumerate(VERSIONS):
            splits[f"{split}-{version}"] = functools.partial(_read, file, cameras, split, (number,))
    return splits


def _read(file: Path, cameras: Path, split: str, versions: tuple[int, ...]) -> Dataset:
    """One split, with some of the backgrounds. Points are metres in camera space; all labelled hands are right hands.

    github.com/lmb-freiburg/freihand, utils/fh_utils.py: the projection (projectPoints), the order of points (plot_hand,
    the same as ours), and that image i of background version v is number i + v × (number of labelled samples).
    """
    points, matrices = load_json(file), load_json(cameras)
    if not isinstance(points, list) or not isinstance(matrices, list):
        raise InputError(f"{file} and {cameras.name} must each be a list with a row per image")
    if len(points) != len(matrices):
        raise InputError(f"{file} has {len(points)} rows and {cameras.name} has {len(matrices)}; they must go together")
    hands = []
    for number, (hand_points, camera) in enumerate(zip(points, matrices, strict=True)):
        with row_of(file, number):
            xyz = numbers(hand_points, 21, 3)
            pixels = project(xyz, numbers(camera, 3, 3))
        hands.append(LabelledHand(landmarks=pixels, world=xyz, handedness="Right"))
    shots = []
    for version in versions:
        for number, hand in enumerate(hands):
            image = file.parent / split / "rgb" / f"{number + version * len(hands):08}.jpg"
            group = f"{split} {number}"  # the four backgrounds of one photo
            shots.append(Shot(str(image), size=SIZE, hands=(hand,), complete=False, group=group))
    name = f"freihand {split}" + (f"-{VERSIONS[versions[0]]}" if split == "training" and len(versions) == 1 else "")
    note = "a hand model fitted to several views and checked by people; one hand is labelled per image"
    return Dataset(name, tuple(shots), licence="research only, no commercial use", note=note)
