"""What the formats of labels share: COCO's flags, boxes, hands of a left and a right column, labels read as hands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.formats import KINDS
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.media.data_format import Tracked, blank_frame, labelled_hand
from knuckle.results import FloatArray, Hand

VISIBLE = 0.5  # a landmark with this probability or more is labelled as visible
LEAST_SIDE = 0.01  # pixels: boxes of labels must have an area


def flagged_points(hand: Hand) -> FloatArray:
    """(21, 3) x, y in pixels and COCO's flag: 0 not known, 1 hidden, 2 visible."""
    flags = np.full(21, 2.0) if hand.visibility is None else np.where(hand.visibility >= VISIBLE, 2.0, 1.0)
    rows = np.column_stack([hand.landmarks[:, :2].astype(float), flags])
    rows[~np.isfinite(rows[:, :2]).all(axis=1)] = 0
    return rows


def corner_box(hand: Hand) -> list[float]:
    """COCO's left, top, width, height of the box around the known landmarks, pixels."""
    known = hand.landmarks[np.isfinite(hand.landmarks[:, :2]).all(axis=1), :2].astype(float)
    low, high = known.min(axis=0), known.max(axis=0)
    return [float(value) for value in np.concatenate([low, np.maximum(high - low, LEAST_SIDE)]).round(3)]


def known_hands(hands: Sequence[Hand]) -> list[Hand]:
    """The hands of which at least one landmark is known."""
    return [hand for hand in hands if np.isfinite(hand.landmarks[:, :2]).all(axis=1).any()]


def pairs(hands: Sequence[Hand]) -> list[dict[str, Hand]]:
    """The n-th left and the n-th right hand as a pair: which hands belong to one person is not known."""
    lefts = [hand for hand in hands if hand.handedness == "Left"]
    rights = [hand for hand in hands if hand.handedness == "Right"]
    return [
        {side: hand for side, hand in (("Left", left), ("Right", right)) if hand is not None}
        for left, right in zip_longest(lefts, rights)
    ]


def read_labels(kind: str, path: Path) -> Iterator[Tracked]:
    """The labelled photos and clips of a format of `knuckle.datasets` as frames with hands.

    Raises:
        InputError: there are no such labels, a row is damaged, or a hand has no landmarks, or no left or right.
        SourceError: a file cannot be read.
    """
    splits = KINDS[kind].find(path)
    if not splits:
        raise InputError(f"{path} has no labels of the format {kind}: {KINDS[kind].looks_for}")
    dataset = splits.get("", next(iter(splits.values())))()
    for number, shot in enumerate(dataset.shots):
        yield frame_of_shot(shot, number, is_photo=True), hands_of_shot(shot)
    for clip in dataset.clips:
        for shot in clip.shots:
            yield frame_of_shot(shot, shot.frame, is_photo=False), hands_of_shot(shot)


def frame_of_shot(shot: Shot, index: int, is_photo: bool) -> Any:
    """A frame without its picture."""
    width, height = shot.size or (0, 0)
    about = {"source": shot.source, "index": index, "time_s": shot.time_s, "is_photo": is_photo}
    return blank_frame(about | {"width": width, "height": height})


def hands_of_shot(shot: Shot) -> list[Hand]:
    return [hand_of_label(label, shot.source) for label in shot.hands or ()]


def hand_of_label(label: LabelledHand, source: str) -> Hand:
    """A label as a hand whose world landmarks are not known.

    Raises:
        InputError: the label has no landmarks, or no left or right.
    """
    if label.landmarks is None:
        raise InputError(f"{source}: a hand has a box and no landmarks, so it cannot be converted")
    if label.handedness is None:
        raise InputError(f"{source}: the labels do not say whether a hand is left or right, which results always do")
    landmarks = np.full((21, 3), np.nan, np.float32)
    landmarks[:, : label.landmarks.shape[1]] = label.landmarks
    return labelled_hand(label.handedness, landmarks, label.track_id)
