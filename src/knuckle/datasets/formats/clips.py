"""Our labelled clips: NAME.jsonl with one line per frame beside NAME.mp4 (docs/datasets.md)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from knuckle.datasets.formats.knuckle_rows import hands_in_view, image_size_in, labelled_by
from knuckle.datasets.labels import Clip, Dataset, LabelledBy, Shot
from knuckle.datasets.parsing import files_of, json_lines, row_of
from knuckle.errors import InputError
from knuckle.media.sources import VIDEO_SUFFIXES


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Each NAME.jsonl with a video of the same name beside it."""
    found = []
    for file in files_of(path, "*.jsonl", "*/*.jsonl"):
        videos = [file.with_suffix(suffix) for suffix in sorted(VIDEO_SUFFIXES)]
        found += [(video, file) for video in videos if video.is_file()][:1]
    return {"": functools.partial(_read, path, found)} if found else {}


def _read(path: Path, found: list[tuple[Path, Path]]) -> Dataset:
    clips, origins = [], set()
    for video, file in found:
        clip, by = _read_clip(video, file)
        clips.append(clip)
        origins.add(by)
    if len(origins) > 1:
        named = " and ".join(sorted(origins))
        raise InputError(f"{path}: clips labelled by {named} do not form one dataset; name one file")
    return Dataset(path.stem, clips=tuple(clips), labelled_by=origins.pop())


def _read_clip(video: Path, file: Path) -> tuple[Clip, LabelledBy]:
    """One clip, and who labelled it: the renderer, if its rows have a camera and do not say anything else."""
    shots, still = [], False
    rows = list(json_lines(file))
    for number, row in rows:
        with row_of(file, number):
            hands, complete = hands_in_view(row)
            size = image_size_in(row.get("camera") or row)
            time_s = float(row["time_s"])
            shot = Shot(str(video), int(row["frame"]), time_s, size, hands, complete, group=video.stem)
            still = still or bool(row.get("still"))
        shots.append(shot)
    default: LabelledBy = "renderer" if any("camera" in row for _, row in rows) else "people"
    return Clip(str(video), tuple(shots), still), labelled_by(file, (row for _, row in rows), default)
