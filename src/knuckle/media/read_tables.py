"""Our own data files read back: JSON lines, Parquet and CSV, frame by frame, whatever their length."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import DAMAGE, Error, InputError, SourceError, reason_of
from knuckle.extras import required
from knuckle.media.columns import HAND_COLUMNS, HANDS_FORMAT
from knuckle.media.data_format import Tracked, blank_frame
from knuckle.media.kinds import IMAGE_SUFFIXES
from knuckle.results import Hand
from knuckle.results.point_set import NAMES

PIXEL_COLUMNS = [f"{name}_{axis}_px" for name in NAMES for axis in "xyz"]
WORLD_COLUMNS = [f"{name}_world_{axis}_m" for name in NAMES for axis in "xyz"]
VISIBILITY_COLUMNS = [f"{name}_visibility" for name in NAMES]
# Further columns, of hands that were placed in metres or smoothed afterwards, by the name in `Hand.from_dict`.
FURTHER = {
    name: [f"{point}_{column}" for point in NAMES for column in (f"{middle}_{axis}_{unit}" for axis in "xyz")]
    for name, middle, unit in (
        ("camera", "camera", "m"),
        ("camera_std", "camera_std", "m"),
        ("landmarks_raw", "raw", "px"),
        ("world_raw", "world_raw", "m"),
    )
}
SCORES = ("handedness_score", "presence", "palm_score")
ANIMATIONS = {".gif", ".apng", ".avifs", ".heics", ".heifs"}
LATER = ("gesture", "gesture_score")  # columns that older files do not have
ROWS_PER_BATCH = 2000


def read_jsonl(path: Path) -> Iterator[Tracked]:
    """The frames of JSON lines, those without hands included.

    Raises:
        InputError: a line is damaged, or has palms and not hands.
        SourceError: the file cannot be read.
    """
    with explained(path), path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            with row_explained(path, number):
                row = json.loads(line)
                if "palms" in row:
                    raise InputError(f"{path} has palms, and not hands")
                hands = [Hand.from_dict(found) for found in row["hands"]]
                row["index"], row["is_photo"] = row["frame"], is_photo_row(row["source"], row["time_s"], hands)
                yield blank_frame(row), hands


def read_parquet(path: Path) -> Iterator[Tracked]:
    """The frames of a Parquet file that have hands.

    Raises:
        InputError: it is no table of hands.
        MissingExtraError: PyArrow is not installed.
        SourceError: the file cannot be read.
    """
    parquet = required("pyarrow.parquet", "parquet", "Parquet files")
    with explained(path):
        try:
            with parquet.ParquetFile(path) as file:
                check_columns(path, file.schema_arrow.names)
                rows = (row for batch in file.iter_batches(ROWS_PER_BATCH) for row in batch.to_pylist())
                yield from frames_of_rows(path, rows)
        except required("pyarrow", "parquet", "Parquet files").ArrowException as error:
            raise SourceError(f"{path} is no Parquet file that can be read: {error}") from error


def read_csv(path: Path) -> Iterator[Tracked]:
    """The frames of a CSV file that have hands.

    Raises:
        InputError: it is no table of hands.
        SourceError: the file cannot be read.
    """
    with explained(path), path.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        check_columns(path, table.fieldnames or [])
        yield from frames_of_rows(path, table)


def check_columns(path: Path, names: Iterable[str]) -> None:
    """Raise InputError if this is no table of hands."""
    missing = [name for name in HAND_COLUMNS if name not in {*names, *LATER}]
    if missing:
        raise InputError(f"{path} is no table of hands: it has no column {missing[0]}")


def frames_of_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[Tracked]:
    """Rows of a table, where text and empty fields may stand for numbers, as frames with their hands."""
    numbered = enumerate(rows, 1)
    for _, group in groupby(numbered, key=lambda item: (item[1]["source"], item[1]["frame"])):
        hands, about = [], dict[str, Any]()
        for number, row in group:
            with row_explained(path, number):
                if row["format"] != HANDS_FORMAT:
                    raise ValueError(f"expected the format {HANDS_FORMAT}, got {row['format']}")
                hands.append(hand_of_row(row))
                about = about or {
                    "source": row["source"],
                    "index": int(row["frame"]),
                    "time_s": float(row["time_s"]),
                    "width": int(row["width_px"]),
                    "height": int(row["height_px"]),
                }
        about["is_photo"] = is_photo_row(about["source"], about["time_s"], hands)
        yield blank_frame(about), hands


def hand_of_row(row: Mapping[str, Any]) -> Hand:
    """The inverse of `columns.hand_row`."""

    def numbers(columns: list[str]) -> Any:
        return np.array([np.nan if row[name] in (None, "") else row[name] for name in columns], np.float32)

    visibility = numbers(VISIBILITY_COLUMNS)
    found: dict[str, Any] = {name: None if row[name] in (None, "") else float(row[name]) for name in SCORES}
    if row.get("gesture"):
        found |= {"gesture": row["gesture"], "gesture_score": float(row["gesture_score"])}
    found["track_id"] = None if row["track_id"] in (None, "") else int(row["track_id"])
    found |= {"landmarks": numbers(PIXEL_COLUMNS).reshape(21, 3), "world": numbers(WORLD_COLUMNS).reshape(21, 3)}
    found |= {"handedness": row["handedness"], "visibility": None if np.isnan(visibility).all() else visibility}
    if beyond := [name for name in map(point_of_column, row) if name]:
        found["extra"] = extra_of_row(row, beyond)
    for name, columns in FURTHER.items():
        if columns[0] in row and not np.isnan(values := numbers(columns)).all():
            found[name] = values.reshape(21, 3)
    return Hand.from_dict(found)


def point_of_column(column: str) -> str:
    """The name of the point beyond the 21 whose x, in pixels, a column holds; "" for all other columns."""
    name = column.removesuffix("_x_px")
    return "" if name == column or name.endswith("_raw") or name in NAMES else name


def extra_of_row(row: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The points beyond the 21 of a row, as `ExtraPoints.from_dict` takes them."""
    spaces = {"landmarks": "{}_{}_px", "world": "{}_world_{}_m"}
    spaces |= {"landmarks_raw": "{}_raw_{}_px", "world_raw": "{}_world_raw_{}_m"}

    def value(column: str) -> float | None:
        return None if row.get(column) in (None, "") else float(row[column])

    found: dict[str, Any] = {"names": names}
    for key, column in spaces.items():
        if column.format(names[0], "x") in row:
            found[key] = [[value(column.format(name, axis)) for axis in "xyz"] for name in names]
    seen = [value(f"{name}_visibility") for name in names]
    return found | ({} if all(one is None for one in seen) else {"visibility": seen})


def is_photo_row(source: str, time_s: float, hands: list[Hand]) -> bool:
    """Whether a frame is a photo, which files do not say: its source is named like one, without time and ids."""
    is_picture = Path(source.partition("?")[0]).suffix.lower() in IMAGE_SUFFIXES - ANIMATIONS
    return is_picture and not time_s and all(hand.track_id is None for hand in hands)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a failure to read a file into one line that names it.

    Raises:
        SourceError: instead of the error that was raised.
    """
    try:
        yield
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not text: {error}") from error
    except csv.Error as error:
        raise SourceError(f"{path} is not CSV that can be read: {error}") from error


@contextmanager
def row_explained(path: Path, row: object) -> Iterator[None]:
    """Turn an error in a row into one line that names the file and the row.

    Raises:
        InputError: instead of the error that was raised.
    """
    try:
        yield
    except Error as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}, row {row}: {error}") from error
    except DAMAGE as error:
        raise InputError(f"{path}, row {row}: {reason_of(error)}") from error
