"""The predictions file: Parquet, one row per hand, and one row with an empty `hand` for an image without hands."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import SourceError
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.extras import required
from knuckle.media import columns
from knuckle.results import ExtraPoints, Hand, Palm, Roi
from knuckle.results.point_set import NAMES


def arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        MissingExtraError: PyArrow is not installed.
    """
    return required("pyarrow", "evaluate", "files of predictions"), importlib.import_module("pyarrow.parquet")


def prediction_schema() -> Any:
    """The pyarrow schema of predictions: the columns of `columns.hand_schema` and six more.

    In the first row of an image: `ms`, milliseconds for the whole image; `searched`, whether the palm detector ran;
    `palms`, 19 numbers per palm: score, box and seven key points. In each row: `raw_px`, 63 numbers, the landmarks
    before smoothing; `roi`, x, y, size and angle of the region that the landmarks were read from; `extra`, the points
    beyond the 21 as JSON.
    """
    pa, _ = arrow()
    numbers = pa.list_(pa.float32())
    more = {"ms": pa.float32(), "searched": pa.bool_(), "palms": pa.list_(numbers), "raw_px": numbers, "roi": numbers}
    more["extra"] = pa.string()
    return pa.schema([*columns.hand_schema(), *(pa.field(name, kind) for name, kind in more.items())])


def _rows(image: ImagePrediction) -> list[dict[str, Any]]:
    shared = {
        "format": columns.HANDS_FORMAT,
        "source": image.source,
        "frame": image.frame,
        "time_s": image.time_s,
        "width_px": image.size[0],
        "height_px": image.size[1],
    }
    rows = []
    for index, hand in enumerate(image.hands):
        roi = [hand.roi.x, hand.roi.y, hand.roi.size, hand.roi.angle_rad]
        own: dict[str, Any] = {"raw_px": hand.landmarks_raw.ravel().tolist(), "roi": roi}
        own["extra"] = None if hand.extra is None else json.dumps(hand.extra.to_dict())
        rows.append(shared | columns.hand_row(index, hand) | own)
    rows = rows or [shared]
    rows[0] |= {"ms": image.ms, "searched": image.searched}
    if image.palms is not None:
        rows[0]["palms"] = [[p.score, *p.box.tolist(), *p.keypoints.ravel().tolist()] for p in image.palms]
    return rows


def read_predictions(path: Path) -> Predictions:
    """Read a predictions file; numbers are in single precision.

    Raises:
        SourceError: there is no such file, or `predict` did not write it.
    """
    pa, pq = arrow()
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
    return Predictions(metadata["model"], {key: _image(rows) for key, rows in grouped.items()})


def _image(rows: list[dict[str, Any]]) -> ImagePrediction:
    first = rows[0]
    palms = None
    if first["palms"] is not None:
        numbers = np.reshape(np.asarray(first["palms"], np.float32), (-1, 19))
        palms = tuple(Palm(row[1:5], row[5:].reshape(7, 2), float(row[0])) for row in numbers)
    return ImagePrediction(
        source=first["source"],
        frame=first["frame"],
        time_s=first["time_s"],
        size=(first["width_px"], first["height_px"]),
        hands=tuple(_hand(row) for row in rows if row["hand"] is not None),
        palms=palms,
        searched=first["searched"],
        ms=first["ms"],
    )


def _hand(row: dict[str, Any]) -> Hand:
    visibility = [row[f"{name}_visibility"] for name in NAMES]
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
        extra=ExtraPoints.from_dict(json.loads(row["extra"])) if row.get("extra") else None,
    )


def _points(row: dict[str, Any], unit: str, space: str = "") -> Any:
    """(21, 3) x, y, z of all landmarks."""
    return np.array([[row[f"{name}{space}_{axis}{unit}"] for axis in "xyz"] for name in NAMES], np.float32)


def write_predictions(path: Path, images: Iterable[ImagePrediction]) -> None:
    """Write the predictions for some images. The file is complete or absent, even after a crash."""
    pa, _ = arrow()
    rows = [row for image in images for row in _rows(image)]
    _write_whole(path, pa.Table.from_pylist(rows, prediction_schema()))


def merge_parts(path: Path, parts: Iterable[Path], metadata: dict[str, str]) -> None:
    """Join several predictions files; `metadata` has the tracker's "model" and the "key" of what it depends on."""
    pa, pq = arrow()
    schema = prediction_schema()
    tables = [pq.read_table(part, schema=schema, partitioning=None) for part in parts]
    _write_whole(path, pa.concat_tables([schema.empty_table(), *tables]).replace_schema_metadata(metadata))


def count_in(path: Path) -> int:
    """The number of images in a file."""
    _, pq = arrow()
    table = pq.read_table(path, columns=["source", "frame"], partitioning=None)
    return len(set(zip(table["source"].to_pylist(), table["frame"].to_pylist(), strict=True)))


def file_key(path: Path) -> str | None:
    """The key of what a file's predictions depend on; None if there is no file."""
    _, pq = arrow()
    if not path.exists():
        return None
    return str((pq.read_schema(path).metadata or {}).get(b"key", b"").decode())


def _write_whole(path: Path, table: Any) -> None:
    _, pq = arrow()
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished)
    os.replace(unfinished, path)
