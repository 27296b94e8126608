"""`read_dataset`: recognise the format of labels, choose the split, check that the images are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from knuckle.datasets.formats import KINDS
from knuckle.datasets.image_source import file_of
from knuckle.datasets.labels import Dataset, LabelledBy
from knuckle.errors import InputError, SourceError

Splits = Mapping[str, Callable[[], Dataset]]


def read_dataset(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    split: str | None = None,
    labelled_by: LabelledBy | None = None,
    allow_missing: bool = False,
) -> Dataset:
    """Read labels from a folder or a label file. Images are not decoded.

    Args:
        path: the folder that a dataset was unpacked to, or one of its label files.
        kind: one of `KINDS`; by default the first whose files are there.
        split: "train", "val", … as the files call it; for our own JSON lines a `source`. It may be left out if there
            is only one split, or if the format can be read as a whole.
        labelled_by: who made the labels, if the files do not say or are wrong.
        allow_missing: leave out images that are not there, and say so in `note`.

    Raises:
        SourceError: there is no such path, or images are missing.
        InputError: no format fits, there is no such split, or a row is damaged (the message names file and row).
    """
    path = Path(path)
    if not os.path.exists(path):  # Path.exists raises where the name is too long
        raise SourceError(f"there is no file or folder {path}")
    if kind is not None and kind not in KINDS:
        raise InputError(f"there is no kind of labels {kind!r}; there are {', '.join(KINDS)}")
    if labelled_by is not None and labelled_by not in get_args(LabelledBy):
        raise InputError(f"labelled_by must be one of {', '.join(get_args(LabelledBy))}, got {labelled_by!r}")
    dataset = choose_split(path, kind, split)()
    if labelled_by is not None:
        dataset = replace(dataset, labelled_by=labelled_by)
    return _with_images(dataset, path, allow_missing)


def find_format(path: Path, kind: str | None) -> tuple[str, Splits]:
    """The name of the first format whose files are there, and its splits.

    Args:
        kind: look for this format only.

    Raises:
        InputError: no format fits.
    """
    kinds = list(KINDS) if kind is None else [kind]
    for name in kinds:
        splits = KINDS[name].find(path)
        if splits:
            return name, splits
    if path.is_file() and path.suffix.lower() in (".zip", ".tar", ".gz", ".7z", ".rar"):
        raise InputError(f"{path} is an archive; unpack it and name the folder")
    wanted = "; ".join(f"{name}: {KINDS[name].looks_for}" for name in kinds)
    raise InputError(f"{path} has no labels in a known format. Looked for {wanted}")


def choose_split(path: Path, kind: str | None, split: str | None) -> Callable[[], Dataset]:
    """The function that reads a split; without a name, the only split or the whole dataset.

    Raises:
        InputError: no format fits, or there is no such split.
    """
    name, splits = find_format(path, kind)
    named = [key for key in splits if key]
    if split is None and ("" in splits or len(splits) == 1):
        return splits.get("") or splits[named[0]]
    by_name = {key.lower(): key for key in splits}
    if split is None or split.lower() not in by_name:
        asked = "say which split" if split is None else f"there is no split {split!r}"
        raise InputError(f"{path} ({name}): {asked}; there are {', '.join(sorted(named)) or 'none'}")
    return splits[by_name[split.lower()]]


def _with_images(dataset: Dataset, path: Path, allow_missing: bool) -> Dataset:
    """The dataset, if all its photos and clips are on disk. If missing ones are allowed, the dataset without them."""
    sources = [shot.source for shot in dataset.shots] + [clip.source for clip in dataset.clips]
    files = {file_of(source) for source in sources}
    missing = {file for file in files if not os.path.isfile(file)}
    if not missing:
        return dataset
    count = f"{len(missing)} of {len(files)} images"
    first = min(missing)
    if not allow_missing:
        raise SourceError(
            f"{count} that {path} names are missing, the first is {first}; unpack them there, "
            "or allow missing images to use the others"
        )
    if len(missing) == len(files):
        raise SourceError(f"all {len(files)} images that {path} names are missing, the first is {first}")
    return replace(
        dataset,
        shots=tuple(shot for shot in dataset.shots if file_of(shot.source) not in missing),
        clips=tuple(clip for clip in dataset.clips if clip.source not in missing),
        note=f"{dataset.note}; {count} were missing and left out".removeprefix("; "),
    )
