"""Tables of hands in space, as `knuckle triangulate` makes them: Parquet, CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from knuckle.errors import InputError
from knuckle.media.columns import POINT_COLUMNS, POINTS_FORMAT, point_schema
from knuckle.media.write_common import PartFile, writing
from knuckle.results import FloatArray
from knuckle.results.point_set import NAMES

POINT_SUFFIXES = (".parquet", ".csv", ".jsonl")


class PointsOfHand(Protocol):
    """What a row needs; `knuckle.space.RigHand` has it."""

    frame: int
    time_s: float
    track_id: int
    handedness: Any
    points: FloatArray
    std: FloatArray
    views: Any
    error_px: float
    cameras: tuple[str, ...]


def point_row(hand: PointsOfHand) -> dict[str, Any]:
    """One hand as a row in `POINT_COLUMNS`. Points that are not known are None."""
    row: dict[str, Any] = {"format": POINTS_FORMAT, "frame": hand.frame, "time_s": hand.time_s}
    row |= {"track_id": hand.track_id, "handedness": hand.handedness}
    row |= {"cameras": " ".join(hand.cameras), "error_px": _known(hand.error_px)}
    for values, middle in ((hand.points, ""), (hand.std, "std_")):
        for name, point in zip(NAMES, values.tolist(), strict=True):
            row |= {f"{name}_{middle}{axis}_m": _known(value) for axis, value in zip("xyz", point, strict=True)}
    return row | {f"{name}_views": int(views) for name, views in zip(NAMES, hand.views, strict=True)}


def write_points(path: Path, hands: Sequence[Any]) -> None:
    """Write a table with a row for each hand at each time, in the format of the suffix. A file is replaced as a whole.

    Raises:
        InputError: an unknown suffix.
        MissingExtraError: a Parquet file needs PyArrow.
        SinkError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in POINT_SUFFIXES:
        raise InputError(f"points are saved as {', '.join(POINT_SUFFIXES)}, got {path.name!r}")
    schema = point_schema() if suffix == ".parquet" else None  # fails here without PyArrow, before there is a file
    rows = [point_row(hand) for hand in hands]
    file = PartFile(path)
    try:
        with writing(path):
            if schema is not None:
                import pyarrow
                from pyarrow import parquet

                parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file.part, compression="zstd")
            else:
                with file.part.open("w", encoding="utf-8", newline="") as lines:
                    if suffix == ".csv":
                        table = csv.DictWriter(lines, list(POINT_COLUMNS), lineterminator="\n")
                        table.writeheader()
                        table.writerows(rows)
                    else:
                        lines.writelines(json.dumps(row) + "\n" for row in rows)
        file.keep()
    except BaseException:
        file.discard()
        raise


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
