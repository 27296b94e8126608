"""The predictions file: Parquet, one row per hand, and one with `hand` empty for an image that shows none."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.media import columns
from knuckle.results import Hand, Palm, Roi


def prediction_schema() -> Any:
    """The pyarrow schema of predictions: `tables.hand_schema` and six columns more.

    `ms`: milliseconds of the whole image; `searched`: whether the palm detector ran; `palms`: score, box and seven
    key points of each palm, 19 numbers; these three stand in an image's first row. `raw_px`: 63 numbers, landmarks
    before smoothing; `roi`: x, y, size, angle of the region that the landmarks were read from.
    """
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    more = {"ms": pa.float32(), "searched": pa.bool_(), "palms": pa.list_(numbers), "raw_px": numbers, "roi": numbers}
    return pa.schema([*columns.hand_schema(), *(pa.field(name, kind) for name, kind in more.items())])


def _rows(seen: ImagePrediction) -> list[dict[str, Any]]:
    shared = {"format": columns.HANDS_FORMAT, "source": seen.source, "frame": seen.frame, "time_s": seen.time_s}
    shared |= {"width_px": seen.size[0], "height_px": seen.size[1]}
    rows = [shared | _hand_row(place, hand) for place, hand in enumerate(seen.hands)] or [shared]
    rows[0] |= {"ms": seen.ms, "searched": seen.searched}
    if seen.palms is not None:
        rows[0]["palms"] = [[p.score, *p.box.tolist(), *p.keypoints.ravel().tolist()] for p in seen.palms]
    return rows


def _hand_row(place: int, hand: Hand) -> dict[str, Any]:
    roi = [hand.roi.x, hand.roi.y, hand.roi.size, hand.roi.angle_rad]
    return columns.hand_row(place, hand) | {"raw_px": hand.landmarks_raw.ravel().tolist(), "roi": roi}


def read_predictions(path: Path) -> Predictions:
    """A predictions file as `Predictions`; numbers come back in single precision.

    Raises:
        SourceError: there is no such file, or it is none that `predict` wrote.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"{path} cannot be read as a predictions file: {error}") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if "key" not in metadata:
        raise SourceError(f"{path} is a Parquet file, but not one of predictions (knuckle evaluate writes them)")
    grouped: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        grouped.setdefault((row["source"], row["frame"]), []).append(row)
    return Predictions(metadata["model"], {key: _seen(rows) for key, rows in grouped.items()})


def _seen(rows: list[dict[str, Any]]) -> ImagePrediction:
    first = rows[0]
    palms = first["palms"]
    return ImagePrediction(
        source=first["source"],
        frame=first["frame"],
        time_s=first["time_s"],
        size=(first["width_px"], first["height_px"]),
        hands=tuple(_hand_of(row) for row in rows if row["hand"] is not None),
        palms=None if palms is None else tuple(_palm_of(np.asarray(palm, np.float32)) for palm in palms),
        searched=first["searched"],
        ms=first["ms"],
    )


def _palm_of(numbers: Any) -> Palm:
    return Palm(numbers[1:5], numbers[5:].reshape(7, 2), float(numbers[0]))


def _hand_of(row: dict[str, Any]) -> Hand:
    visibility = [row[f"{name}_visibility"] for name in columns.NAMES]
    return Hand(
        landmarks=_points(row, "_px"),
        world=_points(row, "_m", "_world"),
        handedness=row["handedness"],
        handedness_score=row["handedness_score"],
        presence=row["presence"],
        roi=Roi(*row["roi"]),
        palm_score=row["palm_score"],
        track_id=row["track_id"],
        visibility=None if visibility[0] is None else np.asarray(visibility, np.float32),
        landmarks_raw=np.asarray(row["raw_px"], np.float32).reshape(21, 3),
    )


def _points(row: dict[str, Any], unit: str, space: str = "") -> Any:
    return np.array([[row[f"{name}{space}_{axis}{unit}"] for axis in "xyz"] for name in columns.NAMES], np.float32)


def write_seen(path: Path, seen: Iterable[ImagePrediction]) -> None:
    """Write what was said about some images; the file is there whole or not at all."""
    import pyarrow as pa

    _write_whole(path, pa.Table.from_pylist([row for one in seen for row in _rows(one)], prediction_schema()))


def merge_parts(path: Path, parts: Iterable[Path], metadata: dict[str, str]) -> None:
    """One predictions file of several; `metadata` says whose it is, "key" what it depends on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = prediction_schema()
    tables_ = [pq.read_table(part, schema=schema, partitioning=None) for part in parts]
    _write_whole(path, pa.concat_tables([schema.empty_table(), *tables_]).replace_schema_metadata(metadata))


def file_key(path: Path) -> str | None:
    """What the file says that it depends on, or None where there is no file."""
    import pyarrow.parquet as pq

    if not path.exists():
        return None
    return str((pq.read_schema(path).metadata or {}).get(b"key", b"").decode())


def _write_whole(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished)
    os.replace(unfinished, path)
