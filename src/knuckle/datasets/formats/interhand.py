"""InterHand2.6M: interacting hands with points in space."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    box_from_corner,
    files_of,
    folder_with,
    images_in,
    load_json,
    numbers,
    objects_in,
    project,
    row_of,
)

# The index of each of our landmarks in their list: each finger from tip to base, then the wrist.
ORDER = [20] + [4 * finger + 3 - joint for finger in range(5) for joint in range(4)]


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """InterHand2.6M_SPLIT_data.json with _camera.json and _joint_3d.json; images in images/SPLIT/.

    Version 0 keeps them in annotations/all, human_annot and machine_annot: then the split is "test-human_annot".
    """
    tail = "InterHand2.6M_*_data.json"
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, tail, f"*/{tail}", f"annotations/*/{tail}"):
        split, folder = file.name.split("_")[1], file.parent.name
        name = f"{split}-{folder}" if folder in ("all", "human_annot", "machine_annot") else split
        splits[name] = functools.partial(_read, file, split, name)
    return splits


def _read(file: Path, split: str, name: str) -> Dataset:
    """One split. 42 points in world millimetres, the right hand first.

    Files: mks0601.github.io/InterHand2.6M. Camera space = R (X - campos), pixels = focal × xy / z + princpt, the wrists
    are 20 and 41, and a hand whose wrist is not valid has no valid position in space: github.com/facebookresearch/
    InterHand2.6M, data/InterHand2.6M/dataset.py. Order of points: MMPose, configs/_base_/datasets/interhand3d.py.
    """
    whole = load_json(file)
    cameras = load_json(file.with_name(file.name.replace("_data.", "_camera.")))
    joints = load_json(file.with_name(file.name.replace("_data.", "_joint_3d.")))
    images = images_in(file, whole)
    first = next((str(image["file_name"]) for image in images.values()), "")
    above = [*file.parents][:3]
    folder = folder_with(first, [parent / part / split for parent in above[::-1] for part in ("images", ".")])
    shots = []
    for number, found in enumerate(objects_in(file, whole, "annotations")):
        with row_of(file, f"annotations[{number}]"):
            image = images[found["image_id"]]
            camera, frames = cameras[str(image["capture"])], joints[str(image["capture"])]
            source = str(folder / str(image["file_name"]))
            shots.append(_shot(found, image, camera, frames[str(image["frame_idx"])], source))
    note = "triangulated from many views, by people and by a network; 3D only for hands whose wrist is valid"
    return Dataset(f"interhand2.6m {name}", tuple(shots), licence="CC-BY-NC-4.0", note=note)


def _shot(
    found: Mapping[str, Any], image: Mapping[str, Any], camera: Mapping[str, Any], joints: Any, source: str
) -> Shot:
    """One annotation: one or two hands, projected into one camera."""
    world = numbers(joints["world_coord"] if isinstance(joints, Mapping) else joints, 42, 3)
    valid = numbers(np.reshape(found["joint_valid"], -1), 42) > 0
    view = str(image["camera"])
    rotation, position = numbers(camera["camrot"][view], 3, 3), numbers(camera["campos"][view], 3)
    (fx, fy), (cx, cy) = numbers(camera["focal"][view], 2).tolist(), numbers(camera["princpt"][view], 2).tolist()
    in_camera_m = ((world - position) @ rotation.T) / 1000
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)
    sides = {"right": ["Right"], "left": ["Left"], "interacting": ["Right", "Left"]}[found["hand_type"]]
    hands = []
    for side in sides:
        order = np.array(ORDER) + (0 if side == "Right" else 21)
        known = valid[order]
        if known.any():
            xyz = np.where(known[:, None], in_camera_m[order], np.nan).astype(np.float32)
            wrist_known = known[0]  # without it the hand has no valid position in space
            hands.append(LabelledHand(None, project(xyz, matrix), xyz if wrist_known else None, side))
    box = box_from_corner(found["bbox"])  # around both hands if there are two
    if len(sides) == 1 and hands:
        hands = [replace(hands[0], box=box)]
    return Shot(
        source,
        size=(int(image["width"]), int(image["height"])),
        hands=tuple(hands) or None,
        complete=len(hands) == 2,
        group=f"capture {image['capture']} {image.get('seq_name', image['frame_idx'])}",
    )
