"""Our JSON lines: one labelled photo, or one labelled frame of a clip, per line (docs/datasets.md)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.formats.knuckle_rows import labelled_by, shot_of_row
from knuckle.datasets.labels import Clip, Dataset, Shot
from knuckle.datasets.parsing import files_of, json_lines, row_of


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """index.jsonl in a folder, or a .jsonl file, with an `image` or a `clip` in each row. Each `source` is a split."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "index.jsonl") or (files_of(path, "*.jsonl") if path.is_file() else []):
        rows = list(json_lines(file))
        if not rows or not {"image", "clip"} & set(rows[0][1]):
            continue
        splits[""] = functools.partial(read_rows, file, rows, None)
        for source in dict.fromkeys(str(row["source"]) for _, row in rows if "source" in row):
            splits[source] = functools.partial(read_rows, file, rows, source)
    return splits


def read_rows(file: Path, rows: list[tuple[int, dict[str, Any]]], source: str | None) -> Dataset:
    """The rows of one source, or all rows."""
    chosen = [(number, row) for number, row in rows if source is None or row.get("source") == source]
    photos: list[Shot] = []
    frames: dict[str, list[Shot]] = {}
    for number, row in chosen:
        with row_of(file, number):
            shot = shot_of_row(row, file.parent)
            _check_boxes(shot)
        (frames.setdefault(shot.source, []) if "clip" in row else photos).append(shot)
    clips = tuple(Clip(name, tuple(sorted(shots, key=lambda shot: shot.frame))) for name, shots in frames.items())
    shots = photos + [shot for clip in clips for shot in clip.shots]
    nobody = all(shot.hands is None and shot.both_hands_box is None for shot in shots)
    by = labelled_by(file, (row for _, row in chosen), "nobody" if nobody else "people")
    licence = ", ".join(dict.fromkeys(str(row["licence"]) for _, row in chosen if row.get("licence")))
    return Dataset(source or file.parent.name, tuple(photos), clips, labelled_by=by, licence=licence)


def _check_boxes(shot: Shot) -> None:
    """Refuse boxes outside of the image: the most common damage is boxes in the pixels of another image size."""
    for box in (*(hand.box for hand in shot.hands or ()), shot.both_hands_box):
        if box is not None and shot.size is not None and (box[:2] >= shot.size).any():
            edges, (width, height) = np.round(box.astype(float), 1).tolist(), shot.size
            raise ValueError(
                f"the box {edges} lies outside of its {width} × {height} image; correct it, or name a split"
            )
