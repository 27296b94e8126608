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

# How a frame of a clip was labelled (`mark` in its row), and the slice of the image for it.
MARKS = {"key": "key frames", "between": "between key frames"}


def row_of_shot(shot: Shot, dataset: Dataset, folder: Path, of_clip: bool = False) -> dict[str, Any]:
    """A photo, or a frame of a clip, as a row of our JSON lines, whose paths are relative to a folder."""
    source = Path(os.path.relpath(shot.source, folder)).as_posix()
    row: dict[str, Any] = {"image": source}
    if of_clip:
        row = {"clip": source, "frame": shot.frame, "time_s": shot.time_s}
        marked = [mark for mark, name in MARKS.items() if name in shot.slices]
        row |= {"mark": marked[0]} if marked else {}
    about = {"source": shot.origin, "licence": dataset.licence, "labelled_by": dataset.labelled_by}
    row |= {name: value for name, value in about.items() if value}
    if shot.size is not None:
        row |= {"width": shot.size[0], "height": shot.size[1]}
    if shot.group and shot.group != shot.source:
        row["group"] = shot.group
    if slices := [name for name in shot.slices if name not in MARKS.values()]:
        row["slices"] = slices
    if shot.hands is not None:
        row |= {"complete": shot.complete, "hands": [hand_to_json(hand) for hand in shot.hands]}
    return row


def shot_of_row(row: Mapping[str, Any], folder: Path) -> Shot:
    """A row with an `image`, or with a `clip`, its `frame` and `time_s`.

    Raises:
        KeyError, ValueError: the row is damaged.
    """
    of_clip = "clip" in row
    if not of_clip and "image" not in row:
        raise ValueError("there is no 'image', and no 'clip' with frame and time_s")
    source = str(folder / row["clip" if of_clip else "image"])
    slices = [str(name) for name in row.get("slices", ())]
    if of_clip and row.get("mark") is not None:
        if row["mark"] not in MARKS:
            raise ValueError(f"mark must be {' or '.join(MARKS)}, got {row['mark']!r:.40}")
        slices.append(MARKS[row["mark"]])
    hands, complete = hands_in_view(row)
    return Shot(
        source,
        frame=int(row["frame"]) if of_clip else 0,
        time_s=float(row["time_s"]) if of_clip else 0.0,
        size=image_size_in(row),
        hands=hands,
        complete=complete,
        both_hands_box=both_hands_box(row),
        group=str(row.get("group", source)),
        slices=tuple(slices),
        origin=str(row.get("source", "")),
    )


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
