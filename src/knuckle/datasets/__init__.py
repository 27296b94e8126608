"""Labelled data of other people and our own, each format read into the words of `evaluate.truth` (docs/datasets.md).

`read_dataset` recognises a format by its files. Images are not decoded; sizes come from their headers where a format
has none. All readers give pixels, x0 y0 x1 y1 boxes, metres and the person's own left and right.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from knuckle.datasets import boxes, coco, flat, own, spatial
from knuckle.datasets.labels import Dataset, LabelledBy
from knuckle.datasets.pictures import file_of, open_image
from knuckle.datasets.sample import sample_datasets
from knuckle.errors import InputError, SourceError

__all__ = ["KINDS", "Kind", "file_of", "open_image", "read_dataset", "sample_datasets"]


@dataclass(frozen=True)
class Kind:
    """A format of labels.

    Attributes:
        looks_for: the files that it is recognised by.
        find: what a path holds of it: a function per split that reads it; "" is everything.
    """

    looks_for: str
    find: Callable[[Path], Mapping[str, Callable[[], Dataset]]]


KINDS: Mapping[str, Kind] = {
    "jsonl": Kind("index.jsonl with an 'image' in every row", own.find_jsonl),
    "clips": Kind("NAME.jsonl with a row per frame beside NAME.mp4", own.find_clips),
    "shards": Kind("*.tar with KEY.jpg and KEY.json", own.find_shards),
    "coco-wholebody": Kind("[annotations/]coco_wholebody_SPLIT_v1.0.json", flat.find_coco_wholebody),
    "freihand": Kind("SPLIT_xyz.json and SPLIT_K.json", spatial.find_freihand),
    "interhand2.6m": Kind("[annotations/*/]InterHand2.6M_SPLIT_data.json", spatial.find_interhand),
    "rhd": Kind("SPLIT/anno_SPLIT.pickle", spatial.find_rhd),
    "onehand10k": Kind("SPLIT/label_joint.txt or [annotations/]onehand10k_SPLIT.json", flat.find_onehand10k),
    "yolo-pose": Kind("*.yaml with kpt_shape: [21, 3]", flat.find_yolo_pose),
    "ti1k": Kind("[Annotation/]label.txt, or NAME.txt with 'Frame_1 …' beside NAME.mp4", boxes.find_ti1k),
    "hagrid": Kind("[*/][*/]GESTURE.json with 'bboxes' and 'labels'", boxes.find_hagrid),
    "hagrid-landmarks": Kind("the same, with the landmarks that MediaPipe made", boxes.find_hagrid_landmarks),
    "coco": Kind("[*/]NAME.json of COCO with 21 keypoints per hand", coco.find_coco),
}


def read_dataset(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    split: str | None = None,
    labelled_by: LabelledBy | None = None,
    allow_missing: bool = False,
) -> Dataset:
    """Labels from a folder or a label file.

    Args:
        path: the folder that a dataset was unpacked to, or one of its label files.
        kind: one of `KINDS`; by default the first whose files are there.
        split: "train", "val", … as the files call it; for our own JSON lines a `source`. It may be left out where
            there is only one, or where a format's parts may be read as one.
        labelled_by: who made the labels, where the files do not tell or where you know better.
        allow_missing: leave out images that are not there (a part of a dataset was fetched) and say so in `note`.

    Returns:
        A Dataset; nothing is decoded.

    Raises:
        SourceError: there is no such path, or images are missing.
        InputError: no format fits, the split is not there, or a row is damaged (the file and the row are named).
    """
    place = Path(path)
    if not place.exists():
        raise SourceError(f"there is no file or folder {place}")
    if kind is not None and kind not in KINDS:
        raise InputError(f"there is no kind of labels {kind!r}; there are {', '.join(KINDS)}")
    if labelled_by is not None and labelled_by not in get_args(LabelledBy):
        raise InputError(f"labelled_by is one of {', '.join(get_args(LabelledBy))}, got {labelled_by!r}")
    dataset = _choose(place, kind, split)()
    if labelled_by is not None:
        dataset = replace(dataset, labelled_by=labelled_by)
    return _with_images(dataset, place, allow_missing)


def _choose(place: Path, kind: str | None, split: str | None) -> Callable[[], Dataset]:
    for name in KINDS if kind is None else [kind]:
        splits = KINDS[name].find(place)
        if splits:
            break
    else:
        tried = [kind] if kind else KINDS
        wanted = "; ".join(f"{name}: {KINDS[name].looks_for}" for name in tried)
        raise InputError(f"{place} holds no labels that are known. Looked for {wanted}")
    named = [key for key in splits if key]
    if split is None and ("" in splits or len(splits) == 1):
        return splits.get("") or splits[named[0]]
    by_name = {key.lower(): key for key in splits}
    if split is None or split.lower() not in by_name:
        asked = "say which split" if split is None else f"there is no split {split!r}"
        raise InputError(f"{place} ({name}): {asked}; there are {', '.join(sorted(named)) or 'none'}")
    return splits[by_name[split.lower()]]


def _with_images(dataset: Dataset, place: Path, allow_missing: bool) -> Dataset:
    """Every photo and clip must be on disk, unless the caller allows for less."""
    files = {file_of(source) for source in _sources(dataset)}
    missing = {file for file in files if not os.path.isfile(file)}
    if not missing:
        return dataset
    count = f"{len(missing)} of {len(files)} images"
    first = min(missing)
    if not allow_missing:
        raise SourceError(
            f"{count} that {place} names are not there, the first is {first}; unpack them there, "
            "or allow missing images to use the others"
        )
    if len(missing) == len(files):
        raise SourceError(f"none of the {len(files)} images that {place} names is there, the first is {first}")
    return replace(
        dataset,
        shots=tuple(shot for shot in dataset.shots if file_of(shot.source) not in missing),
        clips=tuple(clip for clip in dataset.clips if clip.source not in missing),
        note=f"{dataset.note}; {count} were missing and left out".removeprefix("; "),
    )


def _sources(dataset: Dataset) -> list[str]:
    return [shot.source for shot in dataset.shots] + [clip.source for clip in dataset.clips]
