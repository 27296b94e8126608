"""The columns of tables, in Parquet and CSV; docs/formats.md explains them to users."""

from __future__ import annotations

from typing import Any

from knuckle.results import PALM_KEYPOINTS, Frame, Hand, HandLandmark, Palm

HANDS_FORMAT, PALMS_FORMAT = "knuckle-hands-1", "knuckle-palms-1"
NAMES = tuple(point.name.lower() for point in HandLandmark)
BOX_EDGES = ("left", "top", "right", "bottom")


def _schema(name: str, columns: dict[str, str]) -> Any:
    import pyarrow as pa

    shared = {"format": "string", "source": "string", "frame": "int64", "time_s": "double"}
    sizes = {"width_px": "int32", "height_px": "int32"}
    fields = [pa.field(column, pa.type_for_alias(kind)) for column, kind in (shared | sizes | columns).items()]
    return pa.schema(fields, metadata={"format": name, "documentation": "docs/formats.md"})


def frame_columns(frame: Frame) -> dict[str, Any]:
    """The columns that hands and palms share."""
    return {
        "source": frame.source,
        "frame": frame.index,
        "time_s": frame.time_s,
        "width_px": frame.width,
        "height_px": frame.height,
    }


def hand_schema() -> Any:
    """The pyarrow schema of tables of hands; names end with their unit."""
    columns = {"hand": "int32", "track_id": "int64", "handedness": "string"}
    columns |= dict.fromkeys(("handedness_score", "presence", "palm_score"), "float")
    columns |= {f"{name}_{axis}_px": "float" for name in NAMES for axis in "xyz"}
    columns |= {f"{name}_world_{axis}_m": "float" for name in NAMES for axis in "xyz"}
    columns |= {f"{name}_visibility": "float" for name in NAMES}
    return _schema(HANDS_FORMAT, columns)


def hand_row(place: int, hand: Hand) -> dict[str, Any]:
    """One hand as a row of the table, without the frame's columns."""
    row: dict[str, Any] = {"format": HANDS_FORMAT, "hand": place, "track_id": hand.track_id}
    row |= {"handedness": hand.handedness, "handedness_score": hand.handedness_score}
    row |= {"presence": hand.presence, "palm_score": hand.palm_score}
    visibility = [None] * 21 if hand.visibility is None else hand.visibility.tolist()
    for name, point, world, visible in zip(
        NAMES, hand.landmarks.tolist(), hand.world.tolist(), visibility, strict=True
    ):
        row |= {f"{name}_{axis}_px": value for axis, value in zip("xyz", point, strict=True)}
        row |= {f"{name}_world_{axis}_m": value for axis, value in zip("xyz", world, strict=True)}
        row[f"{name}_visibility"] = visible
    return row


def palm_schema() -> Any:
    """The pyarrow schema of tables of palms."""
    columns = {"palm": "int32", "score": "float"}
    columns |= dict.fromkeys((f"box_{edge}_px" for edge in BOX_EDGES), "float")
    columns |= {f"{name}_{axis}_px": "float" for name in PALM_KEYPOINTS for axis in "xy"}
    return _schema(PALMS_FORMAT, columns)


def palm_row(place: int, palm: Palm) -> dict[str, Any]:
    """One palm as a row of the table, without the frame's columns."""
    row: dict[str, Any] = {"format": PALMS_FORMAT, "palm": place, "score": palm.score}
    row |= {f"box_{edge}_px": value for edge, value in zip(BOX_EDGES, palm.box.tolist(), strict=True)}
    for name, (x, y) in zip(PALM_KEYPOINTS, palm.keypoints.tolist(), strict=True):
        row |= {f"{name}_x_px": x, f"{name}_y_px": y}
    return row
