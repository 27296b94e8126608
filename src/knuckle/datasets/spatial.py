"""Readers of points in space, projected into the image: FreiHAND, InterHand2.6M, Rendered Hand Pose (RHD)."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.rows import (
    box_from_corner,
    files_of,
    folder_with,
    images_in,
    load_json,
    may_be_found,
    may_show,
    numbers,
    objects_in,
    project,
    row_of,
    visibility_of,
)
from knuckle.errors import InputError
from knuckle.results import FloatArray

FREIHAND_SIZE, RHD_SIZE = (224, 224), (320, 320)  # all images of these sets
FREIHAND_VERSIONS = ("gs", "hom", "sample", "auto")  # green screen and three ways of colouring another background

# Ours from theirs. RHD: the wrist, then each finger from tip to base. InterHand2.6M: each finger from tip to base, then
# the wrist.
RHD_ORDER = [0] + [1 + 4 * finger + 3 - joint for finger in range(5) for joint in range(4)]
INTERHAND_ORDER = [20] + [4 * finger + 3 - joint for finger in range(5) for joint in range(4)]


def find_freihand(path: Path) -> dict[str, Callable[[], Dataset]]:
    """training_xyz.json with training_K.json, evaluation_xyz.json with evaluation_K.json; images in SPLIT/rgb/.

    The training images exist with four backgrounds: "training" is all of them, "training-gs" one.
    """
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "*_xyz.json"):
        split = file.name.removesuffix("_xyz.json")
        cameras = file.with_name(f"{split}_K.json")
        if not cameras.is_file():
            continue
        if split != "training":
            splits[split] = functools.partial(_read_freihand, file, cameras, split, (0,))
            continue
        splits[split] = functools.partial(_read_freihand, file, cameras, split, (0, 1, 2, 3))
        for number, version in enumerate(FREIHAND_VERSIONS):
            splits[f"{split}-{version}"] = functools.partial(_read_freihand, file, cameras, split, (number,))
    return splits


def _read_freihand(file: Path, cameras: Path, split: str, versions: tuple[int, ...]) -> Dataset:
    """FreiHAND: points in metres in the camera's space, projected by K; all labelled hands are right hands.

    github.com/lmb-freiburg/freihand, utils/fh_utils.py: projectPoints, the order of points (plot_hand: ours), images
    numbered %08d, and image i of background version v has the number i + v × (number of labelled samples).
    """
    places, matrices = load_json(file), load_json(cameras)
    if not isinstance(places, list) or not isinstance(matrices, list):
        raise InputError(f"{file} and {cameras.name} must each be a list with a row per image")
    if len(places) != len(matrices):
        raise InputError(f"{file} has {len(places)} rows and {cameras.name} has {len(matrices)}; they must go together")
    hands = []
    for number, (place, camera) in enumerate(zip(places, matrices, strict=True)):
        with row_of(file, number):
            xyz = numbers(place, 21, 3)
            pixels = project(xyz, numbers(camera, 3, 3))
        hands.append(LabelledHand(landmarks=pixels, world=xyz, handedness="Right"))
    shots = [
        Shot(
            str(file.parent / split / "rgb" / f"{number + version * len(hands):08}.jpg"),
            size=FREIHAND_SIZE,
            hands=(hand,),
            complete=False,
            group=f"{split} {number}",
        )
        for version in versions
        for number, hand in enumerate(hands)
    ]
    name = f"freihand {split}" + (
        f"-{FREIHAND_VERSIONS[versions[0]]}" if split == "training" and len(versions) == 1 else ""
    )
    note = "a hand model fitted to several views and checked by people; one hand is labelled per image"
    return Dataset(name, tuple(shots), licence="research only, no commercial use", note=note)


def find_interhand(path: Path) -> dict[str, Callable[[], Dataset]]:
    """InterHand2.6M_SPLIT_data.json with _camera.json and _joint_3d.json; images in images/SPLIT/.

    Version 0 keeps them in annotations/all, human_annot and machine_annot: then the split is "test-human_annot".
    """
    tail = "InterHand2.6M_*_data.json"
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, tail, f"*/{tail}", f"annotations/*/{tail}"):
        split, folder = file.name.split("_")[1], file.parent.name
        name = f"{split}-{folder}" if folder in ("all", "human_annot", "machine_annot") else split
        splits[name] = functools.partial(_read_interhand, file, split, name)
    return splits


def _read_interhand(file: Path, split: str, name: str) -> Dataset:
    """InterHand2.6M: 42 points in world millimetres, right hand first.

    Files: mks0601.github.io/InterHand2.6M. Camera space = R (X - campos), pixels = focal × xy / z + princpt, the wrists
    are 20 and 41, and a hand whose wrist is not valid has no valid place in space: github.com/facebookresearch/
    InterHand2.6M, data/InterHand2.6M/dataset.py. Order of points: MMPose, configs/_base_/datasets/interhand3d.py.
    """
    whole = load_json(file)
    cameras = load_json(file.with_name(file.name.replace("_data.", "_camera.")))
    joints = load_json(file.with_name(file.name.replace("_data.", "_joint_3d.")))
    images = images_in(file, whole)
    first = next((str(image["file_name"]) for image in images.values()), "")
    above = [*file.parents][:3]
    folder = folder_with(first, [place / part / split for place in above[::-1] for part in ("images", ".")])
    shots = []
    for number, found in enumerate(objects_in(file, whole, "annotations")):
        with row_of(file, f"annotations[{number}]"):
            image = images[found["image_id"]]
            camera, frames = cameras[str(image["capture"])], joints[str(image["capture"])]
            source = str(folder / str(image["file_name"]))
            shots.append(_interhand_shot(found, image, camera, frames[str(image["frame_idx"])], source))
    note = "triangulated from many views, by people and by a network; 3D only for hands whose wrist is valid"
    return Dataset(f"interhand2.6m {name}", tuple(shots), licence="CC-BY-NC-4.0", note=note)


def _interhand_shot(
    found: Mapping[str, Any], image: Mapping[str, Any], camera: Mapping[str, Any], joints: Any, source: str
) -> Shot:
    world = numbers(joints["world_coord"] if isinstance(joints, Mapping) else joints, 42, 3)
    valid = numbers(np.reshape(found["joint_valid"], -1), 42) > 0
    view = str(image["camera"])
    rotation, position = numbers(camera["camrot"][view], 3, 3), numbers(camera["campos"][view], 3)
    (fx, fy), (cx, cy) = numbers(camera["focal"][view], 2).tolist(), numbers(camera["princpt"][view], 2).tolist()
    seen_from = ((world - position) @ rotation.T) / 1000
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)
    sides = {"right": ["Right"], "left": ["Left"], "interacting": ["Right", "Left"]}[found["hand_type"]]
    hands = []
    for side in sides:
        order = np.array(INTERHAND_ORDER) + (0 if side == "Right" else 21)
        if valid[order].any():
            hands.append(_interhand_hand(seen_from[order], valid[order], matrix, side))
    box = box_from_corner(found["bbox"])  # around both hands where there are two
    if len(sides) == 1 and hands:
        hands = [replace(hands[0], box=box)]
    return Shot(
        source,
        size=(int(image["width"]), int(image["height"])),
        hands=tuple(hands) or None,
        complete=len(hands) == 2,
        group=f"capture {image['capture']} {image.get('seq_name', image['frame_idx'])}",
    )


def _interhand_hand(xyz: FloatArray, valid: npt.NDArray[np.bool_], matrix: FloatArray, side: str) -> LabelledHand:
    known = np.where(valid[:, None], xyz, np.nan).astype(np.float32)
    return LabelledHand(landmarks=project(known, matrix), world=known if valid[0] else None, handedness=side)


def find_rhd(path: Path) -> dict[str, Callable[[], Dataset]]:
    """training/anno_training.pickle and evaluation/anno_evaluation.pickle; images in color/ beside them."""
    files = files_of(path, "anno_*.pickle", "*/anno_*.pickle")
    return {file.stem.removeprefix("anno_"): functools.partial(_read_rhd, file) for file in files}


def _read_rhd(file: Path) -> Dataset:
    """RHD: 42 points of both hands of a rendered person, left hand first, in pixels, with visibility, and in metres.

    lmb.informatik.uni-freiburg.de/resources/datasets/RenderedHandposeDataset.en.html and its README: 0 left wrist, 1-4
    left thumb from tip to palm, 5-8 index … 17-20 little finger, 21-41 the right hand; images %05d.png. Point 0 is the
    wrist itself (some code replaces it by the middle of the palm). xyz is in the camera's space: K xyz gives uv.
    """
    split = file.stem.removeprefix("anno_")
    rows = load_arrays(file)
    if not isinstance(rows, dict):
        raise InputError(f"{file} holds a {type(rows).__name__}, expected a dict of annotations by image number")
    shots = []
    for number, row in rows.items():
        with row_of(file, number):
            uv, xyz = numbers(row["uv_vis"], 42, 3), numbers(row["xyz"], 42, 3)
            source = str(file.parent / "color" / f"{int(number):05}.png")
            both = (_rhd_hand(uv[:21], xyz[:21], "Left"), _rhd_hand(uv[21:], xyz[21:], "Right"))
            shown = tuple(hand for hand in both if may_show(hand))
            complete = len(shown) == sum(map(may_be_found, both))
            shot = Shot(source, 0, 0.0, RHD_SIZE, shown, complete, group=source)
        shots.append(shot)
    note = "rendered; hands without any visible point are left out"
    return Dataset(
        f"rhd {split}", tuple(shots), labelled_by="renderer", licence="research only, no commercial use", note=note
    )


def _rhd_hand(uv: FloatArray, xyz: FloatArray, side: str) -> LabelledHand:
    uv, xyz = uv[RHD_ORDER], xyz[RHD_ORDER]
    visibility = visibility_of(uv, uv[:, 2] == 1, RHD_SIZE)
    return LabelledHand(landmarks=uv[:, :2], world=xyz, handedness=side, visibility=visibility)


class _ArraysOnly(pickle.Unpickler):
    """A pickle can run any code when it is read; this one may build numpy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        made_by: dict[str, Any] = {
            "_reconstruct": np.zeros(1).__reduce__()[0],
            "scalar": np.float64(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.split(".")[0] == "numpy" and name in made_by:
            return made_by[name]
        if (module, name) == ("_codecs", "encode"):  # how protocol 2 writes bytes
            return _latin_bytes
        raise pickle.UnpicklingError(f"it wants {module}.{name}, and only numpy arrays are let in")


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it wants the encoding {encoding}")
    return text.encode("latin1")


def load_arrays(path: Path) -> Any:
    """A pickle of plain containers and numpy arrays, of Python 2 too.

    Raises:
        InputError: it is damaged, or it holds anything else, which is not run.
    """

    def load(file: IO[bytes]) -> Any:
        return _ArraysOnly(file, encoding="latin1").load()

    try:
        with path.open("rb") as file:
            return load(file)
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a pickle of numpy arrays: {error}") from error
