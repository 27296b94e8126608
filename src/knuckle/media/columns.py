"""The columns of Parquet and CSV tables. docs/formats.md explains them; the browser page writes the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from knuckle.extras import required
from knuckle.media.names import readable
from knuckle.results import PALM_KEYPOINTS, ExtraPoints, Frame, Hand, Palm
from knuckle.results.point_set import NAMES
from knuckle.results.regions import listed

HANDS_FORMAT, PALMS_FORMAT, POINTS_FORMAT = "knuckle-hands-1", "knuckle-palms-1", "knuckle-points-1"
BOX_EDGES = ("left", "top", "right", "bottom")

# Column -> pyarrow type, in the order of the files. Names end with their unit.
FRAME_COLUMNS = {
    "format": "string",
    "source": "string",
    "frame": "int64",
    "time_s": "double",
    "width_px": "int32",
    "height_px": "int32",
}
HAND_COLUMNS = FRAME_COLUMNS | {
    "hand": "int32",
    "track_id": "int64",
    "handedness": "string",
    "handedness_score": "float",
    "presence": "float",
    "palm_score": "float",
}
HAND_COLUMNS |= {f"{name}_{axis}_px": "float" for name in NAMES for axis in "xyz"}
HAND_COLUMNS |= {f"{name}_world_{axis}_m": "float" for name in NAMES for axis in "xyz"}
HAND_COLUMNS |= {f"{name}_visibility": "float" for name in NAMES}
HAND_COLUMNS |= {"gesture": "string", "gesture_score": "float"}

# Further columns of hands that were placed in metres (`knuckle.space`), and of hands that were smoothed afterwards.
CAMERA_COLUMNS = {f"{name}_camera_{axis}_m": "float" for name in NAMES for axis in "xyz"}
CAMERA_COLUMNS |= {f"{name}_camera_std_{axis}_m": "float" for name in NAMES for axis in "xyz"}
RAW_COLUMNS = {f"{name}_raw_{axis}_px": "float" for name in NAMES for axis in "xyz"}
RAW_COLUMNS |= {f"{name}_world_raw_{axis}_m": "float" for name in NAMES for axis in "xyz"}

# A table of hands that several cameras saw, in the axes of the cameras' file.
POINT_COLUMNS = {"format": "string", "frame": "int64", "time_s": "double", "track_id": "int64", "handedness": "string"}
POINT_COLUMNS |= {"cameras": "string", "error_px": "float"}
POINT_COLUMNS |= {f"{name}_{axis}_m": "float" for name in NAMES for axis in "xyz"}
POINT_COLUMNS |= {f"{name}_std_{axis}_m": "float" for name in NAMES for axis in "xyz"}
POINT_COLUMNS |= {f"{name}_views": "int32" for name in NAMES}

PALM_COLUMNS = FRAME_COLUMNS | {"palm": "int32", "score": "float"}
PALM_COLUMNS |= {f"box_{edge}_px": "float" for edge in BOX_EDGES}
PALM_COLUMNS |= {f"{name}_{axis}_px": "float" for name in PALM_KEYPOINTS for axis in "xy"}


def hand_schema(more: Mapping[str, str] | None = None) -> Any:
    """The pyarrow schema of a table of hands, with further columns."""
    return _schema(HANDS_FORMAT, HAND_COLUMNS | dict(more or {}))


def point_schema() -> Any:
    """The pyarrow schema of a table of hands in space."""
    return _schema(POINTS_FORMAT, POINT_COLUMNS)


def more_columns(rows: Iterable[Mapping[str, Any]], metres: bool = False, raw: bool = False) -> dict[str, str]:
    """The further columns of a table: those that its first rows have, and those that are asked for.

    Points beyond the 21 (`Hand.extra`) have columns of their own, called as those of the 21.
    """
    there = dict.fromkeys(name for row in rows for name in row)
    asked = {*there, *(CAMERA_COLUMNS if metres else ()), *(RAW_COLUMNS if raw else ())}
    known = HAND_COLUMNS | CAMERA_COLUMNS | RAW_COLUMNS
    further = {name: kind for name, kind in (CAMERA_COLUMNS | RAW_COLUMNS).items() if name in asked}
    return further | {name: "float" for name in there if name not in known}


def palm_schema() -> Any:
    """The pyarrow schema of a table of palms."""
    return _schema(PALMS_FORMAT, PALM_COLUMNS)


def _schema(name: str, columns: dict[str, str]) -> Any:
    pa = required("pyarrow", "parquet", "Parquet files", ".csv and .jsonl files need nothing")
    fields = [pa.field(column, pa.type_for_alias(kind)) for column, kind in columns.items()]
    return pa.schema(fields, metadata={"format": name, "documentation": "docs/formats.md"})


def frame_columns(frame: Frame) -> dict[str, Any]:
    """The columns that rows of hands and of palms share, without `format`."""
    return {
        "source": readable(frame.source),
        "frame": frame.index,
        "time_s": frame.time_s,
        "width_px": frame.width,
        "height_px": frame.height,
    }


def hand_row(index: int, hand: Hand, raw: bool = False) -> dict[str, Any]:
    """One hand as a row, without the columns of its frame. Hands that were placed in metres have `CAMERA_COLUMNS` too.

    Args:
        index: index of the hand within its frame, from 0.
        hand: the hand; landmarks in image pixels, world landmarks in metres.
        raw: add `RAW_COLUMNS`, the landmarks before smoothing.
    """
    row: dict[str, Any] = {"format": HANDS_FORMAT, "hand": index, "track_id": hand.track_id}
    row |= {"handedness": hand.handedness, "handedness_score": hand.handedness_score}
    row |= {"presence": hand.presence, "palm_score": hand.palm_score}
    visibility = [None] * 21 if hand.visibility is None else listed(hand.visibility)
    for name, point, world, visible in zip(NAMES, listed(hand.landmarks), listed(hand.world), visibility, strict=True):
        row |= {f"{name}_{axis}_px": value for axis, value in zip("xyz", point, strict=True)}
        row |= {f"{name}_world_{axis}_m": value for axis, value in zip("xyz", world, strict=True)}
        row[f"{name}_visibility"] = visible
    if hand.gesture:
        row |= {"gesture": hand.gesture.name, "gesture_score": hand.gesture.score}
    else:
        row |= {"gesture": None, "gesture_score": None}
    if hand.camera is not None and hand.camera_std is not None:
        row |= zip(CAMERA_COLUMNS, listed(hand.camera.ravel()) + listed(hand.camera_std.ravel()), strict=True)
    if hand.extra is not None:
        row |= extra_columns(hand.extra, raw)
    if raw:
        row |= zip(RAW_COLUMNS, listed(hand.landmarks_raw.ravel()) + listed(hand.world_raw.ravel()), strict=True)
    return row


def extra_columns(extra: ExtraPoints, raw: bool = False) -> dict[str, Any]:
    """The columns of a hand's points beyond the 21, point by point.

    Args:
        raw: also their places before smoothing.
    """
    row: dict[str, Any] = {}
    visibility = [None] * len(extra) if extra.visibility is None else listed(extra.visibility)
    spaces = {"{}_{}_px": extra.landmarks, "{}_world_{}_m": extra.world}
    if raw:
        spaces |= {"{}_raw_{}_px": extra.landmarks_raw, "{}_world_raw_{}_m": extra.world_raw}
    for k, name in enumerate(extra.names):
        for column, points in spaces.items():
            row |= {column.format(name, axis): value for axis, value in zip("xyz", listed(points[k]), strict=True)}
        row[f"{name}_visibility"] = visibility[k]
    return row


def palm_row(index: int, palm: Palm) -> dict[str, Any]:
    """One palm as a row, without the columns of its frame. `index` counts the palms of the frame from 0."""
    row: dict[str, Any] = {"format": PALMS_FORMAT, "palm": index, "score": palm.score}
    row |= {f"box_{edge}_px": value for edge, value in zip(BOX_EDGES, palm.box.tolist(), strict=True)}
    for name, (x, y) in zip(PALM_KEYPOINTS, palm.keypoints.tolist(), strict=True):
        row |= {f"{name}_x_px": x, f"{name}_y_px": y}
    return row
