"""The images of COCO files: photos, and frames of clips where `videos` names the files of the clips."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knuckle.datasets.labels import Clip, Shot


@dataclass(frozen=True)
class Place:
    """Where an image is: the photo, or a frame of a clip."""

    source: str
    frame: int = 0
    time_s: float = 0.0
    in_clip: bool = False


def place_of(file: Path, whole: Mapping[str, Any], image: Mapping[str, Any]) -> Place:
    """Where an image of a COCO file is.

    An image with `video_id` and `frame_id` is a frame of a clip if its video has a `file_name`, as our own files do.
    Files that list the pictures of a video have none.
    """
    if "video_id" in image:
        videos = {video["id"]: video for video in whole.get("videos", ())}
        video = videos.get(image["video_id"], {})
        if "file_name" in video:
            source = str(path_of(file, str(video["file_name"])))
            return Place(source, int(image["frame_id"]), float(image.get("time_s") or 0), True)
    return Place(str(path_of(file, str(image["file_name"]))))


def path_of(file: Path, name: str) -> Path:
    """The path of an image: beside the file, in images/ there or above, or in a folder named like the split."""
    name = name.replace("\\", "/")
    above, split = file.parent.parent, file.stem.removeprefix("person_keypoints_")
    beside = (file.parent, file.parent / "images", file.parent / split, file.parent / "images" / split)
    folders = (*beside, above / "images" / split, above / "images", above / split, above)
    tried = [folder / part for part in dict.fromkeys((name, Path(name).name)) for folder in folders]
    return next((path for path in tried if os.path.isfile(path)), tried[0])


def photos_and_clips(shots: Sequence[tuple[Place, Shot]]) -> tuple[tuple[Shot, ...], tuple[Clip, ...]]:
    """The photos, and the clips with their labelled frames."""
    frames: dict[str, list[Shot]] = {}
    for place, shot in shots:
        if place.in_clip:
            frames.setdefault(place.source, []).append(shot)
    photos = tuple(shot for place, shot in shots if not place.in_clip)
    return photos, tuple(Clip(source, tuple(found)) for source, found in frames.items())
