"""What our own formats share: a row of JSON that describes one image (docs/datasets.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.labels import Dataset, LabelledBy, LabelledHand, Shot
from knuckle.datasets.parsing import box_of, fingertips, hands_maybe_visible
from knuckle.errors import InputError
from knuckle.results import FloatArray


def row_of_shot(shot: Shot, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """A photo as a row of our JSON lines, whose paths are relative to a folder."""
    row: dict[str, Any] = {"image": Path(os.path.relpath(shot.source, folder)).as_posix()}
    about = {"source": shot.origin, "licence": dataset.licence, "labelled_by": dataset.labelled_by}
    row |= {name: value for name, value in about.items() if value}
    if shot.size is not None:
        row |= {"width": shot.size[0], "height": shot.size[1]}
    if shot.group and shot.group != shot.source:
        row["group"] = shot.group
    if shot.slices:
        row["slices"] = list(shot.slices)
    if shot.hands is not None:
        row |= {"complete": shot.complete, "hands": [hand_to_json(hand) for hand in shot.hands]}
    return row


def hands_in_view(row: Mapping[str, Any]) -> tuple[tuple[LabelledHand, ...] | None, bool]:
    """The labelled hands that may be at least partly visible, and whether the image has no others."""
    hands = hands_in(row)
    complete = bool(row.get("complete", True))
    return (None, complete) if hands is None else hands_maybe_visible(hands, complete)


def hands_in(row: Mapping[str, Any]) -> list[LabelledHand] | None:
    """All labelled hands: `hands`, or `hand_boxes` with `tips`; None if the row has neither."""
    if row.get("hands") is not None:
        return [hand_from_json(found) for found in row["hands"]]
    if row.get("hand_boxes") is None:
        return None
    boxes = [box_of(box) for box in row["hand_boxes"]]
    if not row.get("tips"):
        return [LabelledHand(box) for box in boxes]
    if len(boxes) != 1:
        raise ValueError(f"'tips' belong to one hand, but there are {len(boxes)} hand_boxes")
    return [LabelledHand(boxes[0], fingertips(row["tips"]["thumb_tip"], row["tips"]["index_tip"]))]


def both_hands_box(row: Mapping[str, Any]) -> FloatArray | None:
    """(4,) one box around all hands, which may be nested in a list of one."""
    box = row.get("both_hands_box")
    if box is None:
        return None
    return box_of(box[0] if len(box) == 1 else box)


def image_size_in(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) in pixels; None if the row does not say."""
    return (int(row["width"]), int(row["height"])) if row.get("width") and row.get("height") else None


def labelled_by(file: Path, rows: Iterable[Mapping[str, Any]], default: LabelledBy) -> LabelledBy:
    """Who made the labels of a file's rows; `default` if no row says it.

    Raises:
        InputError: the rows differ, or name an unknown origin.
    """
    named: set[Any] = {str(row["labelled_by"]) for row in rows if row.get("labelled_by")}
    if len(named) > 1:
        raise InputError(
            f"{file}: rows labelled by {' and '.join(sorted(named))} do not form one dataset; name a split"
        )
    by: LabelledBy = named.pop() if named else default
    if by not in get_args(LabelledBy):
        raise InputError(f"{file}: labelled_by must be one of {', '.join(get_args(LabelledBy))}, got {by!r}")
    return by
