"""`DataFormat`: what a format of data files can hold, what writes it, and what reads it back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.media.reader import STILL
from knuckle.media.write_common import Sink
from knuckle.results import FloatArray, Frame, Hand

Part = Literal[
    "photos",
    "clips",
    "sources",  # several photos or clips in one file
    "many",  # more than one left and one right hand in a frame
    "names",  # of the source
    "empty",  # frames without hands
    "times",
    "size",  # of the frame
    "handedness",
    "ids",
    "z",
    "world",
    "visibility",  # the probability of each landmark
    "scores",  # presence, and the scores of handedness and palm
    "gestures",
    "palms",  # the results of --detect-only
]
MOST_PIXELS_A_SIDE = 1_000_000
Tracked: TypeAlias = tuple[Frame, list[Hand]]
ReadFormat: TypeAlias = Callable[[Path], Iterator[Tracked]]


@dataclass(frozen=True)
class DataFormat:
    """A format of data files.

    Attributes:
        name: as in `--format NAME`.
        title: what it is, for people.
        suffix: how names of this format end, such as ".coco.json".
        sink: opens a file for writing; called with the path and whether the results are palms instead of hands.
        holds: what a file of this format keeps. What is not in here is lost.
        needs: what must be known to write it.
        read: gives the frames of a file with their hands; None if files cannot be read back. What the format does not
            hold is NaN (z, world), None (ids, visibility) or 1 (scores). Images are black, in the size of the frame.
        is_folder: a folder with many files is written, and not one file.
        extra: the extra that writing needs; "" for none.
    """

    name: str
    title: str
    suffix: str
    sink: Callable[[Path, bool], Sink]
    holds: frozenset[Part]
    needs: frozenset[Part] = frozenset()
    read: ReadFormat | None = None
    is_folder: bool = False
    extra: str = ""

    def open(self, path: Path, palms: bool = False) -> Sink:
        """Open a file of this format for writing. What has the name is replaced when the new file is complete.

        Raises:
            InputError: the format cannot hold palms.
            MissingExtraError: a package is not installed.
            SinkError: the file cannot be written.
        """
        self.require_palms(palms)
        return self.sink(path, palms)

    def require_kind(self, kind: str, name: str) -> None:
        """Raise InputError if a source of photos is to be saved in a format for clips."""
        if kind == "image" and "photos" not in self.holds:
            raise InputError(f"{self.title} holds clips only, and {name} is a photo; use another format of --save")

    def require_palms(self, palms: bool) -> None:
        """Raise InputError if the results are palms and the format cannot hold them."""
        if palms and "palms" not in self.holds:
            raise InputError(f"{self.title} cannot hold palms, which --detect-only gives; use .jsonl, .parquet or .csv")


def format_of(path: str | os.PathLike[str], formats: Sequence[DataFormat]) -> DataFormat:
    """The format that a file name ends with; the longest such suffix decides. A table of one format takes any name.

    Raises:
        InputError: no format has this suffix.
    """
    name = Path(path).name.lower()
    fitting = [one for one in formats if len(formats) == 1 or name.endswith(one.suffix)]
    if not fitting:
        suffixes = ", ".join(one.suffix for one in formats)
        raise InputError(f"data is saved as {suffixes}, got {Path(path).name!r}; end the name of a folder with a slash")
    return max(fitting, key=lambda one: len(one.suffix))


def parts(*names: Part) -> frozenset[Part]:
    """A set of what a format holds or needs."""
    return frozenset(names)


def blank_frame(about: Mapping[str, Any]) -> Frame:
    """A frame whose picture is not known: black, in the size of the frame, without memory for it.

    Args:
        about: `source`, `index`, `time_s` (NaN: unknown), `is_photo`, and `width` and `height` (0: unknown).

    Raises:
        InputError: a value is missing, is no number or is out of range.
    """
    try:
        size = int(about["height"]), int(about["width"])
        time_s = STILL if about["is_photo"] else float(about["time_s"])
        index, source = int(about["index"]), str(about["source"])
    except DAMAGE as error:
        raise InputError(f"the size, number or time of a frame is damaged: {reason_of(error)}") from error
    if not 0 <= min(size) <= max(size) <= MOST_PIXELS_A_SIDE:
        raise InputError(f"a frame has at most {MOST_PIXELS_A_SIDE} pixels a side, got {size[1]} × {size[0]}"[:200])
    return Frame(np.broadcast_to(np.uint8(0), (*size, 3)), index, time_s, source)


def labelled_hand(
    handedness: str, landmarks: FloatArray, track_id: int | None = None, visibility: FloatArray | None = None
) -> Hand:
    """A hand of which a file has only labels: its scores are 1, its world landmarks unknown.

    Args:
        handedness: "Left" or "Right".
        landmarks: (21, 3) pixels; NaN where unknown.

    Raises:
        ValueError: handedness is something else.
    """
    if handedness not in ("Left", "Right"):
        raise ValueError(f"a hand must be Left or Right, got {handedness!r}")
    found = {"landmarks": landmarks, "world": np.full((21, 3), np.nan), "handedness": handedness}
    scores = {"handedness_score": 1.0, "presence": 1.0}
    return Hand.from_dict(found | scores | {"track_id": track_id, "visibility": visibility})
