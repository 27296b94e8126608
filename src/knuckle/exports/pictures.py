"""Names of frames as pictures, for formats that know pictures and no clips."""

from __future__ import annotations

import os
from itertools import chain, count
from pathlib import Path

from knuckle.media.names import as_json
from knuckle.media.output_names import stem
from knuckle.media.reader import Still
from knuckle.results import Frame

LONGEST_NAME = 50  # characters; file systems allow 255 bytes


def is_photo(frame: Frame) -> bool:
    """Whether a frame is a photo, and not one of a clip."""
    return isinstance(frame.time_s, Still)


class PictureNames:
    """A name without suffix for each frame of a run: `photo`, `clip_000000000012`.

    Sources with the same name do not collide: the second `photo` is `photo_2`, as is the second page of `photo.tiff`.
    """

    def __init__(self) -> None:
        self._clips: dict[str, str] = {}  # source -> base of its names
        self._taken: set[str] = set()

    def __call__(self, frame: Frame) -> str:
        if is_photo(frame):
            return self._free(frame.source)
        return f"{self.of_clip(frame.source)}_{frame.index:012d}"

    def of_clip(self, source: str) -> str:
        """The name of a clip."""
        if source not in self._clips:
            self._clips[source] = self._free(source)
        return self._clips[source]

    def _free(self, source: str) -> str:
        own = as_json(stem(source))[:LONGEST_NAME]
        names = chain([own], (f"{own}_{number}" for number in count(2)))
        name = next(name for name in names if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return name


def path_beside(source: str, folder: Path) -> str:
    """The path of a source as a file in `folder` names it: relative to the folder, with slashes; addresses stay."""
    if "://" in source or not os.path.exists(source):
        return as_json(source)
    try:
        return as_json(Path(os.path.relpath(source, folder)).as_posix())
    except ValueError:  # on another drive of Windows
        return as_json(Path(os.path.abspath(source)).as_posix())


def source_beside(name: str, folder: Path) -> str:
    """The inverse of `path_beside`: the file if it is there, else the name as it is written."""
    path = os.path.normpath(folder / name)
    return path if "://" not in name and os.path.exists(path) else name
