"""`convert`: a data file of one format becomes one of another, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np

from knuckle.errors import InputError, SourceError
from knuckle.exports.formats import FORMATS
from knuckle.exports.pictures import is_photo
from knuckle.media.data_format import DataFormat, Part, Tracked, format_of
from knuckle.media.output_names import OutputNames
from knuckle.results import Hand

WORDS: dict[Part, str] = {
    "sources": "several sources",
    "many": "hands beyond one left and one right",
    "names": "names of sources",
    "empty": "frames without hands",
    "size": "sizes of frames",
    "z": "depth (z)",
    "world": "world landmarks",
    "ids": "track ids",
    "scores": "scores",
    "visibility": "visibility",
    "gestures": "gestures",
}
DEPTHS: tuple[Part, ...] = ("z", "world")
NOT_LOST: set[Part] = {"palms", "photos", "clips"}  # these are refused, or come as the other


@dataclass
class Conversion:
    """What a conversion did.

    Attributes:
        source, target: the formats.
        frames, hands: how many were written.
        lost: what the source had and the target cannot hold.
    """

    source: DataFormat
    target: DataFormat
    frames: int = 0
    hands: int = 0
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Given:
    """What the user adds to a source that does not say it.

    Attributes:
        rate: frames per second, for frames without times.
        size: (width, height) in pixels, for frames without a size.
    """

    rate: float | None = None
    size: tuple[int, int] | None = None


def convert(
    source: Path,
    target: Path,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    overwrite: bool = False,
    given: Given | None = None,
) -> Conversion:
    """Write the hands of a data file in another format. The target appears when it is complete.

    Args:
        source: a file or folder that `knuckle track --save` or another program wrote.
        target: the file or folder to write; its suffix gives the format.
        source_format, target_format: names of `FORMATS`, where the suffix does not say it.
        overwrite: replace a target that exists.
        given: times and sizes for a source that has none.

    Raises:
        InputError: a format is not known or cannot be read, the target exists, or the source lacks what it needs.
        MissingExtraError: a package is not installed.
        SourceError: the source cannot be read.
        SinkError: the target cannot be written.
    """
    if not source.exists():
        raise SourceError(f"there is no file or folder {source}")
    about, wanted = find_format(source, source_format), find_format(target, target_format)
    if about.read is None:
        readable = ", ".join(one.suffix for one in FORMATS if one.read)
        raise InputError(f"{source}: {about.title} cannot be read back; what can be is {readable}")
    OutputNames(overwrite).claim(target, str(source))
    if source.is_dir() and target.resolve() == source.resolve():
        raise InputError(f"{target} is the source itself; choose another name")
    done = Conversion(about, wanted)
    frames = checked(about.read(source), source, wanted, given or Given())
    first = next(frames, None)  # fails here if the source is unreadable, before the target is touched
    if first is None:
        raise InputError(f"{source} holds no frames, so there is nothing to convert")
    seen = Seen()
    with wanted.open(target) as sink:
        for frame, hands in chain([first], frames):
            sink.write(frame, hands)
            seen.add((frame, hands))
            done.frames += 1
            done.hands += len(hands)
    done.lost = [WORDS.get(part, part) for part in get_args(Part) if part in seen.parts - wanted.holds - NOT_LOST]
    return done


def find_format(path: Path, name: str | None) -> DataFormat:
    """The format of a name, else of the path's suffix.

    Raises:
        InputError: there is none.
    """
    formats = [one for one in FORMATS if name in (None, one.name)]
    if not formats:
        raise InputError(f"there is no format {name!r}; there are {', '.join(one.name for one in FORMATS)}")
    return format_of(path, formats)


def checked(frames: Iterator[Tracked], source: Path, wanted: DataFormat, given: Given) -> Iterator[Tracked]:
    """The frames with what the user gave.

    Raises:
        InputError: something that the target needs is not known.
    """
    for frame, hands in frames:
        if math.isnan(frame.time_s) and given.rate:
            frame = replace(frame, time_s=frame.index / given.rate)
        if not frame.width and given.size:
            frame = replace(frame, image=np.broadcast_to(np.uint8(0), (given.size[1], given.size[0], 3)))
        if math.isnan(frame.time_s) and not is_photo(frame):
            raise InputError(f"{source} does not say when its frames were; give their rate with --fps")
        if not frame.width and "size" in wanted.needs:
            raise InputError(f"{source} does not say how large its frames are; give --size WIDTHxHEIGHT")
        if is_photo(frame) and "photos" not in wanted.holds:
            raise InputError(f"{source} holds photos, and {wanted.title} holds clips only")
        for part in DEPTHS:
            if part in wanted.needs and any(is_unknown(hand, part) for hand in hands):
                raise InputError(f"{source} has no {WORDS[part]}, which {wanted.title} needs")
        yield frame, hands


def is_unknown(hand: Hand, part: Part) -> bool:
    """Whether the depths or the world landmarks of a hand are not known."""
    return bool(np.isnan(hand.world if part == "world" else hand.landmarks[:, 2]).any())


class Seen:
    """Which parts the frames of a run really had."""

    def __init__(self) -> None:
        self.parts: set[Part] = {"names", "handedness", "size"}
        self._source: str | None = None

    def add(self, tracked: Tracked) -> None:
        frame, hands = tracked
        self._source = frame.source if self._source is None else self._source
        sides = [hand.handedness for hand in hands]
        had: dict[Part, bool] = {
            "sources": frame.source != self._source,
            "empty": not hands,
            "many": len(sides) != len(set(sides)),
            "times": not is_photo(frame),
            "ids": any(hand.track_id is not None for hand in hands),
            "z": not all(is_unknown(hand, "z") for hand in hands),
            "world": not all(is_unknown(hand, "world") for hand in hands),
            "visibility": any(hand.visibility is not None for hand in hands),
            "gestures": any(hand.gesture is not None for hand in hands),
            "scores": any(hand.presence != 1 or hand.palm_score is not None for hand in hands),
        }
        self.parts |= {part for part, is_there in had.items() if is_there}
