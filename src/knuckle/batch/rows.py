"""Rows of Ray, Spark and Daft: one row per video, its source in one column, what became of it in others."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from knuckle.batch.find import find_items
from knuckle.batch.items import Item, ItemResult
from knuckle.batch.lock import only_run
from knuckle.batch.manifest import Manifest, write_table
from knuckle.batch.run import BatchOptions, Progress, about_run
from knuckle.batch.work import TrackVideo
from knuckle.errors import Error
from knuckle.media.names import readable

# Column of a row to the type of its values. `part` is the table, relative to the output folder; `result` is the line of
# the manifest, from which `record` writes it.
COLUMNS: dict[str, type] = {
    "key": str,
    "status": str,
    "error": str,
    "frames": int,
    "hands": int,
    "seconds": float,
    "part": str,
    "result": str,
}


def track_source(work: TrackVideo, source: Any) -> dict[str, Any]:
    """Do the one video, photo or tar file that a row names. A source that cannot be used is a row with an error.

    A long video is not cut: one row goes in, one comes out.

    Args:
        source: a path or an address as text. Empty text, None and NaN, as pandas has it for a missing text, name none.

    Returns:
        The columns of `COLUMNS`.

    Raises:
        SinkError, BundleError, EngineError: as `TrackVideo`; they concern every row.
    """
    if not isinstance(source, str) or not source:
        return row_of(ItemResult("bad:", "", "failed", "the row names no source"))
    try:
        items = find_items([source]).items
    except Error as error:
        items = [Item(f"bad:{source}", source, "bad", problem=str(error))]
    if len(items) != 1:
        problem = f"{source} holds {len(items)} items; a row must name one video, photo or tar file"
        items = [Item(f"bad:{source}", source, "bad", problem=problem)]
    return row_of(replace(work, stretch_s=math.inf)(items[0]))


def row_of(result: ItemResult) -> dict[str, Any]:
    """A result as the columns of `COLUMNS`."""
    return {
        "key": readable(result.key),
        "status": result.status,
        "error": result.error,
        "frames": result.frames,
        "hands": result.hands,
        "seconds": result.seconds,
        "part": "".join(result.parts[:1]),
        "result": json.dumps(result.to_dict()),
    }


def result_of(row: Mapping[str, Any]) -> ItemResult:
    """The result that a row of `row_of` holds."""
    return ItemResult.from_dict(json.loads(row["result"]))


def record(rows: Iterable[Mapping[str, Any]], work: TrackVideo) -> Progress:
    """Write the rows of a job into the manifest of the output folder, as `knuckle batch` does.

    Args:
        rows: rows with the column `result`, in the process that drives the job.
        work: the worker of the job.

    Returns:
        What was done.

    Raises:
        InputError: another run is writing to the folder.
        SinkError: the manifest cannot be written.
    """
    options = BatchOptions(
        work.options,
        work.models,
        work.detect_only,
        stretch_s=math.inf,
        stride=work.stride,
        camera=work.camera,
        hand_length_m=work.hand_length_m,
        offline=work.offline,
    )
    out, progress = Path(work.out), Progress()
    with only_run(out), Manifest(out, about_run([], options)) as manifest:
        for row in rows:
            result = result_of(row)
            manifest.add(result)
            progress.add(result)
            progress.total += 1
        manifest.end("complete", 0)
        write_table(out)
    return progress
