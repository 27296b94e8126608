"""Labels written in the formats of annotation tools: COCO, COCO-WholeBody, YOLO pose, CVAT, Label Studio, ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from knuckle.datasets.formats.knuckle_rows import row_of_shot
from knuckle.datasets.labels import Dataset, LabelledHand, Shot, Visibility
from knuckle.errors import InputError, SinkError
from knuckle.exports.formats import FORMATS
from knuckle.exports.labels import frame_of_shot, hand_of_label
from knuckle.media.data_format import DataFormat, Tracked
from knuckle.results import Hand

OURS = ".jsonl"
LABEL_FORMATS: Mapping[str, DataFormat] = {
    one.name: one for one in FORMATS if one.name in ("coco", "coco-wholebody", "yolo", "cvat", "label-studio")
}


def write_labels(dataset: Dataset, path: Path) -> int:
    """Write the labels of a dataset. The end of the name says the format: those of `LABEL_FORMATS`, or .jsonl for ours.

    Names of photos are relative to the file, except in a folder of YOLO, which gets copies of the photos. What a format
    has no place for is left out (docs/label.md has a table).

    Returns:
        The number of images that were written. Those that nobody checked are left out.

    Raises:
        InputError: the name has another end, or a hand has no landmarks or no side.
        SinkError: the file cannot be written.
    """
    name = path.name.lower()
    fitting = [one for one in LABEL_FORMATS.values() if name.endswith(one.suffix)]
    if not fitting and not name.endswith(OURS):
        ends = ", ".join([OURS, *(one.suffix for one in LABEL_FORMATS.values())])
        raise InputError(f"labels are written to names that end with {ends}, got {path.name!r}")
    frames = list(frames_of(dataset)) if fitting else []
    if fitting:
        with max(fitting, key=lambda one: len(one.suffix)).open(path) as sink:
            for frame, hands in frames:
                sink.write(frame, hands)
        return len(frames)
    rows = [row_of_shot(shot, dataset, path.parent) for shot in dataset.shots if shot.hands is not None]
    frames_of_clips = (shot for clip in dataset.clips for shot in clip.shots if shot.hands is not None)
    rows += [row_of_shot(shot, dataset, path.parent, of_clip=True) for shot in frames_of_clips]
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error
    return len(rows)


def frames_of(dataset: Dataset) -> Iterator[Tracked]:
    """The checked images of a dataset as frames with hands; their pictures are not read."""
    for number, shot in enumerate(dataset.shots):
        if shot.hands is not None:
            yield frame_of_shot(shot, number, is_photo=True), hands_of(shot)
    for clip in dataset.clips:
        for shot in clip.shots:
            if shot.hands is not None:
                yield frame_of_shot(shot, shot.frame, is_photo=False), hands_of(shot)


def hands_of(shot: Shot) -> list[Hand]:
    """The hands of an image, with their labelled visibility.

    Raises:
        InputError: a hand has no landmarks, or no left or right.
    """
    return [with_visibility(hand_of_label(label, shot.source), label) for label in shot.hands or ()]


def with_visibility(hand: Hand, label: LabelledHand) -> Hand:
    """The hand with 1 for landmarks that are visible, or of which nothing is known, and 0 for the others."""
    if label.visibility is None or not (label.visibility != Visibility.UNKNOWN).any():
        return hand
    seen = np.isin(label.visibility, (Visibility.VISIBLE, Visibility.UNKNOWN)).astype(np.float32)
    return Hand.from_dict({**hand.to_dict(), "visibility": seen})
